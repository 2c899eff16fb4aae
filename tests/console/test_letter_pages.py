"""Pages of explanation letters: written, looked at, issued, read by whom it concerns; templates in a form."""

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from audit.selectors import SealedDecision
from evidence.letters.reading import languages_for
from evidence.models import ExplanationLetter, LetterDraft
from evidence.services.leaving import leave
from evidence.services.letter_drafts import begin_letter
from evidence.services.letters import withdraw_letter
from governance.acts import Role
from governance.models import AISystem, LetterTemplate, Person
from governance.scopes import Scope
from ledger.models import Entry
from tests.factories import cards, letters
from tests.factories.record import record_decision
from tests.factories.register import actor_of, give_role, make_person, make_system

pytestmark = pytest.mark.django_db
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit-limits")


@pytest.fixture
def owner(system: AISystem) -> Person:
    person = make_person(name="Otto Owner")
    give_role(person, Role.ACCOUNTABLE, Scope.system(system.pk))
    return person


@pytest.fixture
def decision(system: AISystem, owner: Person) -> SealedDecision:
    letters.publish(system, by=owner)
    return record_decision(system, outcome="refused", adverse=True)


def browser(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def write(decision: SealedDecision, path: str = "") -> str:
    return f"/admin/decisions/{decision.id}/letter{path}"


def test_a_letter_is_begun_written_looked_at_and_issued(decision: SealedDecision, owner: Person) -> None:
    mine = browser(owner)
    assert "Write explanation letter" in mine.get(f"/admin/decisions/{decision.id}/").content.decode()
    assert "Compose it" in mine.get(write(decision)).content.decode()
    begun = mine.post(write(decision), {"language": "en"}, follow=True).content.decode()
    assert "Payments came late" in begun and "the stored explanation" in begun
    draft = LetterDraft.objects.get()
    said = {"text": f"# Hello\n\n{EVIL}\n\n- {EVIL}", "addressee": f"Ada {EVIL}", "look": "1"}
    looked = mine.post(write(decision), said, follow=True).content.decode()
    assert EVIL not in looked and looked.count("&lt;script&gt;alert(1)") == 3
    assert "<h3>Hello</h3>" in looked
    issued = mine.post(write(decision, "/issue"), {"draft": draft.pk})
    letter = ExplanationLetter.objects.get()
    assert issued["Location"] == f"/admin/letters/{letter.pk}/"
    assert mine.post(write(decision, "/issue"), {"draft": draft.pk})["Location"] == issued["Location"]
    shown = mine.get(issued["Location"]).content.decode()
    assert "Show the letter" in shown and "Hello" not in shown
    sheet = mine.post(issued["Location"]).content.decode()
    assert EVIL not in sheet
    assert letter.check_key in sheet and letter.digest in sheet and '<article class="l-sheet" lang="en"' in sheet
    handed_out = mine.post(f"{issued['Location']}text").content
    assert hashlib.sha256(bytes.fromhex(letter.check_key) + handed_out).hexdigest() == letter.digest
    timeline = mine.get(f"/admin/decisions/{decision.id}/").content.decode()
    assert "Explained in a letter" in timeline and f"Otto Owner issued letter {letter.reference}." in timeline


def test_what_is_not_known_keeps_it_from_being_issued(system: AISystem, owner: Person) -> None:
    mine, decision = browser(owner), record_decision(system)
    page = mine.post(write(decision), {"language": "en"}, follow=True).content.decode()
    assert "cannot be issued as it is" in page and "{contact} is not known" in page
    looked = mine.get(write(decision, "/look")).content.decode()
    assert "Issue the letter" not in looked
    refused = mine.post(write(decision, "/issue"), {"draft": LetterDraft.objects.get().pk})
    assert (refused.status_code, ExplanationLetter.objects.count()) == (422, 0)


def test_a_form_keeps_what_was_typed_and_says_what_is_wrong(decision: SealedDecision, owner: Person) -> None:
    mine = browser(owner)
    mine.post(write(decision), {"language": "en"})
    refused = mine.post(write(decision), {"text": "Dear Ada \u202e", "addressee": "Ada of Bath"})
    page = refused.content.decode()
    assert refused.status_code == 422 and "Ada of Bath" in page and "a character that no letter needs" in page


def test_what_changed_is_told_and_then_issued(decision: SealedDecision, owner: Person) -> None:
    mine = browser(owner)
    mine.post(write(decision), {"language": "en"})
    letters.publish(AISystem.objects.get(), contest_days=3)
    draft = {"draft": LetterDraft.objects.get().pk}
    refused = mine.post(write(decision, "/issue"), draft)
    assert refused.status_code == 409 and "Another template is in force." in refused.content.decode()
    mine.post(write(decision, "/again"))
    assert mine.post(write(decision, "/issue"), draft).status_code == 302


def test_a_draft_is_given_up_and_a_stale_form_finds_nothing(decision: SealedDecision, owner: Person) -> None:
    mine = browser(owner)
    mine.post(write(decision), {"language": "en"})
    draft = LetterDraft.objects.get()
    mine.post(write(decision, "/give-up"))
    assert not LetterDraft.objects.exists()
    assert mine.post(write(decision, "/issue"), {"draft": draft.pk}).status_code == 404
    assert mine.post(write(decision, "/issue"), {"draft": "x"}).status_code == 404
    assert mine.get(write(decision, "/look")).status_code == 404


def test_a_correction_and_a_withdrawal_show_on_the_letters(decision: SealedDecision, owner: Person) -> None:
    mine, first = browser(owner), letters.issue(decision, owner)
    begun = mine.post(write(decision) + "?anew", {"language": "en", "replaces_id": first.pk})
    assert begun.status_code == 302
    mine.post(write(decision, "/issue"), {"draft": LetterDraft.objects.get().pk})
    second = ExplanationLetter.objects.latest("number")
    assert f"{second.reference}</a>." in mine.get(f"/admin/letters/{first.pk}/").content.decode()
    empty = mine.post(f"/admin/letters/{second.pk}/withdraw", {"reason": ""})
    assert empty.status_code == 422
    mine.post(f"/admin/letters/{second.pk}/withdraw", {"reason": "Named somebody else."})
    assert "withdrawn" in mine.get(f"/admin/letters/{second.pk}/").content.decode()
    assert "withdrew letter" in mine.get(f"/admin/decisions/{decision.id}/").content.decode()


@pytest.mark.parametrize(("role", "status"), [(Role.AUDITOR, 403), (Role.VIEWER, 403), (None, 404)])
def test_others_write_and_read_nothing(decision: SealedDecision, owner: Person, role: Role | None, status: int) -> None:
    letter = letters.issue(decision, owner, text="Very private words.")
    person = make_person()
    if role:
        give_role(person, role)
    theirs = browser(person)
    for path in ("", "/look"):
        assert theirs.get(write(decision, path)).status_code == status
    for path in ("", "/issue", "/again", "/give-up"):
        assert theirs.post(write(decision, path), {"language": "en"}).status_code == status
    read = theirs.post(f"/admin/letters/{letter.pk}/")
    assert read.status_code == status and "private" not in read.content.decode()
    assert theirs.post(f"/admin/letters/{letter.pk}/withdraw", {"reason": "No."}).status_code == status
    assert theirs.get(f"/admin/letters/{letter.pk}/").status_code == (200 if role else 404)


def test_reading_is_sealed_and_looking_at_the_frame_is_not(decision: SealedDecision, owner: Person) -> None:
    letter, dpo = letters.issue(decision, owner), make_person(dpo=True)
    views = Entry.objects.filter(about_id=decision.id, kind="payload.viewed")
    before = views.count()
    browser(dpo).get(f"/admin/letters/{letter.pk}/")
    assert views.count() == before
    browser(dpo).post(f"/admin/letters/{letter.pk}/")
    assert views.count() == before + 1
    withdraw_letter(actor=actor_of(owner), letter_id=letter.pk, reason="Gone.")


# --- templates --------------------------------------------------------------------------------------------------------
def template(system: AISystem, path: str = "") -> str:
    return f"/admin/systems/{system.pk}/letters/{path}"


def typed(**more: Any) -> dict[str, Any]:
    return {"text": letters.TEXT, "words": letters.WORDS, "reasons_most": 5, "reasons_side": "all", "base": ""} | more


def test_a_template_is_written_tried_and_published(system: AISystem, owner: Person) -> None:
    writer = cards.writer_of(system)
    theirs, mine = browser(writer), browser(owner)
    assert theirs.get(template(system), {"language": "en"})["Location"] == template(system, "en/edit")
    assert "{decided_on}" in theirs.get(template(system, "en/edit")).content.decode()
    refused = theirs.post(template(system, "en/edit"), typed(text="It was {outcom}."))
    page = refused.content.decode()
    assert refused.status_code == 422 and "Did you mean {outcome}?" in page and "It was {outcom}." in page
    theirs.post(template(system, "en/edit"), typed(contact="Desk 3", contest_days=30))
    assert "Publish what stands here" not in theirs.get(template(system, "en/")).content.decode()
    decision = record_decision(system, outcome="refused")
    tried = mine.post(template(system, "en/try"), {"decision": str(decision.id)}).content.decode()
    assert "Your application was refused." in tried
    for wrong, status in (("x", 422), (str(owner.pk), 404)):
        assert mine.post(template(system, "en/try"), {"decision": wrong}).status_code == status
    draft = LetterTemplate.objects.get()
    assert "It is not submitted yet" not in theirs.get(template(system, "en/")).content.decode()
    sent = {"base": draft.revision, "note": "As the desk wants it."}
    assert theirs.post(template(system, "en/submit"), sent).status_code == 302
    assert theirs.get(template(system, "en/edit")).status_code == 302, "it waits"
    page = mine.get(template(system, "en/")).content.decode()
    assert "As the desk wants it." in page and "Publish what stands here" in page
    assert mine.post(template(system, "en/send-back"), {"reason": " "}).status_code == 422
    assert mine.post(template(system, "en/send-back"), {"reason": "Name the <b>."}).status_code == 302
    draft.refresh_from_db()
    assert "Name the &lt;b&gt;." in theirs.get(template(system, "en/")).content.decode()
    assert theirs.post(template(system, "en/submit"), {"base": draft.revision}).status_code == 302
    draft.refresh_from_db()
    stale = mine.post(template(system, "en/publish"), {"base": draft.revision + 1})
    assert stale.status_code == 409
    assert mine.post(template(system, "en/publish"), {"base": draft.revision}).status_code == 302
    assert "number 1 in force" in mine.get(template(system, "en/")).content.decode()


def test_two_windows_overwrite_nothing(system: AISystem, owner: Person) -> None:
    mine = browser(owner)
    mine.post(template(system, "en/edit"), typed())
    other = mine.post(template(system, "en/edit"), typed(contact="From the other window"))
    assert other.status_code == 422
    assert "From the other window" in other.content.decode()
    assert LetterTemplate.objects.get().contact == ""


def test_drafts_are_hidden_from_who_only_looks(system: AISystem, owner: Person) -> None:
    letters.publish(system, by=owner)
    letters.save(system, owner, text="A secret plan: {outcome}")
    looking = browser(make_person(viewer=True))
    page = looking.get(template(system, "en/")).content.decode()
    assert "secret plan" not in page and "number 1 in force" in page
    assert "Drafts" not in looking.get(template(system)).content.decode()
    assert looking.get(template(system, "en/edit")).status_code == 404
    assert looking.get(template(system, "de/")).status_code == 404
    assert looking.post(template(system, "en/give-up")).status_code == 403
    assert browser(make_person()).get(template(system)).status_code == 404
    assert browser(owner).get(template(system, "NOT A TAG/")).status_code == 404


def test_a_draft_of_a_template_stands_under_my_work_of_who_may_publish_it(system: AISystem, owner: Person) -> None:
    writer = cards.writer_of(system)
    letters.submit(writer, letters.save(system, writer))
    asked = f'href="/admin/systems/{system.pk}/letters/en/">{writer} asks to publish a template of letters (en)</a>'
    assert asked in browser(owner).get("/admin/mine/").content.decode()
    assert asked not in browser(writer).get("/admin/mine/").content.decode()
    LetterTemplate.objects.update(written_by=[owner.pk, writer.pk])
    assert "publish a template" not in browser(owner).get("/admin/mine/").content.decode()


def test_saving_a_draft_is_one_look_and_a_refusal_is_one(decision: SealedDecision, owner: Person) -> None:
    client = Client()
    client.force_login(owner)
    address = f"/admin/decisions/{decision.id}/letter"
    client.post(address, {"language": "en"})
    looks = Entry.objects.filter(about_id=decision.id, kind="payload.viewed")
    before = looks.count()
    saved = client.post(address, {"text": "Dear customer.", "addressee": ""})
    assert (saved.status_code, looks.count()) == (302, before)
    client.get(address)
    assert looks.count() == before + 1
    with time_machine.travel(timezone.now() + timedelta(minutes=2)):
        assert client.post(address, {"text": "", "addressee": ""}).status_code == 422
    assert looks.count() == before + 2


def test_each_opening_of_a_draft_is_a_look_at_the_payload(decision: SealedDecision, owner: Person) -> None:
    client = Client()
    client.force_login(owner)
    client.post(f"/admin/decisions/{decision.id}/letter", {"language": "en"})
    looks = Entry.objects.filter(about_id=decision.id, kind="payload.viewed")
    before = looks.count()
    for page, minutes in (("letter", 2), ("letter/look", 4)):
        with time_machine.travel(timezone.now() + timedelta(minutes=minutes)):
            assert client.get(f"/admin/decisions/{decision.id}/{page}").status_code == 200
    found = [json.loads(bytes(entry.data))["body"]["parts"] for entry in looks.order_by("id")]
    assert found[before:] == [["letter-draft"], ["letter-draft"]]
    assert (
        "was shown the draft of an explanation letter"
        in client.get(f"/admin/decisions/{decision.id}/").content.decode()
    )


def test_the_footer_of_a_letter_is_in_its_language_and_not_in_english(decision: SealedDecision, owner: Person) -> None:
    letter = letters.issue(decision, owner, "de", text="Guten Tag.\n")
    client = Client()
    client.force_login(owner)
    page = client.post(f"/admin/letters/{letter.pk}/").content.decode()
    assert '<footer lang="de" dir="ltr">' in page and "Prüfschlüssel" in page
    assert "SHA-256 over" not in page


def test_nothing_of_what_a_leaver_was_writing_stays(decision: SealedDecision, owner: Person) -> None:
    dpo = make_person(dpo=True)
    for person in (owner, dpo):
        begin_letter(actor=actor_of(person), decision_id=decision.id, language="en")
    leave(actor=actor_of(make_person(administrator=True)), person_id=dpo.pk)
    assert [draft.author_id for draft in LetterDraft.objects.all()] == [owner.pk]


def test_the_language_that_most_letters_are_in_is_chosen_first(
    system: AISystem, decision: SealedDecision, owner: Person
) -> None:
    letters.publish(system, "de", by=owner)
    assert languages_for(system.pk)[:2] == ["en", "de"]
    letters.issue(decision, owner, "de")
    assert languages_for(system.pk)[:2] == ["de", "en"]
