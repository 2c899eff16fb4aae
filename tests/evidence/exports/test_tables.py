"""NDJSON, CSV and OCSF lines: one a decision, none left out silently, nothing that a spreadsheet runs."""

import csv
import io
import json
import re
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from audit.selectors import PARTS as PAYLOAD_PARTS
from config.ids import new_id
from evidence.exports.models import Export
from evidence.exports.rows import COLUMNS, _contents, _plain
from governance.models import AISystem, Person
from ledger.models import Entry
from ledger.tlog import leaf_hash
from overrides.services.claiming import claim
from overrides.services.overriding import override_decision
from tests.factories.erasing import erase
from tests.factories.exports import export_of, files_of, manifest_of, old_system
from tests.factories.record import record_decision, record_many
from tests.factories.register import actor_of, make_person, make_system
from tests.factories.reviews import make_queue, make_rule, open_review
from tests.factories.versions import owner_of
from tests.running import PROJECT

pytestmark = pytest.mark.django_db
FORMS = ("ndjson", "csv", "ocsf")


@pytest.fixture
def system() -> AISystem:
    return old_system(slug="credit", accountable=make_person())


def marks_of(export: Export) -> tuple[int, int]:
    """How many lines say overridden, and how many erased."""
    if export.form == Export.Form.CSV:
        rows: list[Any] = rows_of(export)
        yes: Any = "yes"
    else:
        rows, yes = [each.get("unmapped", each) for each in lines_of(export)], True
    return sum(each["overridden"] == yes for each in rows), sum(each["erased"] == yes for each in rows)


@pytest.mark.parametrize("form", FORMS)
def test_the_manifest_counts_what_the_lines_say(system: AISystem, auditor: Person, form: str) -> None:
    """What was overridden after the times that are asked for is marked, too."""
    past, now = timezone.now() - timedelta(hours=3), timezone.now()
    overridden, erased, _ = (record_decision(system, at=past) for _ in range(3))
    override_decision(
        actor=actor_of(owner_of(system)), decision_id=overridden.id, outcome="refused", reason_code="other", note="No."
    )
    erase(erased.id)
    made = export_of(auditor, system, form=form, until=now - timedelta(hours=1))
    manifest = manifest_of(made)
    assert marks_of(made) == (1, 1)
    assert (manifest["answer"]["overridden"], manifest["parts"]["input"]["erased"]) == marks_of(made)


@pytest.mark.parametrize("form", FORMS)
def test_how_to_open_it_safely_is_told_beside_a_table(system: AISystem, auditor: Person, form: str) -> None:
    """Where lists are separated by semicolons a double click cuts a line elsewhere than we guard it."""
    told = files_of(export_of(auditor, system, form=form))["README.txt"].decode()
    assert ("with the comma as separator" in told) is (form == "csv")


def data_of(export: Export) -> bytes:
    [name] = [name for name in files_of(export) if name.startswith("decisions")]
    return files_of(export)[name]


def lines_of(export: Export) -> list[Any]:
    return [json.loads(line) for line in data_of(export).splitlines()]


def rows_of(export: Export) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data_of(export).decode(), newline="")))


# --- every form -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("form", FORMS)
def test_every_decision_is_in_it_once(system: AISystem, auditor: Person, form: str) -> None:
    record_many(system, 700)
    made = export_of(auditor, system, form=form)
    found: list[Any] = rows_of(made) if form == "csv" else lines_of(made)
    assert len(found) == 700 == made.decisions == manifest_of(made)["answer"]["decisions"]
    ids = {
        each["metadata"]["uid"] if form == "ocsf" else each["entry"]["id"] if form == "ndjson" else each["id"]
        for each in found
    }
    assert len(ids) == 700
    assert made.is_whole is True
    assert made.file_name == f"answerable-credit-{form}.zip"


@pytest.mark.parametrize("form", FORMS)
def test_the_manifest_says_what_it_is_and_its_digests_are_right(system: AISystem, auditor: Person, form: str) -> None:
    record_decision(system)
    made = export_of(auditor, system, form=form)
    files, manifest = files_of(made), manifest_of(made)
    assert manifest["format"] == "answerable-export/1"
    assert (manifest["form"], manifest["question"]["system"]) == (form, str(system.pk))
    assert manifest["asked"]["by"] == str(auditor.pk)
    for each in manifest["files"]:
        assert (len(files[each["path"]]), sha256(files[each["path"]]).hexdigest()) == (each["size"], each["sha256"])
    assert sha256(files["manifest.json"]).hexdigest() == made.manifest_digest
    assert "proves nothing by itself" in files["README.txt"].decode()


@pytest.mark.parametrize("form", FORMS)
def test_one_that_is_not_whole_says_so_everywhere(form: str) -> None:
    system = make_system()
    judge = make_person(reviewer=system, accountable=system)
    record_decision(system)
    review = open_review(system, rule=make_rule(system, make_queue(judge, system=system), is_blind=True))
    claim(actor=actor_of(judge), review_id=review.pk)
    made = export_of(judge, system, form=form)
    files = files_of(made)
    assert "INCOMPLETE" in made.file_name
    assert [name for name in files if name.startswith("decisions-INCOMPLETE")]
    assert manifest_of(made)["whole"] is False
    assert manifest_of(made)["left_out"]
    assert "NOT WHOLE" in files["README.txt"].decode()
    assert str(review.decision_id).encode() not in b"".join(files.values())


@pytest.mark.parametrize("form", FORMS)
def test_an_empty_answer_is_a_file_too(system: AISystem, auditor: Person, form: str) -> None:
    record_decision(system)
    past = timezone.now() - timedelta(days=9)
    made = export_of(auditor, system, form=form, since=past, until=past + timedelta(days=1))
    assert made.decisions == 0
    assert data_of(made) == (b"" if form != "csv" else (",".join(COLUMNS) + "\r\n").encode())


@pytest.mark.parametrize("form", FORMS)
def test_times_hold_for_lines_as_for_bundles(system: AISystem, auditor: Person, form: str) -> None:
    now = timezone.now()
    for hours in (5, 3, 4, 2, 1):
        record_decision(system, at=now - timedelta(hours=hours))
    since, until = now - timedelta(hours=4.5), now - timedelta(hours=1.5)
    made = export_of(auditor, system, form=form, since=since, until=until)
    assert made.decisions == 3 == len(lines_of(made) if form != "csv" else rows_of(made))


@pytest.mark.parametrize("form", FORMS)
def test_overridden_and_erased_decisions_are_marked(system: AISystem, auditor: Person, form: str) -> None:
    plain, overridden, erased = (record_decision(system) for _ in range(3))
    override_decision(
        actor=actor_of(owner_of(system)), decision_id=overridden.id, outcome="refused", reason_code="other", note="No."
    )
    erase(erased.id)
    made = export_of(auditor, system, form=form)
    found: dict[str, tuple[Any, Any]] = {}
    if form == "ndjson":
        found = {each["entry"]["id"]: (each["overridden"], each["erased"]) for each in lines_of(made)}
    elif form == "ocsf":
        unmapped = {each["metadata"]["uid"]: each["unmapped"] for each in lines_of(made)}
        found = {uid: (each["overridden"], each["erased"]) for uid, each in unmapped.items()}
    else:
        found = {each["id"]: (each["overridden"] == "yes", each["erased"] == "yes") for each in rows_of(made)}
    assert found == {
        str(plain.id): (False, False),
        str(overridden.id): (True, False),
        str(erased.id): (False, True),
    }


# --- NDJSON -----------------------------------------------------------------------------------------------------------
def test_a_line_of_ndjson_holds_the_entry_as_it_stands_and_its_place(system: AISystem, auditor: Person) -> None:
    decision = record_decision(system)
    data = data_of(export_of(auditor, system, form="ndjson"))
    entry = Entry.objects.get(id=decision.id)
    assert b'"entry":' + bytes(entry.data) + b"}" in data
    [line] = data.splitlines()
    said = json.loads(line)
    assert (said["log"], said["index"]) == (entry.log.origin, entry.leaf_index)
    assert said["leaf_hash"] == leaf_hash(bytes(entry.data)).hex()
    assert "contents" not in said


def test_contents_in_ndjson_open_their_commitments(system: AISystem, auditor: Person) -> None:
    record_decision(system, subject="ada", raw_parts={"input": b'{"a":1}', "output": b"\xff\xfe", "context": b"{}"})
    [said] = lines_of(export_of(auditor, system, form="ndjson", parts=["input", "output", "refs"]))
    assert set(said["contents"]) == {"input", "output", "refs"}
    assert said["contents"]["input"]["text"] == '{"a":1}'
    assert said["contents"]["output"]["base64"] == "//4="
    for name, opened in said["contents"].items():
        data = opened["text"].encode() if "text" in opened else b"\xff\xfe"
        commitment = sha256(bytes.fromhex(opened["key"]) + data).hexdigest()
        assert commitment == said["entry"]["body"]["commitments"][name]


# --- CSV --------------------------------------------------------------------------------------------------------------
def test_a_row_says_what_the_entry_says(system: AISystem, auditor: Person) -> None:
    source = new_id()
    decision = record_decision(
        system, outcome="refused", adverse=True, confidence=0.25, source_id=source, source_seq=7, capability="loans"
    )
    [row] = rows_of(export_of(auditor, system, form="csv"))
    assert list(row) == list(COLUMNS)
    expected = {
        "id": str(decision.id),
        "system": str(system.pk),
        "outcome": "refused",
        "adverse": "yes",
        "confidence": "0.25",
        "capability": "loans",
        "source_id": str(source),
        "source_seq": "7",
        "overridden": "no",
        "erased": "no",
        "error_type": "",
        "index": str(decision.leaf_index),
    }
    assert {name: row[name] for name in expected} == expected
    assert row["received_at"].endswith("Z")


def test_contents_stand_in_columns_of_their_own(system: AISystem, auditor: Person) -> None:
    record_decision(system, raw_parts={"input": b'=cmd|"/c calc"!A0', "output": b"\xff"})
    [row] = rows_of(export_of(auditor, system, form="csv", parts=["output", "input"]))
    assert list(row)[-2:] == ["input", "output"]
    assert row["input"] == '\'=cmd|"/c calc"!A0'
    assert row["output"] == "base64:/w=="


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "\u00a0=1",
        "＝1",
        "\ufeff=1",
        "\tplain",
        "\uff0b1",
        "\u202e=1",
        " \x01\u200d -1",
        "\x00=1",
        "\u200b=1",
    ],
)
def test_no_spreadsheet_takes_a_cell_for_a_formula(text: str) -> None:
    assert _plain(text) == f"'{text}"


@given(st.text(max_size=60))
def test_what_is_written_is_read_back_and_never_begins_like_a_formula(text: str) -> None:
    shown = _plain(text)
    assert shown in (text, f"'{text}")
    assert not shown.lstrip().startswith(("=", "+", "-", "@"))
    written = io.StringIO()
    csv.writer(written).writerow([shown, "end"])
    [row] = csv.reader(io.StringIO(written.getvalue(), newline=""))
    assert row == [shown, "end"]


def test_numbers_stay_numbers(system: AISystem, auditor: Person) -> None:
    """A negative score is no text."""
    record_decision(system, score=-0.5)
    [row] = rows_of(export_of(auditor, system, form="csv"))
    assert row["score"] == "-0.5"


def test_bytes_that_are_no_text_are_told_apart_from_text() -> None:
    assert _contents(b"\xff") == "base64:/w=="
    assert _contents(None) == ""
    assert _contents(b"base64:/w==") != _contents(b"\xff")


def test_every_column_is_documented_in_its_order() -> None:
    page = (PROJECT / "docs" / "exports.md").read_text()
    [table] = re.findall(r"^## CSV\n(.*?)^## ", page, re.MULTILINE | re.DOTALL)
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(COLUMNS)
    assert all(f"`{name}`" in page for name in PAYLOAD_PARTS)
