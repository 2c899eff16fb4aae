"""Webhook endpoints: registered, changed, disabled, enabled; their secrets. Each act is sealed."""

import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from config.errors import FieldProblem, Forbidden, InvalidInput
from governance import rights
from governance.acts import Act
from governance.credentials import secret_digest
from governance.errors import SystemNotFound
from governance.models import AISystem, Person
from governance.scopes import ORGANISATION, Scope
from ledger.entries import Actor, timestamp
from ledger.kinds import Kind
from ledger.rows import write_row
from ledger.sealing import Seal, sealing
from ledger.selectors import open_log, registry_log
from notices.errors import EndpointDisabled, EndpointNotFound
from notices.event_types import means_nothing
from notices.kinds import (
    WEBHOOK_DISABLED,
    WEBHOOK_ENABLED,
    WEBHOOK_REGISTERED,
    WEBHOOK_SECRET_ROTATED,
    WEBHOOK_UPDATED,
)
from notices.models import Delivery, EndpointSecret, WebhookEndpoint
from notices.webhooks import addresses, signing

OVERLAP = timedelta(days=1)
LONGEST_OVERLAP = timedelta(days=7)
MOST_TYPES = 50
LONGEST_TYPE = 60
EVENT_TYPE = re.compile(r"\*|[a-z_]+(\.[a-z_]+)*(\.\*|\.[a-z_]+)")
EDITABLE = ("name", "url", "system_ids", "event_types", "format")
Status, Why = WebhookEndpoint.Status, WebhookEndpoint.Why


@dataclass(frozen=True, slots=True)
class NewSecret:
    """An endpoint, and the text of its newest secret, which is shown this one time."""

    row: WebhookEndpoint
    text: str


def register_endpoint(
    *,
    actor: Actor,
    name: str,
    url: str,
    event_types: Iterable[str],
    systems: Sequence[AISystem] = (),
    format: str = WebhookEndpoint.Format.STANDARD,  # noqa: A002 - the column's name
    owner: Person | None = None,
) -> NewSecret:
    """Register an address that is told of events. The owner is whoever registers it, unless another is named.

    `event_types`: `switch.stopped`, `switch.*` or `*`. Without `systems` it is told of all that its owner may see, and
    registering it needs the right for the whole organisation. Errors: `Forbidden`, `InvalidInput`, `SystemNotFound`.
    """
    endpoint = WebhookEndpoint(
        name=name.strip(),
        url=url.strip(),
        owner_id=owner.pk if owner else _person(actor),
        system_ids=_existing([system.pk for system in systems]),
        event_types=list(dict.fromkeys(event_types)),
        format=format,
    )
    _require(actor, endpoint)
    _check(endpoint)
    secret = signing.new_secret()
    kept = signing.sealed(secret, endpoint.pk)
    with sealing() as seal:
        _write(seal, actor, WEBHOOK_REGISTERED, endpoint, {"secret": secret_digest(kept)})
        EndpointSecret.objects.create(endpoint=endpoint, secret=kept)
    return NewSecret(endpoint, signing.as_text(secret))


def update_endpoint(*, actor: Actor, endpoint_id: uuid.UUID, changes: Mapping[str, Any]) -> WebhookEndpoint:
    """Change the columns of `EDITABLE` that are named. What is under way goes to the new address.

    Errors: `Forbidden`, `EndpointNotFound`, `InvalidInput`, `SystemNotFound`.
    """
    with sealing() as seal:
        endpoint = _locked(actor, endpoint_id)
        for name in EDITABLE:
            if name in changes:
                setattr(endpoint, name, changes[name])
        endpoint.system_ids = _existing(endpoint.system_ids)
        _require(actor, endpoint)  # also for what it reaches from now on
        _check(endpoint)
        _write(seal, actor, WEBHOOK_UPDATED, endpoint)
    return endpoint


def disable_endpoint(*, actor: Actor, endpoint_id: uuid.UUID, reason: str = "") -> WebhookEndpoint:
    """Send nothing more to it. What waits is dropped. A disabled one stays as it is.

    Errors: `Forbidden`, `EndpointNotFound`.
    """
    with sealing() as seal:
        endpoint = _locked(actor, endpoint_id)
        if endpoint.status == Status.ENABLED:
            switch_off(seal, actor=actor, endpoint=endpoint, why=Why.BY_A_PERSON, reason=reason)
    return endpoint


def switch_off(
    seal: Seal, *, actor: Actor, endpoint: WebhookEndpoint, why: WebhookEndpoint.Why, reason: str = ""
) -> None:
    """Inside a sealing, on a locked endpoint: no deliveries from here on, and none of those that wait."""
    endpoint.status, endpoint.disabled_why, endpoint.disabled_at = Status.DISABLED, why, timezone.now()
    _write(seal, actor, WEBHOOK_DISABLED, endpoint, {"why": str(why)}, reason)
    waiting = Delivery.objects.filter(endpoint=endpoint, status=Delivery.Status.WAITING)
    waiting.update(status=Delivery.Status.DROPPED, ended_at=timezone.now(), lease=None, leased_until=None)


def enable_endpoint(*, actor: Actor, endpoint_id: uuid.UUID) -> WebhookEndpoint:
    """Tell it of events again, from now on; what was dropped may be sent again one by one.

    Errors: `Forbidden`, `EndpointNotFound`, `InvalidInput` where its address is not allowed any more.
    """
    with sealing() as seal:
        endpoint = _locked(actor, endpoint_id)
        if endpoint.status == Status.DISABLED:
            _check(endpoint)
            endpoint.status, endpoint.disabled_why, endpoint.disabled_at = Status.ENABLED, "", None
            _write(seal, actor, WEBHOOK_ENABLED, endpoint)
    return endpoint


def rotate_secret(*, actor: Actor, endpoint_id: uuid.UUID, overlap: timedelta = OVERLAP) -> NewSecret:
    """Make a new secret. For `overlap` (at most 7 days) deliveries bear a signature by each, then by the new one alone.

    Errors: `Forbidden`, `EndpointNotFound`, `InvalidInput`.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise InvalidInput(errors=[FieldProblem(pointer="/overlap", detail="Between 0 and 7 days.")])
    secret, now = signing.new_secret(), timezone.now()
    kept = signing.sealed(secret, endpoint_id)
    with sealing() as seal:
        endpoint = _locked(actor, endpoint_id)
        facts = {"secret": secret_digest(kept), "overlap_until": timestamp(now + overlap)}
        _write(seal, actor, WEBHOOK_SECRET_ROTATED, endpoint, facts)
        secrets = EndpointSecret.objects.filter(endpoint=endpoint)
        secrets.filter(expires_at__lte=now).delete()
        secrets.filter(expires_at=None).update(expires_at=now + overlap)
        EndpointSecret.objects.create(endpoint=endpoint, secret=kept)
    return NewSecret(endpoint, signing.as_text(secret))


def managed(actor: Actor, endpoint_id: uuid.UUID) -> WebhookEndpoint:
    """An endpoint that is enabled, for somebody who may manage it.

    Errors: `Forbidden`, `EndpointNotFound`, `EndpointDisabled`.
    """
    endpoint = WebhookEndpoint.objects.filter(pk=endpoint_id).first()
    _require(actor, endpoint)
    if endpoint is None:
        raise EndpointNotFound()
    if endpoint.status != Status.ENABLED:
        raise EndpointDisabled()
    return endpoint


def may_manage(who: Actor | Person, endpoint: WebhookEndpoint | None) -> bool:
    """Whether somebody may change it: in each of its AI systems; where it names none, in the organisation."""
    scopes = [Scope.system(each) for each in endpoint.system_ids] if endpoint else []
    return all(rights.can(who, Act.WEBHOOK_MANAGE, scope) for scope in scopes or [ORGANISATION])


def _person(actor: Actor) -> uuid.UUID:
    if actor.type != "person" or actor.id is None:
        raise Forbidden()  # a person answers for what leaves the house
    return actor.id


def _require(actor: Actor, endpoint: WebhookEndpoint | None) -> None:
    if not may_manage(actor, endpoint):
        raise Forbidden()


def _locked(actor: Actor, endpoint_id: uuid.UUID) -> WebhookEndpoint:
    endpoint = WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk=endpoint_id).first()
    _require(actor, endpoint)
    if endpoint is None:
        raise EndpointNotFound()
    return endpoint


def _existing(system_ids: Iterable[uuid.UUID]) -> list[uuid.UUID]:
    wanted = set(system_ids)
    if AISystem.objects.filter(pk__in=wanted).count() != len(wanted):
        raise SystemNotFound()
    return sorted(wanted)


def _check(endpoint: WebhookEndpoint) -> None:
    problems = [*_name_problems(endpoint), *_url_problems(endpoint), *_type_problems(endpoint)]
    if endpoint.format not in WebhookEndpoint.Format.values:
        known = ", ".join(WebhookEndpoint.Format.values)
        problems.append(FieldProblem(pointer="/format", detail="This format is not known.", expected=known))
    if problems:
        raise InvalidInput(errors=problems)


def _name_problems(endpoint: WebhookEndpoint) -> Iterable[FieldProblem]:
    if not 1 <= len(endpoint.name) <= 100:
        yield FieldProblem(pointer="/name", detail="Say in 1 to 100 characters what it is.")


def _url_problems(endpoint: WebhookEndpoint) -> Iterable[FieldProblem]:
    try:
        addresses.parse(endpoint.url)
    except addresses.AddressRefused as refusal:
        yield FieldProblem(pointer="/url", detail=str(refusal))


def _type_problems(endpoint: WebhookEndpoint) -> Iterable[FieldProblem]:
    given = endpoint.event_types
    if not 1 <= len(given) <= MOST_TYPES:
        yield FieldProblem(pointer="/event_types", detail=f"Name 1 to {MOST_TYPES} of them.", expected="switch.*")
        return
    if not all(EVENT_TYPE.fullmatch(each) and len(each) <= LONGEST_TYPE for each in given):
        detail = "Each is a dotted name, a dotted beginning with .* at its end, or * alone."
        yield FieldProblem(pointer="/event_types", detail=detail, expected="switch.stopped, switch.*, *")
    elif unknown := [each for each in given if means_nothing(each)]:
        detail = f"No event is of this type: {', '.join(unknown)}. GET /api/v1/webhooks/event-types lists them all."
        yield FieldProblem(pointer="/event_types", detail=detail)


def _write(
    seal: Seal,
    actor: Actor,
    kind: Kind,
    endpoint: WebhookEndpoint,
    facts: dict[str, Any] | None = None,
    reason: str = "",
) -> None:
    """One for a single AI system is that system's affair; one for several, or all, is the organisation's."""
    only = endpoint.system_ids[0] if len(endpoint.system_ids) == 1 else None
    log_id = open_log(only).id if only else registry_log().id
    said = {"owner": str(endpoint.owner_id), "systems": [str(each) for each in endpoint.system_ids]}
    write_row(
        seal, actor=actor, kind=kind, row=endpoint, log_id=log_id, facts=said | (facts or {}), reason=reason.strip()
    )
