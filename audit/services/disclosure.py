"""Showing payloads. Who watches is watched: being shown a part appends an entry, before it is shown."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache, partial

import msgspec
from django.utils import timezone

from audit.case_access import OWN, open_cases_with, own_cases_with
from audit.errors import DecisionNotFound, PartNotSent, PayloadErased, PayloadRestricted
from audit.kinds import PAYLOAD_VIEWED
from audit.models import Payload
from audit.payload_grants import DATED, is_granted
from audit.reach import Reach
from audit.restrictions import is_barred
from audit.selectors import PARTS, SealedDecision, decisions_by_ids
from config.errors import Forbidden
from config.ids import id_at
from governance import rights
from governance.acts import Act, Condition
from governance.models import Assignment
from governance.scopes import Scope
from ledger.commitments import part_key
from ledger.entries import Actor, draft_entry
from ledger.models import Entry
from ledger.sealing import sealing
from ledger.selectors import open_log

ONE_VIEW = timedelta(minutes=1)
"""Being shown the same part again within this time is the same view: reloading a page is not a second look."""


@dataclass(frozen=True, slots=True)
class DisclosedPart:
    """A part byte for byte as it was sent, and the key that opens its commitment and no other."""

    name: str
    data: bytes
    key: bytes


def scope_of(decision: SealedDecision) -> Scope:
    """The narrowest place a decision belongs to, so that rights to a capability or a model version count too."""
    version = decision.body.model_version_id
    return Scope(
        kind=Assignment.Scope.SYSTEM,
        system_id=decision.system_id,
        model_version_id=uuid.UUID(version) if version else None,
        capability=decision.body.capability or "",
    )


def may_see(actor: Actor, decision: SealedDecision) -> bool:
    """Whether somebody may know of a decision: by their role, or since it is in an open case of theirs."""
    return may_about(actor, Act.DECISION_VIEW, decision)


def visible_among(actor: Actor, reach: Reach, ids: Collection[uuid.UUID]) -> list[SealedDecision]:
    """These decisions, in their order: all, or none. However many they are, the same few queries for each place.

    Errors: `DecisionNotFound` where one is not there or may not be known of.
    """
    found = decisions_by_ids(ids)
    if len(found) < len(set(ids)) or not reach.hidden.isdisjoint(found):
        raise DecisionNotFound()
    beyond = [each for each in found.values() if not reach.covers(each.system_id, each.body.environment)]
    cases = open_cases_with(actor, [each.id for each in beyond]) if beyond else {}
    can = lru_cache(maxsize=None)(partial(rights.can, actor, Act.DECISION_VIEW))
    for each in beyond:
        scope = scope_of(each)
        if not can(scope) and not any(can(replace(scope, case_id=key), given=OWN) for key in cases.get(each.id, ())):
            raise DecisionNotFound()
    return [found[each] for each in dict.fromkeys(ids)]


def may_read_payload(actor: Actor, decision: SealedDecision, given: frozenset[Condition] = frozenset()) -> bool:
    """Whether this person or account may be shown the payload. `given`: what floors above found, such as a claim.

    What is restricted, a data protection officer alone.
    """
    return might_read_payload(actor, decision, given) and not is_barred(actor, decision.id)


def might_read_payload(actor: Actor, decision: SealedDecision, given: frozenset[Condition] = frozenset()) -> bool:
    """The same, but for what is restricted: whoever might is told that it is."""
    if is_granted(actor, decision.system_id, decision.recorded_at):
        given |= DATED
    return may_about(actor, Act.PAYLOAD_READ, decision, given)


def may_about(actor: Actor, act: Act, decision: SealedDecision, given: frozenset[Condition] = frozenset()) -> bool:
    """Whether somebody may do this with a decision: by a role there, or since it is in an open case of theirs."""
    scope = scope_of(decision)
    if rights.can(actor, act, scope, given=given):
        return True
    cases = own_cases_with(actor, decision.id)
    return any(rights.can(actor, act, replace(scope, case_id=case_id), given=given | OWN) for case_id in cases)


def view_payload(
    *,
    actor: Actor,
    decision: SealedDecision,
    parts: Sequence[str] = PARTS,
    given: frozenset[Condition] = frozenset(),
) -> list[DisclosedPart]:
    """The parts of a decision's payload that were sent, each with its part key; `payload.viewed` is sealed first.

    Errors: `Forbidden`; `PayloadRestricted`; `PayloadErased`; `PartNotSent` where none of `parts` was sent; what
    sealing raises.
    """
    if not might_read_payload(actor, decision, given):
        raise Forbidden()
    if is_barred(actor, decision.id):
        raise PayloadRestricted()
    found = _disclosed(decision.id, parts)
    note_view(actor=actor, decision=decision, parts=[part.name for part in found])
    return found


def note_view(*, actor: Actor, decision: SealedDecision, parts: Sequence[str]) -> None:
    """Seal `payload.viewed`, before parts that belong to the payload are shown. Errors: what sealing raises."""
    if _seen_lately(actor, decision.id, parts):
        return
    body = {"parts": list(parts)}
    draft = draft_entry(kind=PAYLOAD_VIEWED, actor=actor, at=timezone.now(), body=body, about_id=decision.id)
    with sealing() as seal:
        seal.add(open_log(decision.system_id).id, draft)


def _disclosed(decision_id: uuid.UUID, parts: Sequence[str]) -> list[DisclosedPart]:
    payload = Payload.objects.filter(id=decision_id).first()
    if payload is None or payload.secret is None:
        raise PayloadErased()
    secret = bytes(payload.secret)
    present = {name: getattr(payload, name) for name in parts}
    found = [
        DisclosedPart(name, bytes(data), part_key(secret, name)) for name, data in present.items() if data is not None
    ]
    if not found:
        raise PartNotSent()
    return found


def _seen_lately(actor: Actor, decision_id: uuid.UUID, names: Sequence[str]) -> bool:
    """Whether the last minute's views by the same one cover these parts. Two at once may both be sealed: no harm."""
    since = id_at(timezone.now() - ONE_VIEW)
    views = Entry.objects.filter(about_id=decision_id, kind=PAYLOAD_VIEWED.name, id__gte=since)
    said = [msgspec.json.decode(bytes(data)) for data in views.values_list("data", flat=True)]
    seen = [set(view["body"]["parts"]) for view in said if view["actor"] == actor.as_json()]
    return any(set(names) <= parts for parts in seen)
