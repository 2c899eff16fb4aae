"""No column without a word on what it may hold about a person, and what ends it (tests/architecture/columns.py)."""

from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import Model
from django.utils import timezone

from config.celery import app
from config.database import Access
from governance.models import StaffSession
from governance.tasks import clear_sessions_task
from ledger.rows import GovernedRow
from tests.architecture.columns import (
    CASE,
    COLUMNS,
    CREDENTIAL,
    DRAFT,
    DRAFT_FILTER,
    DRAFT_SEARCH,
    EMPTY,
    ERASERS,
    KEYED,
    PARTICULARS,
    PAYLOAD,
    PERSON,
    PLAIN,
    SEALED,
    SESSION,
    TOLD,
    WITH_PERSON,
)

MODELS: dict[str, type[Model]] = {
    model._meta.label: model for model in apps.get_models(include_auto_created=True) if model._meta.managed
}
PERSONAL = (PAYLOAD, PARTICULARS, WITH_PERSON, KEYED, SESSION)


def listed(label: str, *kinds: str) -> list[str]:
    """The columns the table lists for a model, of some kinds or of all."""
    return [name for kind, names in COLUMNS[label].items() if not kinds or kind in kinds for name in names.split()]


def test_every_model_stands_in_the_table_and_none_that_has_gone() -> None:
    assert COLUMNS.keys() ^ MODELS.keys() == set()


@pytest.mark.parametrize("label", COLUMNS)
def test_every_column_stands_in_the_table_once_and_none_that_has_gone(label: str) -> None:
    assert sorted(listed(label)) == sorted(str(field.column) for field in MODELS[label]._meta.local_concrete_fields)


@pytest.mark.parametrize("label", COLUMNS)
def test_what_the_table_calls_erasable_is_what_can_be_erased(label: str) -> None:
    model = MODELS[label]
    assert set(listed(label, PAYLOAD)) == set(getattr(model, "ERASED_TOGETHER", ()))
    governed = model if issubclass(model, GovernedRow) else GovernedRow
    assert set(listed(label, PARTICULARS)) == set(governed.ERASABLE_FIELDS)
    assert set(listed(label, WITH_PERSON)) <= set(governed.UNSEALED_FIELDS)


def test_nothing_personal_is_in_a_table_that_only_grows() -> None:
    append_only = [label for label, model in MODELS.items() if _only_grows(model)]
    assert len(append_only) > 10
    assert {label: listed(label, *PERSONAL) for label in append_only if listed(label, *PERSONAL)} == {}


def _only_grows(model: type[Model]) -> bool:
    access: Access | None = getattr(model, "DB_ACCESS", None)
    return access is not None and Access.APPEND in access and Access.ERASABLE not in access


def test_a_history_table_holds_no_column_that_can_be_erased() -> None:
    pairs = dict(_histories())
    assert len(pairs) > 5
    for kept, row in pairs.items():
        assert set(listed(kept)).isdisjoint(listed(row, PARTICULARS, WITH_PERSON)), kept


@pytest.mark.parametrize(
    "kind", [PAYLOAD, PARTICULARS, WITH_PERSON, KEYED, SESSION, TOLD, DRAFT, DRAFT_FILTER, DRAFT_SEARCH]
)
def test_each_sort_of_personal_column_is_ended_by_something_that_is_there(kind: str) -> None:
    assert ERASERS[kind]
    for named in ERASERS[kind]:
        module, _, function = named.rpartition(".")
        assert callable(getattr(import_module(module), function)), named


def test_every_sort_of_column_either_needs_no_eraser_or_names_one() -> None:
    kinds = {kind for sorts in COLUMNS.values() for kind in sorts}
    assert kinds - ERASERS.keys() == {PLAIN, PERSON, CASE, SEALED, CREDENTIAL, EMPTY}


def _histories() -> Iterator[tuple[str, str]]:
    for label in COLUMNS:
        app, _, name = label.partition(".")
        if name.startswith("Historical"):
            yield label, f"{app}.{name.removeprefix('Historical')}"


@pytest.mark.django_db
def test_what_is_said_never_to_be_written_cannot_be() -> None:
    """Django's own log of changes would quote people's names."""
    tables = [MODELS[label]._meta.db_table for label, kinds in COLUMNS.items() if set(kinds) == {EMPTY}]
    assert "django_admin_log" in tables
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute("SELECT has_table_privilege(%s, 'INSERT, UPDATE')", [table])
            assert cursor.fetchone() == (False,), table


@pytest.mark.django_db
def test_what_goes_with_the_session_goes_when_it_has_expired() -> None:
    now = timezone.now()
    for key, expires in (("over", now - timedelta(seconds=1)), ("on", now + timedelta(hours=1))):
        StaffSession.objects.create(session_key=key, session_data="", expire_date=expires)
    clear_sessions_task()
    assert [session.session_key for session in StaffSession.objects.all()] == ["on"]
    assert clear_sessions_task.name in {entry["task"] for entry in app.conf.beat_schedule.values()}
