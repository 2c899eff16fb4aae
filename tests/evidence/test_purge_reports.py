"""The report of a purge: under which class what went, by which law and for which purpose, and what kept things back."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from audit.models import Case, Purge, RetentionClass
from audit.services.holds import place_hold
from config.ids import new_id
from evidence.erasure.errors import NoDocument, PurgeDiffers
from evidence.models import ExplanationLetter, SignedDocument
from evidence.retention.reports import one_line, report_of
from evidence.services import purges
from evidence.services.purges import hold_purge, run_purges
from evidence.services.retention import approve_rule, register_class, request_rule
from evidence.verification import verify_everything
from governance.models import AISystem
from ledger.entries import timestamp
from ledger.models import Entry
from ledger.selectors import registry_log
from ledger.signing import signers_for, verifier_keys
from ledger.tlog import Verifier, open_note, sign_note
from overrides.models import Override
from overrides.services.overriding import override_decision
from tests.factories import letters
from tests.factories.cases import make_led_case
from tests.factories.erasing import (
    SECONDS,
    agreeing,
    erase_words,
    long_ago,
    officer,
    put_in_force,
    written,
)
from tests.factories.purging import announced, hold, old, purged, reported, said
from tests.factories.register import actor_of, make_person, make_system

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit", accountable=make_person())


def by_class(system: AISystem, **words: str) -> RetentionClass:
    """A class in force for payloads, in these words."""
    given = {"name": "Credit", "floor_source": "Section 18a", "purpose": "Complaints", "why_lower": "Agreed"} | words
    with long_ago(days=2, hours=1):
        made = register_class(actor=actor_of(officer()), kind="payloads", floor_days=20, ceiling_days=30, **given)
        rule = request_rule(actor=actor_of(officer()), class_id=made.pk, system_id=system.pk, reason="As agreed.")
        approve_rule(actor=actor_of(agreeing(system)), rule_id=rule.pk)
    return made


def test_it_names_the_class_its_law_and_its_purpose(system: AISystem) -> None:
    chosen = by_class(system)
    old(system)
    (part,) = reported(purged())
    assert part["class"] == f"{chosen.pk} Credit"
    assert (part["floor"], part["ceiling"]) == ("20 days; Section 18a", "30 days; Complaints")
    assert (part["took"], part["kept"], part["held"], part["in_process"]) == ("1", "0", "0", "0")
    (entry,) = said("retention.concluded")
    assert (entry["parts"][0]["class"], entry["parts"][0]["kept"]) == (str(chosen.pk), 0)


def test_it_says_which_holds_kept_how_many_and_what_is_still_worked_on(system: AISystem) -> None:
    put_in_force("payloads", system, ceiling=30)
    spanned = [old(system, days=90 - number) for number in range(3)]
    in_a_case, at_work, _ = old(system, days=70), old(system, days=65), old(system, days=60)
    span = hold(system, *spanned)
    case, lead = make_led_case(system, decisions=[in_a_case, spanned[0]])
    of_case = place_hold(actor=actor_of(lead), case_id=case.pk, reason="Evidence.")
    make_led_case(system, decisions=[at_work])
    purge = purged()
    (part,) = reported(purge)
    assert (part["took"], part["kept"], part["held"], part["in_process"]) == ("1", "5", "4", "1")
    assert part["hold"].splitlines() == [f"{span.pk} 3", f"{of_case.pk} 2"], "one decision is under both"
    assert list(verify_everything()) == []


def test_what_is_kept_back_is_counted_once_whatever_the_slices(
    system: AISystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purges, "LOOKED_AT", 4)
    monkeypatch.setattr(purges, "ROWS_AT_ONCE", 1)
    put_in_force("payloads", system, ceiling=30)
    kept = [old(system, days=90 - 2 * number) for number in range(4)]
    for number in range(4):
        old(system, days=89 - 2 * number)
    for each in kept:
        hold(system, each)
    (part,) = reported(purged())
    assert (part["took"], part["held"], part["kept"]) == ("4", "4", "4")
    assert sorted(line.split()[1] for line in part["hold"].splitlines()) == ["1"] * 4


def test_of_many_holds_those_that_keep_most_are_named(system: AISystem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purges, "HOLDS_NAMED", 1)
    put_in_force("payloads", system, ceiling=30)
    several = hold(system, old(system, days=90), old(system, days=89))
    hold(system, old(system, days=80))
    (part,) = reported(purged())
    assert part["hold"].splitlines() == [f"{several.pk} 2", "1 more"]


def test_of_what_people_wrote_about_decisions_and_in_letters_the_holds_are_told(system: AISystem) -> None:
    owner = agreeing(system)
    letters.publish(system, by=owner)
    for kind in ("people_said", "letters"):
        put_in_force(kind, system, ceiling=30)
    decision = old(system, outcome="approved")
    with written(days=60):
        made = override_decision(
            actor=actor_of(owner), decision_id=decision.id, outcome="refused", reason_code="other", note="Ada said so."
        )
        letter = letters.issue(decision, owner, addressee="Ada")
    then = timezone.now() - timedelta(days=60)
    Override.objects.filter(pk=made.pk).update(created_at=then)
    ExplanationLetter.objects.filter(pk=letter.pk).update(issued_at=then)
    placed = hold(system, decision)
    parts = {part["data"]: part for part in reported(purged())}
    for kind in ("people_said", "letters"):
        assert (parts[kind]["took"], parts[kind]["held"], parts[kind]["hold"]) == ("0", "1", f"{placed.pk} 1")


def test_of_what_was_written_in_cases_their_hold_is_told(system: AISystem) -> None:
    put_in_force("cases", system, ceiling=30)
    case, lead = make_led_case(system, title="About Ada")
    placed = place_hold(actor=actor_of(lead), case_id=case.pk, reason="Evidence.")
    then = timezone.now() - timedelta(days=60)
    Case.objects.filter(pk=case.pk).update(concluded_at=then, closed_at=then, status="closed")
    (part,) = reported(purged())
    assert part["system"] == "none" and part["took"] == "0" and int(part["held"]) == int(part["kept"]) > 0
    assert part["hold"] == f"{placed.pk} {part['held']}"


def test_what_was_kept_out_is_told(system: AISystem) -> None:
    other = make_system(slug="other", accountable=make_person())
    for each in (system, other):
        put_in_force("payloads", each, ceiling=30)
        old(each)
    purge = announced()
    hold_purge(actor=actor_of(agreeing(system)), purge_id=purge.pk, reason="A claim came in.")
    run_purges(seconds=SECONDS)
    purge.refresh_from_db()
    parts = {part["system"]: part for part in reported(purge)}
    assert "kept it out" in parts[f"{system.pk} credit"]["stopped"]
    assert "stopped" not in parts[f"{other.pk} other"]


# --- what stands in it ------------------------------------------------------------------------------------------------
def test_no_words_of_a_class_make_a_line_of_their_own(system: AISystem) -> None:
    forged = "A law\ntook: 0\r\u2028kept: 0\n\n\u2014 key signature\x1b\u202e"
    by_class(system, floor_source=forged)
    old(system)
    (part,) = reported(purged())
    assert part["took"] == "1" and part["kept"] == "0"
    assert part["floor"] == "20 days; A law took: 0 kept: 0 \u2014 key signature"
    assert one_line(" \t\n") == ""


def test_erased_words_of_a_class_stand_in_no_report_any_more(system: AISystem) -> None:
    by_class(system, purpose="Since Ada Lovelace complained", name="Lovelace")
    old(system)
    purge = purged()
    assert "Ada Lovelace" in report_of(purge)
    erase_words("Ada Lovelace")
    (part,) = reported(purge)
    assert part["ceiling"] == "30 days; (its words were erased)"
    assert "Lovelace" not in report_of(purge)
    assert not SignedDocument.objects.filter(note__contains="Lovelace").exists()


@pytest.mark.parametrize(
    "changed",
    [{"count": 0}, {"kept": 7}, {"digest": "0" * 64}, {"class": str(new_id())}, {"held": 3}, {"system": None}],
)
def test_what_the_entry_does_not_say_is_not_signed(system: AISystem, changed: dict[str, Any]) -> None:
    put_in_force("payloads", system, ceiling=30)
    old(system)
    purge = purged()
    assert reported(purge)
    for done in ([purge.done[0] | changed], [*purge.done, purge.done[0]], []):
        Purge.objects.filter(pk=purge.pk).update(done=done)
        with pytest.raises(PurgeDiffers):
            report_of(Purge.objects.get(pk=purge.pk))


@pytest.mark.parametrize(
    "changed",
    [
        {"holds": [{"id": str(new_id()), "count": 1}]}, {"more_holds": 4}, {"in_process": 2}, {"replaced": True},
        {"before": "2020-01-01T00:00:00.000000Z"},
    ],
)  # fmt: skip
def test_what_no_entry_says_in_clear_is_not_signed_either(system: AISystem, changed: dict[str, Any]) -> None:
    """The state of the row is sealed too, and the entry of its end commits to it."""
    put_in_force("payloads", system, ceiling=30)
    hold(system, old(system, days=90))
    old(system)
    purge = purged()
    assert reported(purge)
    Purge.objects.filter(pk=purge.pk).update(done=[purge.done[0] | changed])
    with pytest.raises(PurgeDiffers):
        report_of(Purge.objects.get(pk=purge.pk))


@pytest.mark.parametrize("column", ["announced_at", "runs_at", "done_at", "stopped"])
def test_no_other_time_is_signed_than_was_sealed(system: AISystem, column: str) -> None:
    put_in_force("payloads", system, ceiling=30)
    old(system)
    purge = purged()
    at = timezone.now()
    values = {"stopped": {str(system.pk): timestamp(at)}, "announced_at": at - timedelta(days=300)}
    Purge.objects.filter(pk=purge.pk).update(**{column: values.get(column, at)})
    with pytest.raises(PurgeDiffers):
        report_of(Purge.objects.get(pk=purge.pk))


@pytest.mark.parametrize(
    "changed", [{"name": "Other"}, {"floor_source": "No law"}, {"purpose": ""}, {"floor_days": 0}, {"ceiling_days": 99}]
)
def test_no_other_words_or_days_of_a_class_are_signed(system: AISystem, changed: dict[str, Any]) -> None:
    chosen = by_class(system)
    old(system)
    purge = purged()
    assert reported(purge)
    RetentionClass.objects.filter(pk=chosen.pk).update(**changed)
    with pytest.raises(PurgeDiffers):
        report_of(purge)


def test_no_other_name_of_an_ai_system_is_signed(system: AISystem) -> None:
    put_in_force("payloads", system, ceiling=30)
    old(system)
    purge = purged()
    AISystem.objects.filter(pk=system.pk).update(slug="another")
    with pytest.raises(PurgeDiffers):
        report_of(purge)


def test_before_it_is_over_there_is_none(system: AISystem) -> None:
    put_in_force("payloads", system, ceiling=30)
    old(system)
    with pytest.raises(NoDocument):
        report_of(announced())


# --- those of before --------------------------------------------------------------------------------------------------
def test_a_report_of_the_first_version_is_handed_out_as_it_was_signed(system: AISystem) -> None:
    put_in_force("payloads", system, ceiling=30)
    old(system)
    purge, origin = purged(), registry_log().origin
    text = f"answerable/purge-report/v1\nby: {origin}\npurge: {purge.pk}\ntook: payloads of {system.pk}: 1\n"
    note = sign_note(text, signers_for(origin))
    SignedDocument.objects.create(kind=SignedDocument.Kind.PURGE, about_id=purge.pk, note=note)
    assert report_of(purge) == note
    assert open_note(note, [Verifier.from_vkey(vkey) for vkey in verifier_keys(origin)]).text == text


def test_of_a_purge_that_was_over_before_it_was_counted_the_rest_is_told(system: AISystem) -> None:
    """One that ended, or was half way through, under the version before: its walk and its parts say nothing of it."""
    put_in_force("payloads", system, ceiling=30)
    kept = old(system, days=90)
    old(system)
    hold(system, kept)
    purge = announced()
    walk = {"0": {"table": 0, "after": None, "is_over": False}}
    Purge.objects.filter(pk=purge.pk).update(walk=walk)
    run_purges(seconds=SECONDS)
    purge.refresh_from_db()
    (part,) = reported(purge)
    assert (part["took"], part["kept"]) == ("1", "1")
    assert "held" not in part and "hold" not in part
    assert Entry.objects.filter(about_id=purge.pk, kind="retention.concluded").count() == 1
