"""What the other tests rely on: their database is real, theirs alone, and used as the role `app`."""

import threading
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import connection, transaction

from ledger.heads import head_store
from ledger.models import Log
from tests.environment import INSTALLATION


def _scalar(statement: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


@pytest.mark.django_db
def test_tests_run_as_the_role_app() -> None:
    assert _scalar("SELECT current_user") == "app"


@pytest.mark.django_db
def test_the_migrated_database_comes_with_its_registry_and_head_store() -> None:
    log = Log.objects.get()
    head = head_store().head(log.pk)
    assert head is not None
    assert head.tree_size > 0


@pytest.mark.django_db
def test_a_head_store_belongs_to_its_test() -> None:
    assert Path(settings.HEAD_STORE).parent != INSTALLATION


@pytest.mark.django_db
@pytest.mark.parametrize("_again", [1, 2])
def test_an_ordinary_test_is_rolled_back(_again: int) -> None:
    assert _scalar("SELECT count(*) FROM django_session") == 0
    _insert_session()


@pytest.mark.committing
@pytest.mark.parametrize("_again", [1, 2])
def test_what_a_committing_test_commits_is_gone_after_it(_again: int, database_url: str) -> None:
    with transaction.atomic():
        _insert_session()
    with psycopg.connect(database_url) as other:
        assert other.execute("SELECT count(*) FROM django_session").fetchone() == (1,)


@pytest.mark.committing
def test_a_thread_sees_the_database_of_its_test() -> None:
    seen: list[object] = []

    def look() -> None:
        seen.append(_scalar("SELECT current_database()"))
        connection.close()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [_scalar("SELECT current_database()")]


@pytest.mark.django_db
def test_no_table_can_be_truncated() -> None:
    with pytest.raises(Exception, match="permission denied"), transaction.atomic():
        _scalar("TRUNCATE django_session")


def _insert_session() -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO django_session VALUES ('key', 'data', now())")
