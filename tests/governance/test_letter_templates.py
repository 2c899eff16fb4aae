"""Templates of explanation letters: checked when they are saved, published by another, nothing overwritten."""

import json
from dataclasses import replace
from datetime import date

import pytest
from django.db import IntegrityError, transaction

from config.errors import Forbidden, InvalidInput
from governance.acts import Role
from governance.errors import ApprovalForbidden, PersonNeeded
from governance.letter_templates.errors import (
    LetterTemplateChanged,
    LetterTemplateNotFound,
    LetterTemplateNotSubmitted,
    LetterTemplateUnchanged,
    LetterTemplateWaits,
)
from governance.letter_templates.facts import FACT_NAMES
from governance.letter_templates.languages import PHRASES, day_words, phrase
from governance.letter_templates.text import MAX_TEXT, BlockKind, blocks_of, filled, left_in, template_problems
from governance.letter_templates.wording import DEFAULTS
from governance.letter_templates.words import read_words
from governance.models import AISystem, LetterTemplate, Person
from governance.scopes import Scope
from governance.selectors import draft_template, template_in_force
from governance.services.letter_templates import (
    may_publish_template,
    publish_letter_template,
    return_letter_template,
    save_letter_template,
    withdraw_letter_template,
)
from ledger.entries import COMMAND, Actor
from ledger.models import Entry
from tests.factories.cards import publisher_of, writer_of
from tests.factories.letters import content, publish, save, submit
from tests.factories.register import actor_of, give_role, make_person, make_system


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit")


@pytest.fixture
def writer(system: AISystem) -> Person:
    return writer_of(system)


def details(text: str) -> list[str]:
    return [problem.detail for problem in template_problems(text)]


# --- the text ---------------------------------------------------------------------------------------------------------
def test_an_unknown_placeholder_is_refused_with_its_place() -> None:
    assert details("Dear {addressee},\n\nIt was {outcom}.\n") == [
        "Line 3, column 8: there is no fact called {outcom}. Did you mean {outcome}?"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Write the letter."),
        ("The reasons: {reasons}", "{reasons} becomes several lines"),
        ("A set {x, y}", "a brace that belongs to no fact"),
        ("} before", "Line 1, column 1: a brace"),
        ("Turned \u202e round", "a character that no letter needs"),
        ("a" * (MAX_TEXT + 1), "The text is too long."),
    ],
)
def test_what_no_template_may_hold(text: str, said: str) -> None:
    assert [said in each for each in details(text)] == [True]


@pytest.mark.parametrize("language", sorted(DEFAULTS))
def test_our_own_templates_are_sound_and_our_phrases_complete(language: str) -> None:
    assert details(DEFAULTS[language]) == []
    assert PHRASES[language].keys() == PHRASES["en"].keys()


def test_what_is_not_known_stays_and_is_named_and_an_empty_list_leaves_nothing() -> None:
    found = filled("{outcome} on {decided_on}\n\n{what_followed}\n\n{contact}", {"outcome": "No.", "what_followed": ()})
    assert found.text == "No. on {decided_on}\n\n\n{contact}\n"
    assert found.missing == ("decided_on", "contact")
    assert [problem.detail.split(":")[0] for problem in left_in(found.text)] == ["Line 1, column 8", "Line 4, column 1"]


def test_a_fact_makes_no_structure_and_no_placeholder() -> None:
    sent = ("# Heading\n- item {contact}\x00\u202e", "-5 degrees")
    found = filled("{reasons}\n\n{summary}", {"reasons": sent, "summary": "# A\n\n# B"})
    assert found.text == "- Heading - item (contact)\n- -5 degrees\n\nA # B\n"
    assert found.missing == ()


def test_a_text_is_read_as_headings_lists_and_paragraphs() -> None:
    blocks = blocks_of("# One\nline a\nline b\n\n- x\n- <b>y</b>\nafter\n# Two\n# Three\n")
    assert [(block.kind, block.lines) for block in blocks] == [
        (BlockKind.HEADING, ("One",)),
        (BlockKind.PARAGRAPH, ("line a", "line b")),
        (BlockKind.LIST, ("x", "<b>y</b>")),
        (BlockKind.PARAGRAPH, ("after",)),
        (BlockKind.HEADING, ("Two",)),
        (BlockKind.HEADING, ("Three",)),
    ]


def test_phrases_are_said_as_the_template_says_them_and_values_are_put_in_once() -> None:
    words = read_words("say:by.modified = {who}: {outcome}")
    assert phrase("by.modified", "xx", words, who="{outcome}", outcome="no") == "{outcome}: no"
    with pytest.raises(LookupError):
        phrase("by.system", "xx", words)


def test_days_are_in_words_where_the_language_is_known() -> None:
    day = date(2026, 3, 5)
    assert [day_words(day, each) for each in ("en", "de-AT", "fr", "tlh")] == [
        "5 March 2026",
        "5. März 2026",
        "5 mars 2026",
        "2026-03-05",
    ]


# --- services ---------------------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_a_template_is_written_by_one_and_published_by_another(system: AISystem, writer: Person) -> None:
    owner = publisher_of(system)
    saved = save(system, writer)
    with pytest.raises(LetterTemplateNotSubmitted):
        publish_letter_template(actor=actor_of(owner), system_id=system.pk, language="en", base=saved.revision)
    draft = submit(writer, saved, note="As the desk wants it.")
    with pytest.raises(ApprovalForbidden):
        publish_letter_template(actor=actor_of(writer), system_id=system.pk, language="en", base=draft.revision)
    with pytest.raises(LetterTemplateWaits):
        save(system, writer, base=draft.revision, contest_days=3)
    first = publish_letter_template(actor=actor_of(owner), system_id=system.pk, language="en", base=draft.revision)
    assert (first.number, first.status, first.published_by_id) == (1, "published", owner.pk)
    second = publish(system, writer=writer, by=owner, contest_days=14)
    first.refresh_from_db()
    assert (second.number, first.status, template_in_force(system.pk, "en")) == (2, "superseded", second)
    kinds = Entry.objects.filter(about_id__in=[first.pk, second.pk]).order_by("id").values_list("kind", flat=True)
    assert [kind.partition(".")[2] for kind in kinds] == [
        *["drafted", "submitted", "published"],
        *["drafted", "submitted", "superseded", "published"],
    ]
    data = Entry.objects.get(about_id=second.pk, kind="letter_template.published").data
    assert json.loads(bytes(data))["body"]["template"] == 2


@pytest.mark.django_db
def test_whoever_saved_last_does_not_publish_even_as_accountable(system: AISystem, writer: Person) -> None:
    owner, dpo = publisher_of(system), make_person(dpo=True)
    draft = submit(owner, save(system, owner))
    assert not may_publish_template(actor_of(owner), draft)
    with pytest.raises(ApprovalForbidden):
        publish_letter_template(actor=actor_of(owner), system_id=system.pk, language="en", base=draft.revision)
    published = publish_letter_template(actor=actor_of(dpo), system_id=system.pk, language="en", base=draft.revision)
    assert published.published_by_id == dpo.pk


@pytest.mark.django_db
def test_nobody_who_wrote_of_it_publishes_it(system: AISystem, writer: Person) -> None:
    owner, dpo = publisher_of(system), make_person(dpo=True)
    theirs = save(system, owner)
    draft = submit(writer, save(system, writer, base=theirs.revision, contest_days=21))
    assert draft.written_by == [owner.pk, writer.pk] and not may_publish_template(actor_of(owner), draft)
    with pytest.raises(ApprovalForbidden):
        publish_letter_template(actor=actor_of(owner), system_id=system.pk, language="en", base=draft.revision)
    published = publish_letter_template(actor=actor_of(dpo), system_id=system.pk, language="en", base=draft.revision)
    with pytest.raises(IntegrityError, match="letter_template_not_published_by_a_writer"), transaction.atomic():
        LetterTemplate.objects.filter(pk=published.pk).update(written_by=[dpo.pk])
    assert save(system, writer, contest_days=22).written_by == [writer.pk], "the next one begins anew"


@pytest.mark.django_db
def test_two_windows_lose_nothing_and_what_is_published_was_looked_at(system: AISystem, writer: Person) -> None:
    owner = publisher_of(system)
    draft = save(system, writer)
    again = save(system, writer, base=draft.revision)
    assert again.revision == draft.revision, "the same again is no change"
    changed = save(system, owner, base=draft.revision, contest_days=10)
    with pytest.raises(LetterTemplateChanged):
        submit(writer, again)
    for base in (None, draft.revision):
        with pytest.raises(LetterTemplateChanged):
            save(system, writer, base=base, contest_days=11)
    dpo = make_person(dpo=True)
    submit(writer, changed)
    with pytest.raises(LetterTemplateChanged):
        publish_letter_template(actor=actor_of(dpo), system_id=system.pk, language="en", base=draft.revision)
    assert changed.contest_days == 10


@pytest.mark.django_db
def test_it_goes_back_with_a_reason_and_comes_again(system: AISystem, writer: Person) -> None:
    owner, place = publisher_of(system), {"system_id": system.pk, "language": "en"}
    with pytest.raises(LetterTemplateNotSubmitted):
        return_letter_template(actor=actor_of(owner), reason="No.", **place)  # type: ignore[arg-type]
    draft = submit(writer, save(system, writer))
    with pytest.raises(InvalidInput):
        return_letter_template(actor=actor_of(owner), reason=" ", **place)  # type: ignore[arg-type]
    with pytest.raises(ApprovalForbidden):
        return_letter_template(actor=actor_of(make_person()), reason="No.", **place)  # type: ignore[arg-type]
    back = return_letter_template(actor=actor_of(owner), reason="Name the desk.", **place)  # type: ignore[arg-type]
    assert (back.status, back.answer) == ("draft", "Name the desk.")
    again = submit(writer, save(system, writer, base=back.revision, contact="Desk 3"))
    assert again.answer == ""
    taken = return_letter_template(actor=actor_of(writer), reason="One more thing.", **place)  # type: ignore[arg-type]
    assert (taken.status, draft.pk) == ("draft", taken.pk)


@pytest.mark.django_db
def test_a_template_that_says_the_same_gets_no_number(system: AISystem, writer: Person) -> None:
    publish(system, writer=writer)
    with pytest.raises(LetterTemplateUnchanged):
        publish(system, writer=writer)
    assert draft_template(system.pk, "en")
    withdraw_letter_template(actor=actor_of(writer), system_id=system.pk, language="en", reason="Nothing new.")
    with pytest.raises(LetterTemplateNotFound):
        withdraw_letter_template(actor=actor_of(writer), system_id=system.pk, language="en")


@pytest.mark.django_db
def test_each_language_has_a_template_of_its_own(system: AISystem, writer: Person) -> None:
    publish(system, "en", writer=writer)
    german = publish(system, "de-AT", writer=writer)
    assert (german.number, LetterTemplate.objects.filter(status="published").count()) == (1, 2)
    with pytest.raises(InvalidInput):
        save(system, writer, "English")


@pytest.mark.django_db
def test_everything_that_is_wrong_is_told_at_once(system: AISystem, writer: Person) -> None:
    wrong = replace(
        content(),
        text="{nothing}",
        words="late_payments\nx = 1\nx = 2\nsay:by.nobody = Who?",
        contact="c" * 1001,
        contest_days=0,
        reasons_most=99,
        reasons_side="both",
    )
    with pytest.raises(InvalidInput) as refused:
        save_letter_template(actor=actor_of(writer), system_id=system.pk, language="en", content=wrong)
    assert [problem.pointer for problem in refused.value.errors] == [
        "/text",
        *["/words"] * 3,
        "/contact",
        "/contest_days",
        "/reasons_most",
        "/reasons_side",
    ]
    assert not LetterTemplate.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("role", [Role.REVIEWER, Role.VIEWER, Role.AUDITOR, Role.ADMINISTRATOR])
def test_others_neither_write_nor_publish(system: AISystem, writer: Person, role: Role) -> None:
    person = make_person()
    give_role(person, role)
    draft = save(system, writer)
    with pytest.raises(Forbidden):
        save(system, person, base=draft.revision)
    with pytest.raises(ApprovalForbidden):
        publish_letter_template(actor=actor_of(person), system_id=system.pk, language="en", base=draft.revision)
    with pytest.raises(Forbidden):
        withdraw_letter_template(actor=actor_of(person), system_id=system.pk, language="en")


@pytest.mark.django_db
def test_a_right_in_another_system_is_none_here_and_no_program_writes(system: AISystem) -> None:
    elsewhere = make_person()
    give_role(elsewhere, Role.TECHNICAL_OWNER, Scope.system(make_system().pk))
    with pytest.raises(Forbidden):
        save(system, elsewhere)
    for actor in (COMMAND, Actor("service", make_person().pk)):
        with pytest.raises((Forbidden, PersonNeeded)):
            save_letter_template(actor=actor, system_id=system.pk, language="en", content=content())


def test_every_fact_says_what_it_is() -> None:
    assert all(each.about.endswith(".") for each in FACT_NAMES)
