"""Switches and clients, as the product makes them."""

from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from governance.acts import Role
from governance.api.authentication import authenticate_key
from governance.models import AISystem, Person, ServiceKey
from governance.register import KeyGrant
from governance.scopes import ORGANISATION, Scope
from governance.usage import POSTED, READ_CONTROL, note_act, write_uses
from ledger.entries import COMMAND, Actor
from overrides.models import LooseningRequest, SwitchChange
from overrides.services.acknowledging import Ack, record_acks
from overrides.services.loosening import approve_loosening, request_loosening
from overrides.services.switches import Tightened, tighten
from overrides.standing import Epoch, Mode, Node
from tests.factories.register import actor_of, give_role, make_key, make_person


def operator_of(system: AISystem | None = None, role: Any = Role.OPERATOR) -> Person:
    person = make_person()
    give_role(person, role, Scope.system(system.pk) if system else ORGANISATION)
    return person


def approver_of() -> Person:
    return operator_of(None, Role.APPROVER)


def stop(system: AISystem | None, *, actor: Actor = COMMAND, mode: Mode = Mode.STOP, **rest: Any) -> Tightened:
    node = {name: rest.pop(name) for name in ("environment", "model_version", "capability") if name in rest}
    where = Node(system_id=system.pk if system else None, **node)
    return tighten(actor=actor, node=where, mode=mode, **{"reason_code": "harm-reported", "source": "test"} | rest)


def ask_for(done: Tightened, person: Person, mode: Mode = Mode.RUN, **rest: Any) -> LooseningRequest:
    return request_loosening(
        actor=actor_of(person),
        switch_id=done.switch.pk,
        epoch=done.switch.epoch,
        mode=mode,
        **{"reason_code": "cause-removed", "evidence_url": "https://example.org/incident/4"} | rest,
    )


def clear(done: Tightened, system: AISystem | None = None, mode: Mode = Mode.RUN) -> SwitchChange:
    """By two new people."""
    asked = ask_for(done, operator_of(system), mode)
    return approve_loosening(actor=actor_of(approver_of()), request_id=asked.pk)


def reading(*systems: AISystem, scopes: Sequence[str] = ("control:read",), **rest: Any) -> KeyGrant:
    """A client's key, signed in."""
    return authenticate_key(f"Bearer {make_key(*systems, scopes=scopes, **rest).text}")


def decided(key: ServiceKey, *, reads: bool = False) -> None:
    """A key has sent decisions just now, and perhaps read the controls."""
    for act in (POSTED, READ_CONTROL) if reads else (POSTED,):
        note_act(key.pk, act, timezone.now())
    write_uses()


def ack(grant: KeyGrant, system: AISystem, epoch: Epoch | None, mode: Mode | None = Mode.RUN, **rest: Any) -> Epoch:
    given = {"instance": "host-1", "client": "test/1", "applied_by": "server", "has_applied": mode is not None}
    said = Ack(system_id=system.pk, epoch=epoch, applied_mode=mode, **given | rest)  # type: ignore[arg-type]
    return record_acks(grant=grant, acks=[said])
