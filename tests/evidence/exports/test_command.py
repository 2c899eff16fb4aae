"""`manage.py export`: in somebody's name, into a folder, with an exit code that says whether it is whole."""

import errno
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from evidence.exports.models import Export
from evidence.management.commands import export as command
from governance.models import AISystem, Person
from ledger.models import Entry
from ledger.selectors import latest_checkpoint, open_log, registry_log
from overrides.services.claiming import claim
from tests.factories.cases import make_led_case
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system
from tests.factories.reviews import make_queue, make_rule, open_review
from tests.factories.sign_in import PASSWORD, with_password

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    found = make_system(slug="credit")
    record_decision(found)
    return found


@pytest.fixture
def auditor() -> Person:
    return with_password(make_person(auditor=True))


@pytest.fixture(autouse=True)
def typed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that are typed at the terminal."""
    passwords = [PASSWORD]
    monkeypatch.setattr("getpass.getpass", lambda _: passwords[0])
    return passwords


def run(person: Person, folder: Path, *arguments: str) -> str:
    said = io.StringIO()
    call_command("export", f"--by={person.email}", "--reason=An audit.", f"--output={folder}", *arguments, stdout=said)
    return said.getvalue().strip()


def test_a_whole_one_is_put_into_the_folder(system: AISystem, auditor: Person, tmp_path: Path) -> None:
    path = Path(run(auditor, tmp_path, "--system=credit"))
    assert path == tmp_path / "answerable-credit-bundle.zip"
    with zipfile.ZipFile(path) as found:
        assert found.testzip() is None
    made = Export.objects.get()
    assert (made.asked_by_id, made.status) == (auditor.pk, Export.Status.FINISHED)
    assert Entry.objects.filter(about_id=made.pk, kind="export.downloaded").count() == 1
    assert [each.name for each in tmp_path.iterdir() if each.name.endswith(".new")] == []


@pytest.mark.parametrize("form", ["csv", "ndjson", "ocsf"])
def test_every_form_without_contents(system: AISystem, auditor: Person, tmp_path: Path, form: str) -> None:
    assert run(auditor, tmp_path, "--system=credit", f"--form={form}", "--full-speed").endswith(f"-{form}.zip")


def test_one_that_is_not_whole_ends_with_three_and_is_there_all_the_same(tmp_path: Path) -> None:
    system = make_system(slug="credit")
    judge = with_password(make_person(reviewer=system, accountable=system))
    review = open_review(system, rule=make_rule(system, make_queue(judge, system=system), is_blind=True))
    claim(actor=actor_of(judge), review_id=review.pk)
    with pytest.raises(CommandError, match="not whole") as refusal:
        run(judge, tmp_path, "--system=credit")
    assert refusal.value.returncode == 3
    assert (tmp_path / "answerable-credit-bundle-INCOMPLETE.zip").exists()


def test_a_case_a_decision_and_a_head(system: AISystem, auditor: Person, tmp_path: Path) -> None:
    decision = record_decision(system)
    case, lead = make_led_case(system, lead=with_password(make_person(investigator=True)), decisions=[decision])
    assert run(lead, tmp_path, f"--case={case.pk}").endswith(f"case-{case.reference}-bundle.zip")
    assert run(auditor, tmp_path, f"--decision={decision.id}").endswith(f"decision-{decision.id}-bundle.zip")
    head = tmp_path / "head"
    head.write_text(latest_checkpoint(open_log(system.pk)).note)
    other = tmp_path / "other"
    other.write_text(latest_checkpoint(registry_log()).note)
    run(auditor, tmp_path, "--system=credit", f"--head={head}", f"--head={other}")
    assert Export.objects.exclude(heads=[]).count() == 1


def test_times_are_days_or_moments(system: AISystem, auditor: Person, tmp_path: Path) -> None:
    run(auditor, tmp_path, "--system=credit", "--since=2026-01-01", "--until=2026-02-01T08:00:00+02:00")
    made = Export.objects.get()
    assert made.since is not None
    assert made.until is not None
    assert (made.since.isoformat(), made.until.isoformat()) == (
        "2026-01-01T00:00:00+00:00",
        "2026-02-01T06:00:00+00:00",
    )


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--system=credit", "--since=2026-02-30"], 2),
        (["--system=credit", "--since=soon"], 2),
        (["--system=unheard-of"], 1),
        (["--system=credit", "--since=2026-02-01", "--until=2026-01-01"], 1),
    ],
)
def test_what_is_wrong_is_told(
    system: AISystem, auditor: Person, tmp_path: Path, arguments: list[str], code: int
) -> None:
    with pytest.raises(CommandError) as refusal:
        run(auditor, tmp_path, *arguments)
    assert refusal.value.returncode == code
    assert not list(tmp_path.glob("*.zip"))


def test_nobody_exports_in_a_name_whose_password_they_lack(
    system: AISystem, auditor: Person, tmp_path: Path, typed: list[str]
) -> None:
    typed[0] = "guessed"
    with pytest.raises(CommandError, match="do not belong together"):
        run(auditor, tmp_path, "--system=credit")
    assert not Export.objects.exists()


def test_somebody_without_the_right_gets_none(system: AISystem, tmp_path: Path) -> None:
    with pytest.raises(CommandError):
        run(with_password(make_person(viewer=True)), tmp_path, "--system=credit")
    assert not Export.objects.exists()


def test_interrupted_it_is_given_up(
    system: AISystem, auditor: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "run_slice", interrupt)
    with pytest.raises(CommandError, match="Given up"):
        run(auditor, tmp_path, "--system=credit")
    assert Export.objects.get().status == Export.Status.CANCELLED


def test_a_folder_that_is_none_is_told_before_anybody_types(auditor: Person, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no folder") as refusal:
        run(auditor, tmp_path / "nowhere", "--system=credit")
    assert refusal.value.returncode == 2


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_head_that_cannot_be_read_is_told_before_anybody_types(
    system: AISystem, auditor: Person, tmp_path: Path, content: bytes | None
) -> None:
    head = tmp_path / "head"
    if content is not None:
        head.write_bytes(content)
    with pytest.raises(CommandError, match="cannot be read") as refusal:
        run(auditor, tmp_path, "--system=credit", f"--head={head}")
    assert refusal.value.returncode == 2
    assert not Export.objects.exists()


def test_where_there_is_no_room_for_it_the_file_is_still_to_be_had(
    system: AISystem, auditor: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: Any) -> Iterator[bytes]:
        yield b"PK"
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(command, "fetch", full)
    with pytest.raises(CommandError, match="No space left") as refusal:
        run(auditor, tmp_path, "--system=credit")
    assert refusal.value.returncode == 1
    assert not list(tmp_path.glob("*credit*"))
    assert str(Export.objects.get(status="finished").pk) in str(refusal.value)
