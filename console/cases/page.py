"""What the page of a case shows to somebody: no more than they may know, and the forms of what they may do."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from audit.case_access import (
    investigators_of,
    may,
    may_read,
    may_read_findings,
    may_work,
    place_of,
    systems_named,
    systems_seen,
)
from audit.case_document import Seen, acts_seen, models_of
from audit.case_selectors import Facets, actions_shown, decisions_in, facets_of, is_partly_restricted
from audit.incident_deadlines import Deadline, deadlines_of
from audit.models import Case, CaseDecision, Incident, LegalHold
from audit.restricted_texts import for_reading, to_read
from audit.restrictions import reads_restricted
from audit.services.authority import is_kept_by_law
from audit.services.cases import MOVES, lacks
from console.cases import forms
from console.cases.narrowing import uuid_of, within_of
from console.cases.trail import latest
from console.decision_rows import rows_of
from console.pages import viewer
from console.questions import in_words
from console.templatetags.console import span
from evidence.case_reports import seen_by
from governance import rights
from governance.acts import Act, Role
from governance.admin.stale import show_what_stands
from governance.models import AISystem, Person
from governance.rights import as_actor
from ledger.entries import Actor
from overrides.selectors import hidden_from
from overrides.services.case_leads import known_conflict

PAGE_SIZE = 50
MOST_OFFERED = 300
MOVE_WORDS = {
    Case.Status.INVESTIGATING: "Go on investigating",
    Case.Status.CONCLUDED: "Conclude",
    Case.Status.CLOSED: "Close",
    Case.Status.REOPENED: "Reopen",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A state that the case can go to, and what still lacks."""

    to: str
    words: str
    lacks: str
    form: forms.MoveForm


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One line of a facet: in words, how many, and the query that narrows the list to it."""

    words: str
    count: int
    query: str = ""
    is_bad: bool = False


def context_of(request: HttpRequest, case: Case, typed: dict[str, Any]) -> dict[str, Any]:
    """`typed`: forms by the name of their act, as they were refused."""
    person = viewer(request)
    actor, works = as_actor(person), may_work(as_actor(person), case)
    reads = may_read(actor, case)
    incident: Incident | None = getattr(case, "incident", None)
    shown = {
        "case": to_read(actor, case),
        "incident": incident,
        "clock": clock_of(incident) if incident else None,
        "known": incident_of(actor, incident) if incident and may_read_findings(actor, case) else None,
        "systems": list(AISystem.objects.filter(pk__in=systems_named(actor, [case])[case.pk]).order_by("slug")),
        "reads": reads,
        "works": works and case.is_open,
        "lead": Person.objects.filter(pk=case.lead_id).first() if case.lead_id else None,
        "opened_by": Person.objects.filter(pk=case.opened_by_id).first(),
        "people": investigators_of(case) if reads else [],
        "conflict": known_conflict(case),
        "holds": _holds(actor, case),
        "may_hold": may(actor, Act.HOLD_PLACE, case),
        "may_export": reads and any(may(actor, act, case) for act in (Act.EXPORT_PLAIN, Act.EXPORT_PAYLOADS)),
        "may_assign": case.is_open and may(actor, Act.CASE_LEAD_ASSIGN, case),
        "findings": with_people(actor, case.findings.select_related("replaced_by"), "author_id")
        if may_read_findings(actor, case)
        else None,
        "actions": with_people(actor, actions_shown(actor, case), "owner_id"),
        "me": person,
        "has_restricted": reads_restricted(actor) and is_partly_restricted(case),
    }
    if reads:
        shown |= _inside(case, seen_by(actor, case), uuid_of(request.GET.get("before")))
    return shown | _decisions(request, case, actor, reads=reads) | _forms(actor, case, shown, typed)


# --- what is in it ----------------------------------------------------------------------------------------------------
def _decisions(request: HttpRequest, case: Case, actor: Actor, *, reads: bool) -> dict[str, Any]:
    seen = systems_seen(actor, case)
    shown = counted_in(actor, case)
    if not reads:
        return shown
    within = within_of(request.GET.dict())
    page = decisions_in(
        case, within=within, systems=seen, hidden=hidden_of(actor), cursor=request.GET.get("cursor"), limit=PAGE_SIZE
    )
    kept = request.GET.copy()
    for name in ("cursor", "before"):
        kept.pop(name, None)
    return shown | {
        "page": page,
        "rows": rows_of(page.items),
        "one_system": len(case.system_ids) == 1,
        "question": kept.urlencode(),
        "is_narrowed": within.condition() is not None,
    }


def counted_in(actor: Actor, case: Case) -> dict[str, Any]:
    """How many decisions are in it, and what they say: not while the viewer judges one of them blind."""
    hidden = hidden_of(actor)
    if hidden and CaseDecision.objects.filter(case_id=case.pk, decision_id__in=hidden).exists():
        return {"total": None, "facets": [], "is_blind": True}
    facets = facets_of(case, systems_seen(actor, case))
    return {"total": facets.total, "facets": facet_lines(facets), "is_blind": False}


def hidden_of(actor: Actor) -> frozenset[uuid.UUID]:
    return hidden_from(actor.id) if actor.type == "person" and actor.id else frozenset()


def facet_lines(found: Facets) -> list[tuple[str, list[Counted]]]:
    systems = AISystem.objects.in_bulk(found.systems)
    people = Person.objects.in_bulk({each for each, _ in found.accountable if each})
    return [
        (
            "Accountable at the time",
            [_answering(who, accepted, people, count) for (who, accepted), count in found.accountable.most_common()],
        ),
        (
            "AI system",
            [
                Counted(words=str(systems.get(each, each)), count=count, query=f"system={each}")
                for each, count in found.systems.most_common()
            ],
        ),
        ("Outcome", _counted(found.outcomes.most_common(), "outcome")),
        ("Model version", _counted(found.model_versions.most_common(), "version")),
    ]


def _answering(who: uuid.UUID | None, accepted: bool, people: dict[uuid.UUID, Person], count: int) -> Counted:
    if who is None:
        return Counted(words="nobody accountable", count=count, is_bad=True)
    words = str(people.get(who, "former member of staff")) + ("" if accepted else ", not accepted")
    return Counted(words=words, count=count, query=f"accountable={who}", is_bad=not accepted)


def _counted(pairs: Iterable[tuple[str, int]], name: str) -> list[Counted]:
    # names of outcomes and versions are clear strings: safe in an address but for the plus sign
    return [Counted(words=each, count=count, query=f"{name}={each.replace('+', '%2B')}") for each, count in pairs]


def _inside(case: Case, seen: Seen, before: uuid.UUID | None) -> dict[str, Any]:
    acts = acts_seen(case.attachments.all(), seen)
    people = Person.objects.in_bulk({each.row.person_id for each in acts})
    asked = in_words(each.question for each in acts)
    return {
        "notes": with_people(seen.reader, case.notes.all(), "author_id"),
        "attachments": [(each, people.get(each.row.person_id)) for each in acts],
        "asked": {each.row.pk: words for each, words in zip(acts, asked, strict=True)},
        "told": latest(case, before, seen),
    }


def with_people(actor: Actor | None, rows: Iterable[Any], column: str) -> list[tuple[Any, Person | None]]:
    """Rows as somebody may read them, each with whom a column names."""
    found = for_reading(actor, rows)
    people = Person.objects.in_bulk({getattr(each, column) for each in found})
    return [(each, people.get(getattr(each, column))) for each in found]


# --- what may be done -------------------------------------------------------------------------------------------------
def _forms(actor: Actor, case: Case, shown: dict[str, Any], typed: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"edit": forms.EditForm.of(shown["case"])}
    if shown["works"]:
        made |= {
            "note": forms.NoteForm(),
            "finding": forms.FindingForm(case=case),
            "action": forms.ActionForm(people=people_to_act(case)),
            "detach": forms.DetachForm(),
            "report": forms.ReportForm(initial={"reported_at": timezone.localtime()}),
            "notice": forms.NoticeForm(initial={"told_at": timezone.localtime()}),
        }
    if shown["known"] and case.is_open:
        made["sign"] = forms.SignForm(initial={"revision": shown["incident"].revision})
    if shown["may_assign"]:
        made["lead"] = forms.LeadForm(people=people_to_lead(case, actor))
    if shown["may_hold"]:
        made |= {"hold": forms.ReasonForm(), "lift": forms.ReasonForm(), "refuse": forms.MayReasonForm()}
    settling = {
        each.pk: forms.SettleForm(initial={"action_id": each.pk})
        for each, _ in shown["actions"]
        if case.is_open and not each.is_settled and (shown["works"] or each.owner_id == actor.id)
    }
    moves = _moves(actor, case) if may_work(actor, case) else []
    refused = next(iter(typed.items()), (None, None))
    for name in typed.keys() & made.keys():
        show_what_stands(typed[name], made[name].initial)
    return {
        "forms": made | typed,
        "settling": settling,
        "moves": moves,
        "refused": refused[0],
        "refusal_form": refused[1],
    }


def _moves(actor: Actor, case: Case) -> list[Move]:
    initial = {"revision": case.revision}
    return [
        Move(
            to=str(to),
            words=MOVE_WORDS[Case.Status(to)],
            lacks=lacks(case, to),
            form=forms.MoveForm(initial=initial | {"to": to}),
        )
        for to in sorted(MOVES[case.status])
    ]


def people_to_lead(case: Case, actor: Actor) -> list[Person]:
    """Investigators who are not the lead, nor oneself. Whether they had a part in it is asked when one is chosen."""
    held = rights.in_force().filter(place_of(case).covering(), role=Role.INVESTIGATOR)
    others = [each for each in (case.lead_id, actor.id) if each]
    people = Person.objects.filter(pk__in=held.values("person_id")).exclude(pk__in=others)
    return list(people.order_by("name")[:MOST_OFFERED])


def people_to_act(case: Case) -> list[Person]:
    """Those who hold anything in one of its AI systems, or in the organisation."""
    held = rights.in_force().filter(place_of(case).covering())
    return list(Person.objects.filter(pk__in=held.values("person_id")).order_by("name")[:MOST_OFFERED])


def _holds(actor: Actor, case: Case) -> list[dict[str, Any]]:
    """Each with what the viewer may do with it."""
    place = place_of(case)
    return [
        {
            "row": each,
            "by_law": each.is_in_force and is_kept_by_law(each),
            "may_ask": each.status == LegalHold.Status.IN_FORCE
            and rights.can(actor, Act.HOLD_LIFT, place)
            and not is_kept_by_law(each),
            "may_agree": each.status == LegalHold.Status.LIFT_REQUESTED
            and rights.may_approve(actor, Act.HOLD_LIFT, place, requested_by=each.lift_requested_by_id),
            "is_mine": each.status == LegalHold.Status.LIFT_REQUESTED and each.lift_requested_by_id == actor.id,
        }
        for each in for_reading(actor, case.holds.all())
    ]


def clock_of(incident: Incident) -> dict[str, Any]:
    """How much time there is to report."""
    first = incident.reports.filter(stage="initial").first()
    left = incident.due_at - timezone.now()
    tone = "ok" if first else "bad" if left < timedelta(0) else "warn"
    return {"first": first, "is_over": left < timedelta(0), "left": _hours_or_days(abs(left)), "tone": tone}


def incident_of(actor: Actor, incident: Incident) -> dict[str, Any]:
    """All that is known of it, and its deadlines."""
    seen = systems_seen(actor, incident.case)
    models = models_of(incident.case, with_said=False)
    systems = AISystem.objects.in_bulk([each["system_id"] for each in models])
    return {
        "slugs": {str(pk): str(system) for pk, system in systems.items()},
        "texts": texts_of(to_read(actor, incident)),
        "clocks": [_deadline(each) for each in deadlines_of(incident)],
        "extensions": with_people(actor, incident.extensions.all(), "by_id"),
        "reports": with_people(actor, incident.reports.defer("content"), "reported_by_id"),
        "notices": with_people(actor, incident.notices.all(), "told_by_id"),
        "sign_offs": with_people(actor, incident.sign_offs.all(), "person_id"),
        "models": [each for each in models if seen is None or uuid.UUID(each["system_id"]) in seen],
    }


def texts_of(incident: Incident) -> list[tuple[str, str]]:
    """What people wrote in it, each under its label."""
    return [(label, getattr(incident, name)) for name, label in Incident.TEXTS.items()]


def _deadline(found: Deadline) -> dict[str, Any]:
    return {
        "words": found.clock.label,
        "due_at": found.due_at,
        "first_due_at": found.first_due_at,
        "has_moved": found.due_at != found.first_due_at,
        "done_at": found.done_at,
        "is_late": found.is_late,
    }


def _hours_or_days(left: timedelta) -> str:
    """In hours while that is easier to plan by."""
    return f"{left // timedelta(hours=1)} h" if timedelta(hours=1) <= left < timedelta(days=3) else span(left)
