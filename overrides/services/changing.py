"""What every change of a switch has in common: its row, its entry, its change, its announcement."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import structlog
from django.db import transaction
from django.utils import timezone

from config.errors import FieldProblem, InvalidInput
from config.ids import new_id
from governance.errors import SystemNotFound
from governance.models import AISystem, Environment, ModelVersion
from governance.scopes import ORGANISATION, Scope
from governance.scopes import Kind as ScopeKind
from ledger.entries import Actor, type_names
from ledger.kinds import Kind
from ledger.rows import write_row
from ledger.sealing import Seal
from ledger.selectors import open_log, registry_log
from notices.outbox import announce
from overrides import known_here
from overrides.change_digests import change_digest
from overrides.errors import FallbackMissing
from overrides.kinds import SWITCH_LAPSED, SWITCH_REINSTATED, SWITCH_STOPPED, SWITCH_TIGHTENED
from overrides.models import Switch, SwitchChange
from overrides.services.expecting import expected_of
from overrides.standing import BEGINNING, Epoch, InFlight, Mode, Node

log = structlog.get_logger(__name__)

LAPSE, RECOVERY = "lapse", "recovery"
"""Ways by which a switch is set without anybody's doing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a change makes a switch say."""

    mode: Mode
    reason_code: str
    in_flight: InFlight
    note: str = ""
    drill_id: uuid.UUID | None = None
    expires_at: datetime | None = None


def scope_of(node: Node) -> Scope:
    """Where a right to change this switch is looked for. An environment makes nothing narrower."""
    if node.system_id is None:
        return ORGANISATION
    version_id = None
    if node.model_version:
        found = AISystem.objects.filter(pk=node.system_id, model_versions__version=node.model_version)
        version_id = found.values_list("model_versions__id", flat=True).first()
    return Scope(
        kind=ScopeKind.SYSTEM, system_id=node.system_id, model_version_id=version_id, capability=node.capability
    )


def require_alternative(node: Node, mode: Mode) -> None:
    """Errors: `FallbackMissing` where there is nothing to fall back to in some AI system that the switch covers."""
    if mode is not Mode.FALLBACK:
        return
    covered = AISystem.objects.exclude(status=AISystem.Status.RETIRED)
    if node.system_id is not None:
        covered = covered.filter(pk=node.system_id)
    lacks = covered.filter(fallback="")
    is_itself = covered.filter(fallback_kind="model_version", fallback=node.model_version)
    if lacks.exists() or (node.model_version and is_itself.exists()):
        raise FallbackMissing(
            errors=[FieldProblem(pointer="/mode", detail="No alternative is declared.", expected="review or stop")]
        )


def require_place(node: Node) -> None:
    """A switch for a name that does not exist would stop nothing. Errors: `SystemNotFound`, `InvalidInput`."""
    environments, versions, who = Environment.objects.all(), ModelVersion.objects.all(), "No AI system has"
    if node.system_id is not None:
        if not AISystem.objects.filter(pk=node.system_id).exists():
            raise SystemNotFound()
        environments, versions = environments.filter(system=node.system_id), versions.filter(system=node.system_id)
        who = "The AI system does not have"
    problems = []
    if node.environment and not environments.filter(slug=node.environment).exists():
        problems.append(FieldProblem(pointer="/environment", detail=f"{who} this environment."))
    if node.model_version and not versions.filter(version=node.model_version).exists():
        problems.append(FieldProblem(pointer="/model_version", detail=f"{who} this model version."))
    if problems:
        raise InvalidInput(errors=problems)


def switch_at(node: Node) -> Switch | None:
    """The switch of a node, locked, where there is one. To be called after the epoch was advanced."""
    found = Switch.objects.select_for_update(no_key=True).filter(
        system_id=node.system_id,
        environment=node.environment,
        model_version=node.model_version,
        capability=node.capability,
    )
    return found.first()


def new_switch(node: Node) -> Switch:
    """A switch that says run, not stored yet."""
    return Switch(
        system_id=node.system_id,
        environment=node.environment,
        model_version=node.model_version,
        capability=node.capability,
        mode=Mode.RUN,
    )


def put(
    seal: Seal | None,
    *,
    actor: Actor,
    kind: Kind,
    switch: Switch,
    setting: Setting,
    epoch: Epoch,
    source: str,
    facts: dict[str, Any] | None = None,
) -> SwitchChange:
    """Inside a service that advanced the epoch: make a switch say something. Without a seal it stands unsealed."""
    if seal is not None:
        seal_late(seal, switch)
    before, now = Mode(switch.mode), timezone.now()
    _set(switch, actor, setting, epoch, source, now)
    change = _change(switch, before, actor)
    if seal is None:
        _store_unsealed(switch)
    else:
        switch.seal_pending = False
        said = {"from": before.value} | _digests([change]) | (facts or {})
        write(seal, actor=actor, kind=kind, switch=switch, facts=said, at=now)
    change.save(force_insert=True)
    # whoever listens for stops hears of every one, by whichever way it came
    event = SWITCH_STOPPED.name if setting.mode is Mode.STOP else kind.name
    announce(event=event, system_id=switch.system_id, about_id=switch.pk, facts=said_of(switch))
    transaction.on_commit(known_here.remember_control, robust=True)
    return change


def _set(switch: Switch, actor: Actor, setting: Setting, epoch: Epoch, source: str, now: datetime) -> None:
    switch.mode, switch.reason_code, switch.in_flight = setting.mode, setting.reason_code, setting.in_flight
    switch.note, switch.drill_id, switch.expires_at = setting.note, setting.drill_id, setting.expires_at
    switch.generation, switch.number = epoch
    switch.changed_at, switch.changed_by_type, switch.changed_by_id = now, actor.type, actor.id
    switch.source = source


def _store_unsealed(switch: Switch) -> None:
    """No change without a trail, but for this one: the sweep writes the trail."""
    switch.full_clean(exclude={"seal_pending"})
    switch.seal_pending = True
    if switch._state.adding:
        Switch.objects.bulk_create([switch])
        return
    names = (field.attname for field in Switch._meta.fields if field.attname not in ("id", "revision", "created_at"))
    Switch.objects.filter(pk=switch.pk).update(**{name: getattr(switch, name) for name in names})


def seal_late(seal: Seal, switch: Switch) -> bool:
    """Seal what a switch was set to while its log took no entry. Whoever did it is the entry's actor.

    Nothing but a tightening is ever set unsealed: a row that says less than its last entry was altered by somebody
    else. It gets no entry, so that verification finds it.
    """
    if not switch.seal_pending:
        return False
    sealed = Switch.history.filter(id=switch.pk).order_by("-revision").first()
    if sealed is not None and Mode(switch.mode).severity < Mode(sealed.mode).severity:
        log.error("control.switch_altered", switch_id=str(switch.pk), says=switch.mode, sealed=sealed.mode)
        return False
    switch.seal_pending = False
    since = Epoch(sealed.generation, sealed.number) if sealed is not None else BEGINNING
    unsealed = [each for each in switch.changes.order_by("generation", "number") if each.epoch > since]
    actor = Actor(cast(type_names, switch.changed_by_type), switch.changed_by_id)
    kind = kind_of(Mode(switch.mode), switch.source)
    write(seal, actor=actor, kind=kind, switch=switch, facts={"late": True} | _digests(unsealed))
    return True


def _digests(changes: Sequence[SwitchChange]) -> dict[str, Any]:
    """What an entry says of the rows that say who is to confirm it: of each tightening that it seals late, too."""
    return {"changes": [{"id": str(each.pk), "digest": change_digest(each)} for each in changes]}


def kind_of(mode: Mode, source: str) -> Kind:
    """What the entry of a tightening is called, sealed at once or late."""
    by_itself = {LAPSE: SWITCH_LAPSED, RECOVERY: SWITCH_REINSTATED}.get(source)
    return by_itself or (SWITCH_STOPPED if mode is Mode.STOP else SWITCH_TIGHTENED)


def write(
    seal: Seal,
    *,
    actor: Actor,
    kind: Kind,
    switch: Switch,
    facts: dict[str, Any],
    at: datetime | None = None,
) -> None:
    """The switch's row with its entry."""
    write_row(
        seal,
        actor=actor,
        kind=kind,
        row=switch,
        log_id=log_of(switch.system_id),
        facts=said_of(switch) | facts,
        reason=switch.note,
        at=at,
    )


def said_of(switch: Switch) -> dict[str, Any]:
    """What entries and webhooks say of a switch in clear."""
    named = {
        "system": switch.system_id and str(switch.system_id),
        "environment": switch.environment,
        "model_version": switch.model_version,
        "capability": switch.capability,
        "drill": switch.drill_id and str(switch.drill_id),
    }
    return {name: value for name, value in named.items() if value} | {
        "mode": str(switch.mode),
        "epoch": str(switch.epoch),
        "reason_code": switch.reason_code,
        "in_flight": str(switch.in_flight),
    }


def log_of(system_id: uuid.UUID | None) -> uuid.UUID:
    """Global switches are the organisation's affair. Errors: `LogNotFound`."""
    return registry_log().id if system_id is None else open_log(system_id).id


def _change(switch: Switch, before: Mode, actor: Actor) -> SwitchChange:
    return SwitchChange(
        id=new_id(),
        switch=switch,
        from_mode=before,
        to_mode=switch.mode,
        reason_code=switch.reason_code,
        in_flight=switch.in_flight,
        generation=switch.generation,
        number=switch.number,
        actor_type=actor.type,
        actor_id=actor.id,
        source=switch.source,
        drill_id=switch.drill_id,
        requested_at=switch.changed_at,
        expected=expected_of(switch.node, switch.changed_at),
    )
