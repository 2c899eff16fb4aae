import pytest
from evidence.verification import verify_everything
from tests.evidence.test_tampering import *
from tests.evidence import test_tampering_everywhere as ev
from psycopg import sql as S


def show(found):
    return (
        sorted({(f.code, f.table, bool(f.row)) for f in found if f.code != "guard-open"})
        if not isinstance(found, str)
        else found
    )


def test_alone(organisation, keeper_url):
    with as_owner(keeper_url) as cursor:
        disable_triggers(cursor)
        for table, column in ALONE:
            print("##", table, column, show(findings_after(cursor, change(cursor, table, column, a_row(table)))))
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        for table in TABLES:
            print(
                "## LOSS",
                table,
                show(
                    findings_after(cursor, S.SQL("DELETE FROM {} WHERE {}").format(S.Identifier(table), a_row(table)))
                ),
            )
        for model in SEALED_MODELS:
            print("## FORGED", model._meta.db_table, show(findings_after(cursor, forged_copy(model))))


def test_side(organisation, keeper_url):
    with as_owner(keeper_url) as cursor:
        disable_triggers(cursor)
        edited = dict(edits_side_by_side(cursor))
        found = {}
        for f in verify_everything():
            found.setdefault(f.row, []).append(f)
    for row, (table, column) in edited.items():
        print("##", table, column, show(found.get(row, [])))


from tests.evidence.test_tampering_everywhere import everything


def test_everywhere(everything, keeper_url):
    with as_owner(keeper_url) as cursor:
        ev.disable_triggers(cursor)
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        for tables in (ev.ROWS, ev.HISTORY):
            for edits in ev.rounds(tables):
                cursor.execute("SAVEPOINT round")
                wanted = list(edits(cursor))
                ids = {}
                for name, _ in wanted:
                    t = name.split(".")[0]
                    cols = "id, history_id" if t in ev.HISTORY else "id, id"
                    cursor.execute(S.SQL("SELECT " + cols + " FROM {} WHERE {}").format(S.Identifier(t), a_row(t)))
                    ids[name] = [str(x) for x in cursor.fetchone()]
                done = list(ev.do(cursor, iter(wanted)))
                found = list(verify_everything())
                for name in done:
                    t = name.split(".")[0]
                    base = ev._base(t)
                    here = [f for f in found if ev._table(f) == base or f.row in ids[name]]
                    print(
                        "##",
                        name,
                        sorted(
                            {
                                (
                                    f.code,
                                    "base" if f.table == base else f.table == t and "past" or f.table,
                                    "row" if f.row == ids[name][0] else "hist" if f.row == ids[name][1] else "other",
                                )
                                for f in here
                            }
                        ),
                    )
                cursor.execute("ROLLBACK TO round")
        for kind in ("LOSS", "FORGED"):
            for tables in (ev.ROWS, ev.HISTORY):
                cursor.execute("SAVEPOINT round")
                if kind == "LOSS":
                    edits = [(t, S.SQL("DELETE FROM {} WHERE {}").format(S.Identifier(t), a_row(t))) for t in tables]
                else:
                    edits = [(t, ev.copy_of(t, m)) for t, m in tables.items()]
                done = list(ev.do(cursor, iter(edits)))
                found = list(verify_everything())
                for t in done:
                    base = ev._base(t)
                    print(
                        "##",
                        kind,
                        t,
                        sorted(
                            {(f.code, "base" if f.table == base else f.table) for f in found if ev._table(f) == base}
                        ),
                    )
                print("## NOT DONE", kind, [t for t, _ in edits if t not in done])
                cursor.execute("ROLLBACK TO round")
