"""Explanation letters: told from what was sealed, issued once, checkable, corrected, withdrawn; and by whom."""

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.errors import DecisionNotFound
from audit.selectors import SealedDecision, decision_by_id
from config.errors import Forbidden, InvalidInput
from config.ids import new_id
from evidence.letters.drafts import snapshot_of
from evidence.letters.errors import (
    LetterDraftNotFound,
    LetterFactsChanged,
    LetterIncomplete,
    LetterKeyTaken,
    LetterNotFound,
    LetterNotInForce,
    LetterReplaced,
)
from evidence.letters.footer import footer_of
from evidence.letters.reading import letters_about, place_of
from evidence.models import ExplanationLetter, LetterDraft
from evidence.services.letter_drafts import (
    begin_letter,
    draft_of,
    forget_letter_drafts,
    issue_draft,
    look_again,
    save_letter_draft,
)
from evidence.services.letters import compose_letter, issue_letter, read_letter, try_template, withdraw_letter
from governance.acts import Role
from governance.letter_templates.errors import LetterTemplateNotFound
from governance.models import AISystem, Person
from governance.scopes import Scope
from ledger.entries import COMMAND
from ledger.models import Entry
from overrides.review_errors import HiddenWhileBlind
from overrides.services.appeals import open_appeal
from overrides.services.claiming import claim
from overrides.services.deciding import Answer, submit
from overrides.services.overriding import override_decision
from overrides.services.queues import publish_reasons
from tests.factories import cards, letters
from tests.factories.cases import make_led_case
from tests.factories.erasing import erase
from tests.factories.record import record_decision
from tests.factories.register import actor_of, give_role, make_person, make_system
from tests.factories.reviews import make_queue, make_rule, open_review

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> Person:
    return make_person(name="Otto Owner")


@pytest.fixture
def system(owner: Person) -> AISystem:
    found = make_system(slug="credit")
    give_role(owner, Role.ACCOUNTABLE, Scope.system(found.pk))
    return found


@pytest.fixture
def decision(system: AISystem) -> SealedDecision:
    cards.publish(system)
    letters.publish(system)
    return record_decision(system, outcome="refused", adverse=True, card=1)


def body_of(entry_about: Any, kind: str) -> dict[str, Any]:
    found = Entry.objects.filter(about_id=entry_about, kind=kind).latest("id")
    return dict(json.loads(bytes(found.data))["body"])


def composed(decision: SealedDecision, person: Person, language: str = "en") -> Any:
    return compose_letter(actor=actor_of(person), decision_id=decision.id, language=language)


# --- what it says -----------------------------------------------------------------------------------------------------
def test_it_says_outcome_reasons_role_people_and_contact_in_the_templates_words(
    decision: SealedDecision, owner: Person
) -> None:
    found = composed(decision, owner)
    until = timezone.localdate() + timedelta(days=30)
    assert found.filled.missing == ()
    assert found.filled.text.splitlines()[2:] == [
        f"Decided on {timezone.localtime(decision.occurred_at):%-d %B %Y}: Your application was refused.",
        "",
        "- Payments came late",
        "",
        "The AI system decides such matters by itself. No person took part in this decision. "
        f"Write to Customer desk until {until:%-d %B %Y}.",
    ]
    assert {"purpose": "Decides on higher limits.", "responsible": None}.items() <= {
        fact.name: fact.value for fact in found.gathered.facts
    }.items()
    assert found.gathered.warnings == ()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"reasons_most": 1}, ("Payments came late",)),
        ({"reasons_side": "positive"}, ("Your income",)),
        ({"reasons_side": "negative", "words": ""}, ("Late payments",)),
    ],
)
def test_reasons_are_those_that_the_template_asks_for(
    system: AISystem, owner: Person, said: dict[str, Any], told: tuple[str, ...]
) -> None:
    letters.publish(system, **said)
    assert composed(record_decision(system), owner).gathered.values()["reasons"] == told


@pytest.mark.parametrize(
    ("adverse", "told"),
    [(True, ("Late payments",)), (False, ("Income",)), (None, ("Late payments", "Income"))],
)
def test_the_main_reasons_are_those_on_the_side_of_the_outcome(
    system: AISystem, owner: Person, adverse: bool | None, told: tuple[str, ...]
) -> None:
    assert composed(record_decision(system, adverse=adverse), owner).gathered.values()["reasons"] == told


def test_reasons_of_both_sides_are_warned_of_where_a_template_wants_all(system: AISystem, owner: Person) -> None:
    letters.publish(system, reasons_side="all")
    found = composed(record_decision(system, outcome="refused", adverse=True), owner)
    assert any("weigh the other way" in each for each in found.gathered.warnings)


def explained(*reasons: tuple[str, float]) -> dict[str, Any]:
    said = [{"code": code, "text": f"About {code}", "weight": weight} for code, weight in reasons]
    return {"input": {"a": 1}, "explanation": {"reasons": said}}


def test_what_weighs_nothing_is_no_reason(system: AISystem, owner: Person) -> None:
    parts = explained(("AGE", 0), ("LATE", -0.4), ("INC", 0.0))
    assert composed(record_decision(system, parts=parts), owner).gathered.values()["reasons"] == ("About LATE",)


def test_words_may_depend_on_the_direction(system: AISystem, owner: Person) -> None:
    letters.publish(system, reasons_side="all", words="INC- = Your income is low\nINC+ = Your income is high\nX = Both")
    for weight, said in ((-0.3, "Your income is low"), (0.3, "Your income is high")):
        parts = explained(("INC", weight), ("X", weight / 2))
        assert composed(record_decision(system, parts=parts), owner).gathered.values()["reasons"] == (said, "Both")


def test_reasons_of_the_other_side_alone_are_not_told_as_the_main_ones(system: AISystem, owner: Person) -> None:
    found = composed(record_decision(system, adverse=True, parts=explained(("INC", 0.3))), owner)
    assert "reasons" not in found.gathered.values()
    assert any("side of this outcome" in each for each in found.gathered.warnings)


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", ("Letter", "check key")), ("de", ("Schreiben", "Prüfschlüssel")), ("fr", ("Lettre", "clé de contrôle"))],
)
def test_the_footer_is_short_and_in_the_letters_language(
    decision: SealedDecision, owner: Person, language: str, words: tuple[str, str]
) -> None:
    letter = letters.issue(decision, owner, language, text="A letter.\n")
    footer = footer_of(letter, place_of(letter))
    said = " ".join(footer.lines)
    assert (footer.language, len(footer.lines)) == (language, 2)
    assert all(each in said for each in (*words, str(letter), letter.digest, letter.check_key))


def test_a_footer_that_nobody_wrote_in_its_language_is_in_english_as_a_whole(system: AISystem, owner: Person) -> None:
    letters.publish(system, "pl", text="Dzien dobry.")
    letter = letters.issue(record_decision(system), owner, "pl", text="Dzien dobry.\n")
    withdraw_letter(actor=actor_of(owner), letter_id=letter.pk, reason="Wrong.")
    letter.refresh_from_db()
    footer = footer_of(letter, place_of(letter))
    assert (footer.language, len(footer.lines)) == ("en", 3)
    assert "Withdrawn on" in footer.lines[-1]


def test_only_the_names_of_data_are_told_never_their_values(system: AISystem, owner: Person) -> None:
    sent = {"number": 4711, "person": {"home_town": "Graz", "x": None}, "list": [1]}
    found = composed(record_decision(system, parts={"input": sent}), owner)
    assert found.gathered.values()["data_used"] == ("number", "home town", "x", "list")
    assert "4711" not in found.filled.text and "Graz" not in found.filled.text


@pytest.mark.parametrize("explanation", [b"[1,2]", b'{"shap":{"a":1}}', b'{"reasons":[{"weight":"much"}]}', b"null"])
def test_an_explanation_of_another_shape_gives_no_reasons_and_is_said(
    system: AISystem, owner: Person, explanation: bytes
) -> None:
    parts = {"input": {"a": 1}, "explanation": json.loads(explanation)}
    found = composed(record_decision(system, parts=parts, adverse=True, outcome="refused"), owner)
    assert "reasons" in found.filled.missing
    assert any("no reasons are stored" in each for each in found.gathered.warnings)


def test_without_template_card_or_contact_ours_is_used_and_each_lack_is_said(system: AISystem, owner: Person) -> None:
    found = composed(record_decision(system), owner)
    assert found.wording.is_ours
    said = " ".join(found.gathered.warnings)
    assert all(words in said for words in ("our own template", "No system card", "Nobody is named", "names no time"))
    assert {"purpose", "contact", "responsible"} <= set(found.filled.missing)
    with pytest.raises(LetterIncomplete) as refused:
        issue_letter(actor=actor_of(owner), decision_id=found.decision.id, language="en")
    assert any("{contact} is not known" in problem.detail for problem in refused.value.errors)
    assert not ExplanationLetter.objects.exists()


def test_in_a_language_without_phrases_the_template_brings_them_or_they_are_missing(
    system: AISystem, owner: Person
) -> None:
    made = record_decision(system)
    with pytest.raises(LetterTemplateNotFound):
        composed(made, owner, "it")
    letters.publish(system, "it", words="say:role.sole = Il sistema decide da solo.")
    found = composed(made, owner, "it")
    assert "Il sistema decide da solo. {who_decided}" in found.filled.text
    assert found.filled.missing == ("who_decided",)


def test_a_review_is_told_by_role_and_by_name_only_where_the_template_says_so(system: AISystem, owner: Person) -> None:
    review = reviewed(system, owner, verdict="confirm")
    letters.publish(system)
    made = record_of(review)
    day = f"{timezone.localdate():%-d %B %Y}"
    with time_machine.travel(timezone.now() + timedelta(minutes=1), tick=False):
        said = composed(made, owner).gathered.values()["who_decided"]
        assert said == f"The person accountable for the AI system looked at it on {day} and confirmed it."
        letters.publish(system, names_staff=True)
        named = composed(made, owner)
    assert "Otto Owner (The person accountable for the AI system) looked" in str(named.gathered.values()["who_decided"])
    assert "The template names members of staff." in named.gathered.warnings


def test_a_review_that_waits_is_told_as_waiting(system: AISystem, owner: Person) -> None:
    letters.publish(system)
    review = open_review(system, rule=make_rule(system, make_queue(owner, system=system)))
    found = composed(record_of(review), owner)
    assert "A person has yet to look at it." in found.filled.text
    assert any("may not be the last word" in each for each in found.gathered.warnings)


def test_overrides_and_appeals_are_told_in_order(decision: SealedDecision, owner: Person) -> None:
    overridden(decision, owner, "approved")
    open_appeal(
        actor=actor_of(make_person(viewer=True)), decision_id=decision.id, ground_code="wrong-data", statement="No."
    )
    followed = composed(decision, owner).gathered.values()["what_followed"]
    assert [each.split(" on ")[0] for each in followed] == [
        "The person accountable for the AI system decided otherwise",
        "It was contested",
    ]
    assert composed(decision, owner).gathered.values()["outcome_now"] == "Your application was granted."


# --- issuing ----------------------------------------------------------------------------------------------------------
def test_an_issued_letter_is_numbered_sealed_and_checkable_by_who_holds_it(
    decision: SealedDecision, owner: Person
) -> None:
    letter = letters.issue(decision, owner, addressee="Ada Lovelace\nBath")
    assert letter.reference == f"L-{timezone.now().year}-0001"
    body = body_of(letter.pk, "letter.issued")
    assert body["digest"] == hashlib.sha256(bytes.fromhex(letter.check_key) + letter.text.encode()).hexdigest()
    assert (body["letter"], body["decision"], body["template"]) == (letter.reference, str(decision.id), 1)
    assert (body["is_edited"], place_of(letter).log.system_id) == (False, decision.system_id)
    assert b"Ada" not in bytes(place_of(letter).entry.data)
    assert body_of(decision.id, "payload.viewed")["parts"] == ["input", "explanation"]


def test_what_somebody_wrote_is_what_is_issued_and_said_to_be_edited(decision: SealedDecision, owner: Person) -> None:
    letter = letters.issue(decision, owner, text="Dear Ada,\r\n\r\n<script>alert(1)</script>  \r\n")
    assert letter.text == "Dear Ada,\n\n<script>alert(1)</script>\n"
    assert letter.is_edited


@pytest.mark.parametrize("text", ["", " \n", "x" * 12_001, "a\x07b", "\u202eb", "Write to {contact}.", "{no_such}"])
def test_a_text_with_a_gap_or_without_sense_is_not_issued(decision: SealedDecision, owner: Person, text: str) -> None:
    with pytest.raises(InvalidInput):
        letters.issue(decision, owner, text=text)
    assert not ExplanationLetter.objects.exists()


def test_two_clicks_issue_one_letter_and_a_key_is_for_one(decision: SealedDecision, owner: Person) -> None:
    key = new_id()
    assert letters.issue(decision, owner, key=key) == letters.issue(decision, owner, key=key)
    other = record_decision(AISystem.objects.get())
    with pytest.raises(LetterKeyTaken):
        letters.issue(other, owner, key=key)
    assert ExplanationLetter.objects.count() == 1


def test_a_repeat_tells_nothing_to_who_may_not_write_it_any_more(decision: SealedDecision, owner: Person) -> None:
    key = new_id()
    letters.issue(decision, owner, key=key)
    owner.assignments.update(ends_at=timezone.now() - timedelta(seconds=1))
    for asked in (key, new_id()):
        with pytest.raises(DecisionNotFound):
            letters.issue(decision, owner, key=asked)


def test_what_changed_since_it_was_written_is_named_and_nothing_issued(decision: SealedDecision, owner: Person) -> None:
    seen = composed(decision, owner).asked()
    with time_machine.travel(timezone.now() + timedelta(days=2), tick=False), pytest.raises(LetterFactsChanged) as late:
        letters.issue(decision, owner, text="As I wrote.", seen=seen)
    assert [problem.pointer for problem in late.value.errors] == ["/facts/contest_until"]
    letters.publish(AISystem.objects.get(), contest_days=14)
    with pytest.raises(LetterFactsChanged) as other:
        letters.issue(decision, owner, text="As I wrote.", seen=seen)
    assert "/facts/template" in [problem.pointer for problem in other.value.errors]
    assert not ExplanationLetter.objects.exists()
    assert letters.issue(decision, owner, text="As I wrote.", seen=composed(decision, owner).asked())


def test_a_correction_names_the_one_it_replaces_and_each_is_replaced_once(
    decision: SealedDecision, owner: Person
) -> None:
    first = letters.issue(decision, owner)
    second = letters.issue(decision, owner, replaces_id=first.pk)
    assert body_of(second.pk, "letter.issued")["replaces"] == first.reference
    elsewhere = letters.issue(record_decision(AISystem.objects.get()), owner)
    for wrong in (first.pk, elsewhere.pk, new_id()):
        with pytest.raises(LetterReplaced):
            letters.issue(decision, owner, replaces_id=wrong)
    newest, oldest = letters_about(decision.id)
    assert (newest.stands, oldest.stands) == (True, False)
    with pytest.raises(IntegrityError), transaction.atomic():
        ExplanationLetter.objects.filter(pk=elsewhere.pk).update(replaces=first)


def test_withdrawing_takes_a_reason_and_is_sealed_once(decision: SealedDecision, owner: Person) -> None:
    letter = letters.issue(decision, owner)
    with pytest.raises(InvalidInput):
        withdraw_letter(actor=actor_of(owner), letter_id=letter.pk, reason=" ")
    withdrawn = withdraw_letter(actor=actor_of(owner), letter_id=letter.pk, reason="It named another customer.")
    assert (withdrawn.status, withdrawn.stands) == ("withdrawn", False)
    body = body_of(letter.pk, "letter.withdrawn")
    assert body["letter"] == letter.reference and "reason" in body
    with pytest.raises(LetterNotInForce):
        withdraw_letter(actor=actor_of(owner), letter_id=letter.pk, reason="Again.")


def test_after_erasure_a_letter_can_still_be_written_by_hand_and_says_why(
    decision: SealedDecision, owner: Person
) -> None:
    erase(decision.id)
    found = composed(decision, owner)
    assert any("were erased" in each for each in found.gathered.warnings)
    assert "reasons" in found.filled.missing
    assert letters.issue(decision, owner, text="The reasons are not kept any more.")


# --- drafts -----------------------------------------------------------------------------------------------------------
def test_a_draft_is_ones_own_kept_until_it_is_issued_and_forgotten_in_time(
    decision: SealedDecision, owner: Person
) -> None:
    first = begin(decision, owner)
    assert (first.text, snapshot_of(first).missing) == (composed(decision, owner).filled.text, [])
    assert save(decision, owner, "Two").pk == first.pk
    found = draft_of(actor_of(owner), decision.id)
    assert found is not None and (found.text, found.addressee) == ("Two\n", "")
    dpo = make_person(dpo=True)
    assert draft_of(actor_of(dpo), decision.id) is None
    with pytest.raises(LetterDraftNotFound):
        save(decision, dpo, "Not mine")
    letter = issue_draft(actor=actor_of(owner), decision_id=decision.id, draft_id=first.pk)
    assert issue_draft(actor=actor_of(owner), decision_id=decision.id, draft_id=first.pk) == letter
    assert (letter.key, letter.text, LetterDraft.objects.count()) == (first.pk, "Two\n", 0)
    begin(decision, owner)
    assert forget_letter_drafts() == 0
    with time_machine.travel(timezone.now() + timedelta(days=31), tick=False):
        assert forget_letter_drafts() == 1


def test_a_draft_whose_facts_changed_is_issued_once_they_were_looked_at(
    decision: SealedDecision, owner: Person
) -> None:
    draft = begin(decision, owner)
    save(decision, owner, "As I wrote.")
    letters.publish(AISystem.objects.get(), contest_days=14)
    with pytest.raises(LetterFactsChanged):
        issue_draft(actor=actor_of(owner), decision_id=decision.id, draft_id=draft.pk)
    again = look_again(actor=actor_of(owner), decision_id=decision.id)
    assert (again.text, snapshot_of(again).template) == ("As I wrote.\n", 2)
    assert issue_draft(actor=actor_of(owner), decision_id=decision.id, draft_id=draft.pk).text == "As I wrote.\n"


@pytest.mark.parametrize(("text", "addressee"), [("", ""), ("Dear \x00", ""), ("Dear Ada", "A" * 1001)])
def test_what_cannot_be_a_letter_is_not_kept(
    decision: SealedDecision, owner: Person, text: str, addressee: str
) -> None:
    begin(decision, owner)
    with pytest.raises(InvalidInput):
        save_letter_draft(actor=actor_of(owner), decision_id=decision.id, text=text, addressee=addressee)


def test_a_template_is_tried_with_a_decision_of_its_own_system(decision: SealedDecision, owner: Person) -> None:
    draft = letters.save(AISystem.objects.get(), owner, text="Tried: {outcome}")
    tried = try_template(actor=actor_of(owner), template=draft, decision_id=decision.id)
    assert tried.filled.text == "Tried: Your application was refused.\n"
    give_role(owner, Role.DPO)
    with pytest.raises(DecisionNotFound):
        try_template(actor=actor_of(owner), template=draft, decision_id=record_decision(make_system()).id)


# --- rights -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("role", [Role.ACCOUNTABLE, Role.DEPUTY, Role.DPO])
def test_who_answers_and_the_dpo_may(decision: SealedDecision, owner: Person, role: Role) -> None:
    person = owner
    if role != Role.ACCOUNTABLE:
        person = make_person()
        give_role(person, role, Scope.system(decision.system_id) if role == Role.DEPUTY else Scope())
    letter = letters.issue(decision, person)
    assert read_letter(actor=actor_of(person), letter_id=letter.pk).text


@pytest.mark.parametrize("role", [Role.TECHNICAL_OWNER, Role.OPERATOR, Role.REVIEWER, Role.AUDITOR, Role.VIEWER])
def test_others_who_see_the_decision_neither_write_read_nor_withdraw(
    decision: SealedDecision, owner: Person, role: Role
) -> None:
    person, letter = make_person(), letters.issue(decision, owner)
    give_role(person, role, Scope.system(decision.system_id) if role == Role.TECHNICAL_OWNER else Scope())
    for attempt in attempts(decision, letter):
        with pytest.raises(Forbidden):
            attempt(person)


def test_to_a_stranger_there_is_neither_decision_nor_letter(decision: SealedDecision, owner: Person) -> None:
    letter = letters.issue(decision, owner)
    for person in (make_person(), make_person(administrator=True)):
        for attempt in attempts(decision, letter):
            with pytest.raises((DecisionNotFound, LetterNotFound)):
                attempt(person)
    with pytest.raises(DecisionNotFound):
        compose_letter(actor=COMMAND, decision_id=decision.id, language="en")


def test_an_investigator_may_in_an_own_open_case_alone(decision: SealedDecision, owner: Person) -> None:
    investigator = make_person(investigator=True)
    with pytest.raises(Forbidden):
        letters.issue(decision, investigator)
    make_led_case(AISystem.objects.get(), lead=investigator, decisions=[decision])
    assert letters.issue(decision, investigator)


def test_reading_a_letter_is_sealed_before_it_is_shown(decision: SealedDecision, owner: Person) -> None:
    letter, dpo = letters.issue(decision, owner), make_person(dpo=True)
    read_letter(actor=actor_of(dpo), letter_id=letter.pk)
    entry = Entry.objects.filter(about_id=decision.id, kind="payload.viewed").latest("id")
    said = json.loads(bytes(entry.data))
    assert (said["body"]["parts"], said["actor"]["id"]) == (["letter"], str(dpo.pk))


def test_whoever_judges_it_blind_is_told_nothing(system: AISystem) -> None:
    judge = make_person()
    for role in (Role.DEPUTY, Role.REVIEWER):
        give_role(judge, role, Scope.system(system.pk))
    review = open_review(system, rule=make_rule(system, make_queue(judge, system=system), is_blind=True))
    claim(actor=actor_of(judge), review_id=review.pk)
    with pytest.raises(HiddenWhileBlind):
        letters.issue(record_of(review), judge)


# --- parts of the above -----------------------------------------------------------------------------------------------
def begin(decision: SealedDecision, person: Person) -> LetterDraft:
    return begin_letter(actor=actor_of(person), decision_id=decision.id, language="en")


def save(decision: SealedDecision, person: Person, text: str) -> LetterDraft:
    return save_letter_draft(actor=actor_of(person), decision_id=decision.id, text=text)


def attempts(decision: SealedDecision, letter: ExplanationLetter) -> list[Any]:
    return [
        lambda person: compose_letter(actor=actor_of(person), decision_id=decision.id, language="en"),
        lambda person: letters.issue(decision, person),
        lambda person: begin(decision, person),
        lambda person: save(decision, person, "Mine to write"),
        lambda person: read_letter(actor=actor_of(person), letter_id=letter.pk),
        lambda person: withdraw_letter(actor=actor_of(person), letter_id=letter.pk, reason="Mine."),
    ]


def reviewed(system: AISystem, owner: Person, verdict: str) -> Any:
    review = open_review(system, rule=make_rule(system, make_queue(owner, system=system)))
    work = claim(actor=actor_of(owner), review_id=review.pk)
    submit(actor=actor_of(owner), token=work.token, version=1, answer=Answer(decision=verdict))
    return review


def record_of(review: Any) -> SealedDecision:
    return decision_by_id(review.decision_id)


def overridden(decision: SealedDecision, owner: Person, outcome: str) -> None:
    administrator = actor_of(make_person(administrator=True))
    codes = [{"code": "other", "words": "Other", "for": ["modify", "override"]}]
    publish_reasons(actor=administrator, queue_id=None, codes=codes)
    override_decision(actor=actor_of(owner), decision_id=decision.id, outcome=outcome, reason_code="other", note="")
