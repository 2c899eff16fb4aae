"""Governed rows: mutable rows whose every change is sealed.

A change is written by `write_row`, inside `sealing()`: it saves the row, lets django-simple-history keep the state,
and adds an entry that commits to the whole state after the change. Saving a governed row in any other way raises
`UnsealedChange`; SQL behind our back leaves a row that no entry commits to, which `verify_logs` finds.

Columns are of three sorts. `ERASABLE_FIELDS` (personal or free text) are versioned in `Particulars` and enter the
state as a salted commitment. `UNSEALED_FIELDS` (a password hash, a last-used time) are in neither history nor state.
All others are the state.
"""

import json
import uuid
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.db import DatabaseError, models, transaction
from django.utils import timezone
from simple_history.models import HistoricalRecords

from config.database import Access
from config.ids import new_id
from ledger.commitments import commitment, new_secret
from ledger.entries import Actor, Draft, draft_entry, timestamp
from ledger.errors import UnsealedChange
from ledger.kinds import Kind
from ledger.models import Particulars
from ledger.sealing import Seal

STATE_PART = "state"
PARTICULARS_PART = "particulars"
REASON_PART = "reason"


class ChangeTrail(models.Model):
    """What a history row holds beside the columns: the sealed bytes of the state, and the reason given."""

    DB_ACCESS = Access.APPEND

    state = models.BinaryField()
    state_secret = models.BinaryField()
    reason_id = models.UUIDField(null=True)
    log_id = models.UUIDField()

    class Meta:
        abstract = True


@dataclass(frozen=True, slots=True)
class Change:
    """One sealed change on its way into a history row."""

    entry_id: uuid.UUID
    actor: Actor
    at: datetime
    log_id: uuid.UUID
    state: bytes
    state_secret: bytes
    reason_id: uuid.UUID | None


class SealedHistory(HistoricalRecords):
    """django-simple-history whose rows are written by `write_row` alone. A history row's id is its entry's id."""

    def __init__(self) -> None:
        super().__init__(
            inherit=True,
            bases=(ChangeTrail,),
            history_id_field=models.UUIDField(primary_key=True),
            history_user_id_field=models.UUIDField(null=True),
            history_user_getter=lambda history: history.history_user_id,
            history_user_setter=lambda history, user: None,
            get_user=lambda instance, **kwargs: None,
        )

    def fields_included(self, model: Any) -> list[Any]:
        return [field for field in model._meta.fields if field.name not in model.erasable_or_unsealed()]

    def post_save(self, instance: Any, created: bool, using: str | None = None, **kwargs: Any) -> None:
        # Django notes a sign-in and renews an old password hash by itself: columns in neither history nor state
        updated = kwargs.get("update_fields")
        if not updated or not set(updated) <= set(instance.UNSEALED_FIELDS):
            super().post_save(instance, created, using=using, **kwargs)

    def create_historical_record(self, instance: Any, history_type: str, using: str | None = None) -> None:
        change: Change | None = instance.__dict__.pop("_change", None)
        if change is None or history_type == "-":
            raise UnsealedChange(f"{type(instance).__name__} {instance.pk} was saved or deleted outside write_row")
        columns = {field.attname: getattr(instance, field.attname) for field in self.fields_included(instance)}
        getattr(instance, self.manager_name).model(
            **columns,
            history_id=change.entry_id,
            history_date=change.at,
            history_type=history_type,
            history_user_id=change.actor.id,
            state=change.state,
            state_secret=change.state_secret,
            reason_id=change.reason_id,
            log_id=change.log_id,
        ).save(force_insert=True, using=using)


class GovernedRow(models.Model):
    """Base of every mutable row whose changes are evidence."""

    DB_ACCESS = Access.MUTABLE
    ERASABLE_FIELDS: ClassVar[tuple[str, ...]] = ()
    UNSEALED_FIELDS: ClassVar[tuple[str, ...]] = ()

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    particulars_id = models.UUIDField(null=True, editable=False)
    restricted: frozenset[str] = frozenset()
    """Columns whose words are about to be erased, and read by few until then: of a row that was read for somebody."""
    covered: frozenset[str] = frozenset()
    """Columns whose words are covered by a notice: such a row is for showing, and never saved."""
    revision = models.PositiveIntegerField(default=0, editable=False)
    """Counts the sealed changes of this row: their order, whatever log each went to."""
    history = SealedHistory()

    class Meta:
        abstract = True

    @classmethod
    def erasable_or_unsealed(cls) -> frozenset[str]:
        return frozenset(cls.ERASABLE_FIELDS + cls.UNSEALED_FIELDS)


class KeyedRow(GovernedRow):
    """A row that a repeat does not make again. Whoever makes it may send a key, which says nothing of the row's own id.

    A subclass names in `KEYED_BY` the column of who made it: a key is theirs, and `key_once` is its constraint.
    """

    KEYED_BY: ClassVar[str]
    UNSEALED_FIELDS = ("key",)

    key = models.UUIDField(null=True, blank=True, editable=False)

    class Meta:
        abstract = True


def key_once(made_by: str, name: str) -> models.UniqueConstraint:
    """Of one person, a key made one row."""
    return models.UniqueConstraint(fields=[made_by, "key"], name=name)


def write_row(
    seal: Seal,
    *,
    actor: Actor,
    kind: Kind,
    row: GovernedRow,
    log_id: uuid.UUID,
    facts: dict[str, Any] | None = None,
    reason: str = "",
    at: datetime | None = None,
) -> Draft:
    """Save a governed row and add the entry that commits to its whole state after the change.

    `facts` are further clear values for the entry's body. `reason` is what the actor gave as justification: stored
    erasably, committed to. Errors: Django's `ValidationError` for columns, `NotAClearString`, and what sealing raises.
    """
    if row.covered:
        raise UnsealedChange(f"{type(row).__name__} {row.pk} is for showing: what it said is covered by a notice")
    at = at or timezone.now()
    exempt = {*row.UNSEALED_FIELDS, *_emptied(row)}
    row.full_clean(exclude=exempt, validate_constraints=False)
    change_type = "created" if row._state.adding else "changed"
    row.revision = _next_revision(row)
    _version_particulars(row)
    reason_row = _particulars(row, REASON_PART, reason.encode()) if reason else None
    state, secret = state_bytes(row), new_secret()
    body: dict[str, Any] = {
        "table": row._meta.db_table,
        "change": change_type,
        "state": commitment(secret, STATE_PART, state).hex(),
    }
    if reason_row:
        body["reason"] = _commitment_of(reason_row).hex()
    draft = draft_entry(kind=kind, actor=actor, at=at, body=body | (facts or {}), about_id=row.pk)
    row.__dict__["_change"] = Change(
        entry_id=draft.id,
        actor=actor,
        at=at,
        log_id=log_id,
        state=state,
        state_secret=secret,
        reason_id=reason_row.id if reason_row else None,
    )
    _save(row, exempt)
    seal.add(log_id, draft)
    return draft


def _save(row: GovernedRow, exempt: set[str]) -> None:
    """Save it. Errors: `ValidationError` in the words of the constraint that the database found broken."""
    if not row._meta.constraints:
        row.save()
        return
    try:
        with transaction.atomic():
            row.save()
    except DatabaseError:
        # only now, to learn which: Django would ask the database three questions for each constraint of every row
        row.validate_constraints(exclude=exempt)
        raise


def _emptied(row: GovernedRow) -> list[str]:
    """Columns that may be empty though the model asks for them: what stood in them was erased."""
    needed = [name for name in row.ERASABLE_FIELDS if not getattr(row, name) and not _field(row, name).blank]
    if not needed or row.particulars_id is None or row._state.adding:
        return []
    return needed if Particulars.objects.filter(pk=row.particulars_id, data=None).exists() else []


def _field(row: GovernedRow, name: str) -> Any:
    return row._meta.get_field(name)


def _next_revision(row: GovernedRow) -> int:
    """One more than the stored row has. Its lock is held from here to COMMIT: of two changes at once, one waits."""
    if row._state.adding:
        return 1
    stored = type(row)._base_manager.select_for_update().filter(pk=row.pk).values_list("revision", flat=True)
    return int(stored[0]) + 1


def sealed_columns(row: models.Model) -> dict[str, Any]:
    """Every sealed column of a governed row, or of one of its history rows, as plain JSON values."""
    model: Any = getattr(row, "instance_type", type(row))
    fields = [field for field in model._meta.fields if field.name not in model.erasable_or_unsealed()]
    return {field.attname: _plain(getattr(row, field.attname)) for field in fields}


def state_bytes(row: GovernedRow) -> bytes:
    """The bytes an entry commits to: compact JSON, sorted keys, the erasable columns as a salted commitment."""
    state = sealed_columns(row)
    if row.particulars_id:
        state[PARTICULARS_PART] = _commitment_of(Particulars.objects.get(pk=row.particulars_id)).hex()
    return json.dumps(state, sort_keys=True, separators=(",", ":")).encode()


def particulars_bytes(row: GovernedRow) -> bytes:
    """The bytes of a row's erasable columns as their version in `Particulars` holds them."""
    return json.dumps(erasable_columns(row), sort_keys=True, separators=(",", ":")).encode()


def erasable_columns(row: GovernedRow) -> dict[str, Any]:
    """A row's erasable columns as plain JSON values."""
    return {name: _plain(getattr(row, name)) for name in row.ERASABLE_FIELDS}


def _version_particulars(row: GovernedRow) -> None:
    if not row.ERASABLE_FIELDS:
        return
    data = particulars_bytes(row)
    current = Particulars.objects.filter(pk=row.particulars_id).first() if row.particulars_id else None
    if current is None or bytes(current.data or b"") != data:
        row.particulars_id = _particulars(row, PARTICULARS_PART, data).id


def _particulars(row: GovernedRow, part: str, data: bytes) -> Particulars:
    return Particulars.objects.create(row_id=row.pk, part=part, secret=new_secret(), data=data)


def _commitment_of(version: Particulars) -> bytes:
    return commitment(bytes(version.secret or b""), version.part, bytes(version.data or b""))


def _plain(value: object) -> Any:
    """A column's value as JSON, one form for each type, so that a state can be derived again from the row."""
    match value:
        case datetime():
            return timestamp(value)
        case date():
            return value.isoformat()
        case uuid.UUID() | Decimal():
            return str(value)
        case bytes() | memoryview():
            return bytes(value).hex()
        case list() | tuple():
            return [_inside_json(item) for item in value]
        case dict():
            return {_escaped(str(key)): _inside_json(item) for key, item in value.items()}
        case _:
            return value


def _inside_json(value: object) -> Any:
    """As `_plain`, but jsonb gives 1e30 back as an integer: a number stands as `{"#": "<its decimal digits>"}`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"#": format(Decimal(repr(value)).normalize(), "f")}
    return _plain(value)


def _escaped(name: str) -> str:
    return f"#{name}" if name.startswith("#") else name
