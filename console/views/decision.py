"""One decision: what, on what, by which model, under whose responsibility, what did people do, and the proof."""

import uuid
from base64 import b64encode
from dataclasses import dataclass
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from audit.case_access import may_attach
from audit.case_selectors import cases_with
from audit.errors import DecisionNotFound, PartNotSent
from audit.expiry import expiry_of
from audit.neighbours import neighbours_of
from audit.payload_grants import may_ask
from audit.restrictions import is_restricted, reads_restricted
from audit.selectors import (
    PARTS,
    SealedDecision,
    decision_by_id,
    differing_columns,
    payload_sizes,
)
from audit.services.disclosure import may_about, may_read_payload, may_see, view_payload
from config.errors import ServiceError
from console.blind import reach_of
from console.cards.deciding import card_of, rules_broken
from console.configurations import configuration_of
from console.decision_rows import flag_words, outcome_tone
from console.pages import page, show, viewer
from console.parts import ShownPart, shown_part
from console.people_said import what_people_did
from console.timelines import timeline
from evidence.letters.reading import letters_about, may_write_letters
from evidence.proofs import EntryProof, entry_of, prove_entry
from governance import rights
from governance.acts import Act, Condition
from governance.models import AISystem, Assignment, ModelVersion, Person, ServiceAccount
from governance.scopes import Scope
from ledger.entries import Actor
from ledger.models import Log
from ledger.selectors import vkeys_of
from overrides.effective import effective_of
from overrides.eligibility import ON_A_CLAIMED_ITEM
from overrides.selectors import has_live_claim, require_unhidden
from overrides.standing import Mode
from overrides.switch_selectors import standing_control

LINKS = {"subject": "subject", "conversation": "conversation", "trace": "trace", "input": "input, byte for byte"}
"""By what a search finds others like a decision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Responsibility:
    """Who answered at a moment, from the entry; names from the register."""

    person: Person | None
    assignment: Assignment | None
    accepted: bool


@page
@require_safe
def decision(request: HttpRequest, decision_id: uuid.UUID) -> HttpResponse:
    """The page. Shows nothing of the payload: that is asked for, and appends an entry."""
    return _page(request, visible(request, decision_id))


@page
@require_POST
def payload(request: HttpRequest, decision_id: uuid.UUID) -> HttpResponse:
    """Show input and output. As a fragment where the page asks by script, else as the page with them in it."""
    found = visible(request, decision_id)
    given = given_to(request, found.id)
    parts = [shown_part(part) for part in view_payload(actor=_actor(request), decision=found, given=given)]
    if request.headers.get("HX-Request"):
        context = {"decision": found, "parts": parts, "broken": rules_broken(found, parts)}
        return render(request, "console/payload.html", context)
    return _page(request, found, parts=parts)


@page
@require_POST
def payload_part(request: HttpRequest, decision_id: uuid.UUID, part: str) -> HttpResponse:
    """The exact bytes of one part, to keep. Posted, since it appends an entry."""
    if part not in PARTS:
        raise PartNotSent()
    decision, given = visible(request, decision_id), given_to(request, decision_id)
    (found,) = view_payload(actor=_actor(request), decision=decision, parts=[part], given=given)
    return download(found.data, f"{decision_id}.{part}.json", "application/json")


@page
@require_POST
def disclosure(request: HttpRequest, decision_id: uuid.UUID) -> HttpResponse:
    """The parts with their part keys, for the browser to check the commitments. Appends an entry as any view does."""
    decision = visible(request, decision_id)
    found = view_payload(actor=_actor(request), decision=decision, given=given_to(request, decision_id))
    return _json({"parts": [{"name": p.name, "key": p.key.hex(), "data": b64encode(p.data).decode()} for p in found]})


@page
@require_safe
def proof(request: HttpRequest, decision_id: uuid.UUID) -> HttpResponse:
    """What the browser verifies: the entry's bytes, its proof, and the log's own verifier keys."""
    found = _proof(request, decision_id)
    return _json(
        {
            "entry": b64encode(bytes(found.entry.data)).decode(),
            "leaf_hash": bytes(found.entry.leaf_hash).hex(),
            "proof": found.text,
            "origin": found.log.origin,
            "vkeys": vkeys_of(found.log),
        }
    )


@page
@require_safe
def proof_file(request: HttpRequest, decision_id: uuid.UUID) -> HttpResponse:
    """The `.tlog-proof` that the offline verifier and other people's tools read."""
    found = _proof(request, decision_id)
    return download(found.text.encode(), f"{decision_id}.tlog-proof", "text/plain; charset=utf-8")


@page
@require_safe
def entry_file(request: HttpRequest, decision_id: uuid.UUID) -> HttpResponse:
    """The entry's exact bytes."""
    return download(visible(request, decision_id).data, f"{decision_id}.entry.json", "application/json")


def decision_page(
    request: HttpRequest, *, decision_id: uuid.UUID, refusal: ServiceError, typed: dict[str, str]
) -> HttpResponse:
    """The page again, with what was refused and what was typed."""
    return _page(request, visible(request, decision_id), refusal=refusal, typed=typed)


def visible(request: HttpRequest, decision_id: uuid.UUID) -> SealedDecision:
    found = decision_by_id(decision_id)
    if not may_see(_actor(request), found):
        raise DecisionNotFound()
    require_unhidden(_actor(request), decision_id)
    return found


def _actor(request: HttpRequest) -> Actor:
    return Actor("person", viewer(request).pk)


def given_to(request: HttpRequest, decision_id: uuid.UUID) -> frozenset[Condition]:
    """A reviewer reads the payload of what they have claimed."""
    return ON_A_CLAIMED_ITEM if has_live_claim(viewer(request).pk, decision_id) else frozenset()


def _proof(request: HttpRequest, decision_id: uuid.UUID) -> EntryProof:
    return prove_entry(entry_of(visible(request, decision_id).id))


def _page(
    request: HttpRequest,
    found: SealedDecision,
    *,
    parts: list[ShownPart] | None = None,
    refusal: ServiceError | None = None,
    typed: dict[str, str] | None = None,
) -> HttpResponse:
    body = found.body
    version = ModelVersion.objects.filter(pk=body.model_version_id).first() if body.model_version_id else None
    sizes, restricted = payload_sizes(found.id), is_restricted(found.id)
    return show(
        request,
        "decision.html",
        title="Decision",
        status=refusal.status if refusal else 200,
        refusal=refusal,
        typed=typed or {},
        people=what_people_did(viewer(request), found),
        decision=found,
        body=body,
        tone=outcome_tone(found),
        flags=flag_words(body.flags),
        parts=parts,
        broken=rules_broken(found, parts or ()),
        card=card_of(found),
        sizes=sizes,
        may_read=may_read_payload(_actor(request), found, given_to(request, found.id)),
        is_restricted=restricted,
        is_barred=restricted and not reads_restricted(_actor(request)),
        expiry=expiry_of(_actor(request), found, is_gone=sizes is None, is_restricted=restricted),
        may_see_purges=rights.can(_actor(request), Act.RETENTION_VIEW, Scope.system(found.system_id)),
        may_search=may_about(_actor(request), Act.DECISION_SEARCH, found),
        may_export=any(may_about(_actor(request), act, found) for act in (Act.EXPORT_PLAIN, Act.EXPORT_PAYLOADS)),
        may_ask_grant=may_ask(_actor(request), found.system_id),
        differing=differing_columns(found),
        system=AISystem.objects.filter(pk=found.system_id).first(),
        version=version,
        configuration=configuration_of(viewer(request), found, version),
        caller=_caller(found.service_account_id),
        responsible=_responsible(body.accountable),
        responsible_then=_responsible(body.occurred_accountable),
        events=timeline(found, viewer(request).pk),
        holds=effective_of(found.id, decision=found),
        mode=_mode_now(found),
        neighbours=neighbours_of(found, reach_of(viewer(request))),
        links=LINKS,
        cases=cases_with(_actor(request), found.id),
        letters=list(letters_about(found.id)[:20]),
        may_write_letters=may_write_letters(_actor(request), found),
        may_attach=may_attach(_actor(request), found.system_id),
        log=Log.objects.get(pk=found.log_id),
        entry_pretty=orjson.dumps(orjson.loads(found.data), option=orjson.OPT_INDENT_2).decode(),
        entry_raw=found.data.decode(),
    )


def _mode_now(found: SealedDecision) -> Mode:
    """What is in force today for what decided this."""
    body = found.body
    control = standing_control([found.system_id])
    return control.mode(found.system_id, body.environment, body.model_version, body.capability or "")


def _caller(account_id: uuid.UUID | None) -> ServiceAccount | None:
    return ServiceAccount.objects.filter(pk=account_id).first() if account_id else None


def _responsible(holder: Any) -> Responsibility | None:
    if holder is None:
        return None
    return Responsibility(
        person=Person.objects.filter(pk=holder.person).first(),
        assignment=Assignment.objects.filter(pk=holder.assignment).first(),
        accepted=holder.accepted,
    )


def _json(body: dict[str, Any]) -> HttpResponse:
    return HttpResponse(orjson.dumps(body), content_type="application/json", headers={"Cache-Control": "no-store"})


def download(data: bytes, name: str, content_type: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return HttpResponse(data, content_type=content_type, headers=headers)
