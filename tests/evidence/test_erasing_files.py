"""E-mails in a folder of ours: those that name whoever is erased go, however they are written; others stay."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth import HASH_SESSION_KEY
from django.core.mail import EmailMultiAlternatives, get_connection
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from config.ids import new_id
from config.outgoing import FILES
from evidence.erasure.files import forget_mails
from evidence.erasure.finding import Pattern
from evidence.erasure.sessions import forget_in_sessions
from evidence.models import CustodyRequest
from evidence.services.custody_requests import ask_custody
from evidence.services.leaving import leave
from governance.models import Person, StaffSession
from ledger.models import Particulars
from notices.models import Message
from notices.services.mailing import send_mails
from tests.factories.erasing import administrator, erase_words, erased, long_ago
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system

NAME = "Zoë Lovelace-Babbage"
HERS = Pattern((NAME, "kunde-1815"))
Write = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, settings: Settings) -> Path:
    settings.EMAIL_FILE_PATH, settings.EMAIL_BACKEND = str(tmp_path / "mail"), FILES
    (tmp_path / "mail").mkdir()
    return tmp_path / "mail"


@pytest.fixture
def write(folder: Path) -> Write:
    """One file of e-mails."""

    def make(*mails: tuple[str, str]) -> Path:
        own = folder / new_id().hex  # names of files are by second
        own.mkdir()
        outgoing = [EmailMultiAlternatives(subject=said, body=body, to=["x@example.org"]) for said, body in mails]
        get_connection(FILES, file_path=str(own)).send_messages(outgoing)
        (made,) = own.iterdir()
        return made

    return make


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("Asked", f"Why: {NAME} wrote to us."),
        (f"About {NAME}", "x"),
        ("Asked", f"Why: {NAME.upper()} wrote."),
        ("Asked", f"Why: {'long ' * 18}{NAME} wrote, as the line breaks."),
        ("Asked", "A customer: KUNDE-1815."),
        ("Asked", f"A line that is longer than any may be: {'y' * 2_000} {NAME}"),
        ("=?utf-8?q?half", f"\u2028{NAME}"),
    ],
)
def test_whatever_names_them_goes(write: Write, subject: str, body: str) -> None:
    about, other = write((subject, body)), write(("Asked", "Why: Mary Somerville wrote."))
    assert forget_mails(HERS) == 1
    assert (about.exists(), other.exists()) == (False, True)


def test_a_file_of_several_goes_as_a_whole_and_bytes_that_are_no_mail_are_looked_into(write: Write) -> None:
    several = write(("One", "Nothing."), ("Two", f"About {NAME}."), ("Three", "Nothing."))
    broken = several.with_name("broken.log")
    broken.write_bytes(b"\xff\xfe no mail: KUNDE-1815")
    kept = several.with_name("kept.log")
    kept.write_bytes(b"\xff\xfe no mail, and nobody")
    assert forget_mails(HERS) == 2
    assert (several.exists(), broken.exists(), kept.exists()) == (False, False, True)


def test_without_a_folder_of_mails_there_is_nothing_to_do(settings: Settings) -> None:
    settings.EMAIL_FILE_PATH = None
    assert forget_mails(HERS) == 0


@pytest.mark.django_db
def test_a_reason_that_was_sent_around_is_gone_with_the_reason(folder: Path, settings: Settings) -> None:
    make_system(accountable=make_person())
    make_person(administrator=True, name="Grace Lindqvist", email="grace@example.org")
    asker = make_person(administrator=True, name="Alan Turing", email="alan@example.org")
    ask_custody(actor=actor_of(asker), what=CustodyRequest.What.BEGIN_ROTATION, reason=f"{NAME} saw the key.")
    assert send_mails()
    assert any(b"Babbage" in path.read_bytes() for path in folder.iterdir())
    erase_words("kunde-1815", NAME)
    assert not any(b"Babbage" in path.read_bytes() for path in folder.iterdir())
    assert not any(b"Babbage" in bytes(each.data or b"") for each in Particulars.objects.all())
    assert CustodyRequest.objects.get().reason == ""


@pytest.mark.django_db
def test_what_was_written_to_somebody_who_left_goes_with_their_name(folder: Path) -> None:
    person: Person = make_person(administrator=True, name="Ada Lovelace", email="ada@example.org")
    asker = administrator()
    make_system(accountable=make_person())
    ask_custody(actor=actor_of(asker), what=CustodyRequest.What.BEGIN_ROTATION, reason="A year is over.")
    assert send_mails()
    assert any(b"ada@example.org" in path.read_bytes() for path in folder.iterdir())
    with long_ago(days=400):
        leave(actor=actor_of(asker), person_id=person.pk)
    assert erased(kind="person", person_id=person.pk).status == "performed"
    assert not any(b"ada@example.org" in path.read_bytes() for path in folder.iterdir())
    assert not Message.objects.filter(person_id=person.pk).exists()


@pytest.mark.django_db
def test_what_somebody_looked_for_is_taken_out_of_their_session_and_they_stay_signed_in(folder: Path) -> None:
    record_decision(make_system(accountable=make_person()), subject="kunde-1815")
    client = Client()
    client.force_login(make_person(dpo=True))
    for words in (NAME, "Mary Somerville"):
        assert client.post(reverse("admin:cases"), {"q": words}).status_code == 302
    (before,) = [row.get_decoded() for row in StaffSession.objects.all()]
    assert NAME in str(before) and "Somerville" in str(before)
    erase_words("kunde-1815", NAME)
    (after,) = [row.get_decoded() for row in StaffSession.objects.all()]
    assert NAME not in str(after) and "Somerville" in str(after)
    assert client.get(reverse("admin:cases")).status_code == 200


@pytest.mark.django_db
def test_whatever_a_session_keeps_of_them_goes_and_what_is_of_the_sign_in_stays() -> None:
    client = Client()
    client.force_login(make_person())
    session = client.session
    mine = dict(session.items())
    session["text"] = f"Looked for {NAME}."
    session["list"] = ["x", {"deep": NAME.upper()}]
    session["map"] = {"a": {"b": NAME, "c": "kept"}, NAME: 1, "n": 7}
    session["quoted"] = [f'"{NAME}"']
    session["other"] = ["Mary Somerville", {"n": 1}]
    session.save()
    pattern = Pattern((NAME, mine[HASH_SESSION_KEY][:6]))
    assert forget_in_sessions(pattern) == 1
    after = dict(client.session.items())
    assert after == mine | {"map": {"a": {"c": "kept"}, "n": 7}, "other": ["Mary Somerville", {"n": 1}]}
    assert forget_in_sessions(pattern) == 0
