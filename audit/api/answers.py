"""How decisions are told to programs: the entry's values, with slugs where the entry has ids."""

from collections.abc import Sequence
from typing import Any

import msgspec
from rest_framework import serializers

from audit.expiry import Fate, expiry_of
from audit.restrictions import is_restricted
from audit.selectors import PARTS, DecisionPage, SealedDecision, payload_sizes
from governance.register import Register
from ledger.entries import Actor
from ledger.selectors import origins_of


class HolderOutput(serializers.Serializer[Any]):
    person = serializers.UUIDField()
    assignment = serializers.UUIDField()
    accepted = serializers.BooleanField(help_text="False while the person had only been asked.")


class DirectiveOutput(serializers.Serializer[Any]):
    action = serializers.ChoiceField(choices=["proceed", "hold", "fallback", "stop"])
    mode = serializers.CharField()
    epoch = serializers.CharField()
    reason_code = serializers.CharField(allow_null=True)


class PlaceOutput(serializers.Serializer[Any]):
    log = serializers.CharField(help_text="The log's origin, as in the receipt.")
    leaf_index = serializers.IntegerField()
    leaf_hash = serializers.CharField(help_text="64 hex digits.")


class DecisionOutput(serializers.Serializer[Any]):
    """What the decision's entry says. Absent values are null."""

    id = serializers.UUIDField()
    recorded_at = serializers.DateTimeField(help_text="Our clock: lists are in this order.")
    occurred_at = serializers.DateTimeField(help_text="The caller's clock.")
    system = serializers.SlugField(allow_null=True)
    system_id = serializers.UUIDField()
    service_account_id = serializers.UUIDField(allow_null=True)
    environment = serializers.SlugField()
    model_version = serializers.CharField()
    model_version_id = serializers.UUIDField(allow_null=True)
    card = serializers.IntegerField(
        allow_null=True, help_text="The number of the system card that was in force when it was recorded."
    )
    capability = serializers.CharField(allow_null=True)
    outcome = serializers.CharField()
    error_type = serializers.CharField(allow_null=True)
    confidence = serializers.FloatField(allow_null=True)
    score = serializers.FloatField(allow_null=True)
    threshold = serializers.FloatField(allow_null=True)
    ai_role = serializers.CharField()
    adverse = serializers.BooleanField(allow_null=True)
    phase = serializers.CharField()
    config_digest = serializers.CharField(allow_null=True)
    model_digest = serializers.CharField(allow_null=True)
    prompt_version = serializers.CharField(allow_null=True)
    control_epoch = serializers.CharField(allow_null=True)
    parent_id = serializers.UUIDField(allow_null=True)
    source_id = serializers.UUIDField(allow_null=True)
    source_seq = serializers.IntegerField(allow_null=True)
    latency_ms = serializers.FloatField(allow_null=True)
    review_id = serializers.UUIDField(allow_null=True)
    accountable = HolderOutput(allow_null=True, help_text="Who answered for it when it was recorded.")
    occurred_accountable = HolderOutput(
        allow_null=True, help_text="And when it occurred, where that was somebody else."
    )
    directive = DirectiveOutput()
    flags = serializers.ListField(child=serializers.CharField())
    commitments = serializers.DictField(child=serializers.CharField(), help_text="By part, 64 hex digits each.")
    sealed = PlaceOutput()


class PartOutput(serializers.Serializer[Any]):
    bytes = serializers.IntegerField()
    path = serializers.CharField()


class RetentionOutput(serializers.Serializer[Any]):
    """When a decision's payload goes by itself, and by which class; what keeps it; or by what it went."""

    fate = serializers.ChoiceField(
        choices=[each.value for each in Fate],
        help_text="`endless`: nothing takes it by itself; `running`: until about `ends_at`; `announced`: the purge of "
        "`purge_runs_at` takes it; `due`: its time is over, the next purge takes it; `kept_back`: its time is over, "
        "and a legal hold covers it or it is in an open review, appeal or case; `held`: a legal hold you may know of "
        "covers it (never told to keys); `restricted`: its erasure was agreed to, and not before `floor_ends_at` it is "
        "erased; `gone`: `gone_at`, by a purge or an erasure.",
    )
    class_id = serializers.UUIDField(allow_null=True, help_text="The class of retention; null where the default holds.")
    class_name = serializers.CharField(help_text="Empty where there is no class, and where its words were erased.")
    floor_days = serializers.IntegerField(allow_null=True, help_text="Days after `recorded_at`; null once it is gone.")
    floor_source = serializers.CharField(help_text="The law that asks for the floor.")
    floor_ends_at = serializers.DateTimeField(allow_null=True, help_text="Before this nothing is erased.")
    ceiling_days = serializers.IntegerField(allow_null=True, help_text="Null: nothing goes by itself.")
    purpose = serializers.CharField(help_text="What it is kept for until the ceiling.")
    ends_at = serializers.DateTimeField(allow_null=True, help_text="The ceiling: a purge takes it around then.")
    purge_id = serializers.UUIDField(allow_null=True, help_text="The purge that takes it, or took it.")
    purge_runs_at = serializers.DateTimeField(allow_null=True)
    gone_at = serializers.DateTimeField(allow_null=True)
    gone_by = serializers.ChoiceField(choices=["purge", "erasure", ""], help_text="Empty while it is there.")


class DecisionDetail(DecisionOutput):
    """One decision, with the parts of its payload that can be asked for; null once erased."""

    payload = serializers.DictField(child=PartOutput(), allow_null=True)
    is_restricted = serializers.BooleanField(
        help_text="It is about to be erased: until then a data protection officer alone reads its payload."
    )
    retention = RetentionOutput()


class DecisionPageOutput(serializers.Serializer[Any]):
    items = DecisionOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True, help_text="To older decisions; null at the end.")
    previous_cursor = serializers.CharField(allow_null=True, help_text="To newer decisions.")
    searched_to = serializers.DateTimeField(
        allow_null=True, help_text="Where the search paused; go on with the cursor. Null where the page is complete."
    )


class SearchProgress(serializers.Serializer[Any]):
    """What a search looked into so far, over all its pages."""

    id = serializers.UUIDField(help_text="To give it up by, while it runs.")
    since = serializers.DateTimeField(allow_null=True)
    until = serializers.DateTimeField(allow_null=True)
    hits = serializers.IntegerField()
    scanned = serializers.IntegerField(allow_null=True, help_text="Payloads; null where an index found them.")
    barred = serializers.IntegerField(help_text="Of these, those whose payload you may not read.")
    erased = serializers.IntegerField(help_text="Of these, those whose payload was erased since.")
    searched_to = serializers.DateTimeField(allow_null=True)
    is_over = serializers.BooleanField(help_text="There is no more to look at, or it was given up.")


class SearchPageOutput(DecisionPageOutput):
    """A page of a search."""

    search = SearchProgress()


def described(decision: SealedDecision, register: Register, actor: Actor) -> dict[str, Any]:
    """One decision as JSON values, with what there is of its payload, and until when, as far as somebody may know."""
    (told,) = told_of([decision], register)
    payload, restricted = _payload(decision), is_restricted(decision.id)
    expiry = expiry_of(actor, decision, is_gone=payload is None, is_restricted=restricted)
    retention = RetentionOutput(expiry).data
    return told | {"payload": payload, "is_restricted": restricted, "retention": retention}


def told_of(decisions: Sequence[SealedDecision], register: Register) -> list[dict[str, Any]]:
    """Decisions as JSON values, in the same order. One query."""
    origins = origins_of(decision.log_id for decision in decisions)
    return [_values(decision, register, origins[decision.log_id]) for decision in decisions]


def _values(decision: SealedDecision, register: Register, origin: str) -> dict[str, Any]:
    system = register.systems_by_id.get(decision.system_id)
    said: dict[str, Any] = msgspec.to_builtins(decision.body)
    del said["system"], said["account"]  # told below, under the names that lists and filters use
    return {
        "id": decision.id,
        "recorded_at": decision.recorded_at,
        **said,
        "occurred_at": decision.occurred_at,
        "system": system.slug if system else None,
        "system_id": decision.system_id,
        "service_account_id": decision.service_account_id,
        "sealed": {
            "log": origin,
            "leaf_index": decision.leaf_index,
            "leaf_hash": decision.leaf_hash.hex(),
        },
    }


def _payload(decision: SealedDecision) -> dict[str, Any] | None:
    sizes = payload_sizes(decision.id)
    if sizes is None:
        return None
    path = f"/api/v1/decisions/{decision.id}/payload/"
    return {part: {"bytes": size, "path": path + part} for part in PARTS if (size := sizes[part]) is not None}


def described_page(page: DecisionPage, register: Register) -> dict[str, Any]:
    """A page as JSON values. Rows without an entry are not decisions: the self-audit reports them."""
    return {
        "items": told_of(page.items, register),
        "next_cursor": page.next_cursor,
        "previous_cursor": page.previous_cursor,
        "searched_to": page.searched_to,
    }
