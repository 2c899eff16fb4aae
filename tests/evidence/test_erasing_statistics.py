"""What people write stands in no sample that the planner keeps: no column of it is sampled, and no index over it."""

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import DateTimeField, UUIDField

from evidence.erasure.places import STATISTICS, WORDS
from tests.architecture.columns import COLUMNS, PARTICULARS, PAYLOAD, SESSION, TOLD, WITH_PERSON

pytestmark = pytest.mark.django_db
SAMPLED = """
    SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
    AND a.attnum > 0 AND NOT a.attisdropped AND a.attstattarget IS DISTINCT FROM 0
"""
COMPUTED = """
    SELECT t.relname, pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
    JOIN pg_attribute a ON a.attrelid = i.indexrelid AND a.attstattarget IS DISTINCT FROM 0
    WHERE t.relnamespace = 'public'::regnamespace AND i.indexprs IS NOT NULL
"""


PERSONAL = (PARTICULARS, WITH_PERSON, SESSION, TOLD)
"""What goes with somebody, or soon after they were told; and sessions, in which stands what somebody looked for."""


def written() -> set[tuple[str, str]]:
    """Every column that may name somebody: of governed rows, of e-mails and sessions, of work that leaves no trail."""
    found = {
        (model._meta.db_table, name)
        for model, kinds in ((apps.get_model(label), kinds) for label, kinds in COLUMNS.items())
        for kind in PERSONAL
        for name in kinds.get(kind, "").split()
        if not isinstance(model._meta.get_field(name), DateTimeField | UUIDField)
    }
    return found | {(words.model._meta.db_table, name) for words in WORDS for name in words.columns}


def test_no_column_that_people_write_is_sampled() -> None:
    with connection.cursor() as cursor:
        cursor.execute(SAMPLED)
        sampled = set(cursor.fetchall())
    assert len(written()) > 90
    assert {("notices_message", "address"), ("governance_credentialchange", "email")} <= written()
    assert sorted(written() & sampled) == []


def test_no_index_computes_something_of_one() -> None:
    """Samples are taken of what an index computes, too."""
    with connection.cursor() as cursor:
        cursor.execute(COMPUTED)
        computed = cursor.fetchall()
    names = written()
    assert [(table, made) for table, made in computed for of, name in names if of == table and name in made] == []


def test_what_is_sampled_and_erasable_is_analysed_anew_after_an_erasure() -> None:
    tables = {apps.get_model(label)._meta.db_table for label, kinds in COLUMNS.items() if PAYLOAD in kinds}
    assert tables <= set(STATISTICS)
