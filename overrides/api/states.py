"""Switches, changes and requests as answers write them."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rest_framework import serializers

from governance.models import AISystem
from overrides.models import ClientInstance, LooseningRequest, Switch
from overrides.services.confirming import Confirmation
from overrides.standing import InFlight, Mode

MODES = [mode.value for mode in Mode]
IN_FLIGHT = [each.value for each in InFlight]


class ScopeOutput(serializers.Serializer[Any]):
    """The node of the scope tree that a switch names; null means all."""

    system = serializers.CharField(allow_null=True)
    environment = serializers.CharField(allow_null=True)
    model_version = serializers.CharField(allow_null=True)
    capability = serializers.CharField(allow_null=True)


class SwitchOutput(serializers.Serializer[Any]):
    """A switch as it stands."""

    id = serializers.UUIDField()
    scope = ScopeOutput()
    mode = serializers.ChoiceField(MODES)
    epoch = serializers.CharField()
    reason_code = serializers.CharField()
    in_flight = serializers.ChoiceField(IN_FLIGHT)
    changed_at = serializers.DateTimeField()
    drill = serializers.UUIDField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    sealed = serializers.BooleanField()


class InstanceOutput(serializers.Serializer[Any]):
    """One running instance of a client and what it last said."""

    instance = serializers.CharField()
    client = serializers.CharField()
    heard_at = serializers.DateTimeField()
    seen_at = serializers.DateTimeField(allow_null=True)
    applied_at = serializers.DateTimeField(allow_null=True)
    applied_mode = serializers.CharField()
    applied_by = serializers.CharField()
    in_flight = serializers.IntegerField(allow_null=True)
    drained_at = serializers.DateTimeField(allow_null=True)


class ChangeOutput(serializers.Serializer[Any]):
    """A change of a switch and how far it is confirmed: so many of so many expected."""

    id = serializers.UUIDField()
    status = serializers.CharField()
    expected = serializers.IntegerField()
    confirmed = serializers.IntegerField()


class ConfirmationOutput(ChangeOutput):
    """A change of a switch, who confirmed it, who saw it, who is silent, and who cannot be asked."""

    switch_id = serializers.UUIDField()
    epoch = serializers.CharField()
    from_mode = serializers.ChoiceField(MODES)
    to_mode = serializers.ChoiceField(MODES)
    requested_at = serializers.DateTimeField()
    confirmed_by = InstanceOutput(many=True)
    seen_by = InstanceOutput(many=True)
    silent = InstanceOutput(many=True)
    ungoverned = serializers.ListField(child=serializers.UUIDField())
    reading = serializers.ListField(
        child=serializers.UUIDField(), help_text="Service accounts that read the controls and acknowledge nothing."
    )


class TightenedOutput(serializers.Serializer[Any]):
    """The switch, and the change that made it so."""

    switch = SwitchOutput()
    epoch = serializers.CharField()
    change = ChangeOutput()
    sealed = serializers.BooleanField()


class LooseningOutput(serializers.Serializer[Any]):
    """A request to set a switch to a less restrictive mode."""

    id = serializers.UUIDField()
    switch_id = serializers.UUIDField()
    epoch = serializers.CharField()
    mode = serializers.ChoiceField(MODES)
    reason_code = serializers.CharField()
    status = serializers.ChoiceField(LooseningRequest.Status.choices)
    requested_by = serializers.UUIDField()
    expires_at = serializers.DateTimeField()


def switch_json(switch: Switch) -> dict[str, Any]:
    """A switch as `SwitchOutput` describes it."""
    (found,) = switches_json([switch])
    return found


def switches_json(switches: Iterable[Switch]) -> list[dict[str, Any]]:
    """Several of them: the names of all their AI systems are asked for at once."""
    rows = list(switches)
    slugs = dict(AISystem.objects.filter(pk__in={each.system_id for each in rows}).values_list("pk", "slug"))
    return [_switch_json(each, slugs[each.system_id] if each.system_id else None) for each in rows]


def _switch_json(switch: Switch, slug: str | None) -> dict[str, Any]:
    return {
        "id": str(switch.pk),
        "scope": {
            "system": slug,
            "environment": switch.environment or None,
            "model_version": switch.model_version or None,
            "capability": switch.capability or None,
        },
        "mode": switch.mode,
        "epoch": str(switch.epoch),
        "reason_code": switch.reason_code,
        "in_flight": switch.in_flight,
        "changed_at": switch.changed_at,
        "drill": switch.drill_id,
        "expires_at": switch.expires_at,
        "sealed": not switch.seal_pending,
    }


def change_json(found: Confirmation) -> dict[str, Any]:
    """A change as `ChangeOutput` describes it."""
    return {
        "id": str(found.change.pk),
        "status": found.status.value,
        "expected": found.expected,
        "confirmed": len(found.applied),
    }


Shown = Callable[[ClientInstance], bool]


def confirmation_json(found: Confirmation, shown: Shown | None = None) -> dict[str, Any]:
    """A change as `ConfirmationOutput` describes it. `shown`: which clients whoever asks may know of; none: all.

    The figures count all of them: a switch of everything concerns everybody, whose clients are not everybody's affair.
    """
    change = found.change

    def listed(instances: Sequence[ClientInstance]) -> list[dict[str, Any]]:
        return [instance_json(each) for each in instances if shown is None or shown(each)]

    return change_json(found) | {
        "switch_id": str(change.switch_id),
        "epoch": str(change.epoch),
        "from_mode": change.from_mode,
        "to_mode": change.to_mode,
        "requested_at": change.requested_at,
        "confirmed_by": listed(found.confirmed),
        "seen_by": listed(found.seen),
        "silent": listed(found.silent),
        "ungoverned": [str(each) for each in found.ungoverned if shown is None or change.switch.system_id],
        "reading": [str(each) for each in found.reading if shown is None or change.switch.system_id],
    }


def instance_json(instance: ClientInstance) -> dict[str, Any]:
    """An instance as `InstanceOutput` describes it."""
    return dict(InstanceOutput(instance).data)


def loosening_json(request: LooseningRequest) -> dict[str, Any]:
    """A request as `LooseningOutput` describes it."""
    return {
        "id": str(request.pk),
        "switch_id": str(request.switch_id),
        "epoch": str(request.epoch),
        "mode": request.mode,
        "reason_code": request.reason_code,
        "status": request.status,
        "requested_by": str(request.requested_by_id),
        "expires_at": request.expires_at,
    }
