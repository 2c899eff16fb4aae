"""The demonstration: loaded once, shown again, whole, and its stream is accepted."""

import json
import stat
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from audit.models import Case, CorrectiveAction, Decision, Finding, Incident
from console.demo.cast import COLLEAGUE, DOMAIN, EVERYBODY, SYSTEMS
from console.demo.colleague import BEGINS_AFTER, Colleague
from console.demo.loading import load
from console.demo.past import ANSWERS
from console.demo.stream import PAGES, SOURCE, close_call, credit_limit, cv_triage, mishaps, next_record, support_draft
from console.management.commands.demo_stream import CARRIED_OUT
from evidence.models import ExplanationLetter
from governance import rights
from governance.acts import Role
from governance.api.authentication import authenticate_key
from governance.models import AISystem, LetterTemplate, Person
from intake.models import QuarantinedRecord, Source
from intake.reading import read_record
from intake.services.sweeps import alert_conflicts
from monitoring.models import Outcome
from overrides.models import Appeal, Override, Parameter, Review, ReviewRule
from overrides.services.drill_debts import drill_debts
from tests.factories.register import make_person
from tests.factories.reviews import open_review


@pytest.fixture
def folder(tmp_path: Path, settings: Settings) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


@pytest.mark.django_db
def test_the_demonstration_is_whole_and_its_systems_are_live(folder: Path) -> None:
    credentials = load()
    assert set(AISystem.objects.values_list("slug", "status")) == {(each.slug, "live") for each in SYSTEMS}
    assert rights.impossible_acts() == []
    assert Client().login(username=credentials.email, password=credentials.password)
    for member in EVERYBODY:
        assert Client().login(username=member.email, password=credentials.password)
        assert member.may
    assert LetterTemplate.objects.filter(status="published").count() == 3
    assert set(Parameter.objects.values_list("name", flat=True)) == {"max-amount", "threshold"}
    assert ReviewRule.objects.count() == 2
    assert [debt.system.slug for debt in drill_debts() if debt.planned_at] == ["credit-limits"]
    assert [debt.system.slug for debt in drill_debts() if debt.is_overdue(timezone.now())] == ["cv-triage"]
    asking = authenticate_key(f"Bearer {credentials.service_key}")
    assert asking.key.system_ids == {AISystem.objects.get(slug="credit-limits").pk}
    grant = authenticate_key(f"Bearer {credentials.key}")
    assert all(grant.system(each.slug) for each in SYSTEMS)


@pytest.mark.django_db
def test_a_restart_shows_the_same_again_and_only_its_owner_can_read_the_file(folder: Path) -> None:
    first, second = StringIO(), StringIO()
    call_command("load_demo", stdout=first)
    call_command("load_demo", stdout=second)
    shown, again = (text.getvalue().split("curl")[0] for text in (first, second))
    assert shown == again
    assert "curl -X POST" in first.getvalue()
    assert all(member.email in first.getvalue() for member in EVERYBODY)
    assert stat.S_IMODE((folder / "demo.json").stat().st_mode) == 0o600


@pytest.mark.django_db
def test_the_folder_of_an_earlier_release_is_told_apart(folder: Path) -> None:
    load()
    kept = (folder / "demo.json").read_text()
    (folder / "demo.json").write_text(kept.replace('"service_key"', '"other_key"'))
    with pytest.raises(CommandError, match="earlier release"):
        call_command("load_demo")
    (folder / "demo.json").write_text(kept)
    Person.objects.filter(email=f"{COLLEAGUE}@{DOMAIN}").update(email="somebody@example.org")
    with pytest.raises(CommandError, match="earlier release"):
        call_command("load_demo")


@pytest.mark.django_db
def test_an_installation_in_use_is_left_alone(folder: Path) -> None:
    make_person(administrator=True)
    with pytest.raises(CommandError):
        call_command("load_demo")
    assert not AISystem.objects.exists()


def test_there_is_one_login_for_each_role_and_a_stranger() -> None:
    held = {role for member in EVERYBODY for role in (*member.everywhere, *member.on_each_system)}
    appointed_otherwise = {Role.ADMINISTRATOR, Role.ACCOUNTABLE}
    assert held | appointed_otherwise >= {each for each in Role if each != "emergency_operator"}
    alone = [member for member in EVERYBODY if member.mailbox != "demo"]
    assert all(len({*member.everywhere, *member.on_each_system}) <= 1 for member in alone)
    assert len([member for member in alone if Role.REVIEWER in member.on_each_system]) == 3


def test_records_are_believable_json_for_the_wire() -> None:

    for _ in range(200):
        read_record(json.dumps(next_record(datetime.now(UTC))).encode())
    held = close_call(datetime.now(UTC))
    read_record(json.dumps(held).encode())
    assert (held["phase"], held["labels"]["channel"]) == ("proposed", "app")


def test_the_service_decides_within_what_people_set() -> None:
    for _ in range(200):
        record = credit_limit(datetime.now(UTC), threshold=0.9, most=2000)
        if record["outcome"] == "approved":
            assert record["score"] >= 0.9
            assert record["output"]["limit"] <= 2000
        elif record["score"] >= 0.9:
            assert "more than the 2,000" in record["explanation"]["summary"]


def test_reasons_point_to_their_outcome_and_say_what_the_input_says() -> None:
    sides = {"approved": 1, "shortlisted": 1, "refused": -1, "declined": -1, "recruiter-review": 0}
    for _ in range(300):
        for record in (credit_limit(datetime.now(UTC)), cv_triage(datetime.now(UTC))):
            said, side = record["explanation"], sides[record["outcome"]]
            pointing = [each["text"].lower() for each in said["reasons"] if each["weight"] * side > 0]
            if "mostly for" in said["summary"]:
                assert said["summary"].split(": ")[1] == pointing[0]
            else:
                assert side == 0 or not pointing
            texts = {each["code"]: each["text"] for each in said["reasons"]}
            if late := record["input"].get("late_payments_12m"):
                assert texts["late_payments"].startswith(str(late))
            if record["input"].get("missing_documents") == 0:
                assert texts["missing_documents"] == "No documents missing"


def test_drafts_answer_from_the_page_of_their_topic_or_are_handed_over() -> None:
    for _ in range(200):
        record = support_draft(datetime.now(UTC))
        page, summary = PAGES[record["input"]["topic"]], record["explanation"]["summary"]
        assert page in summary
        assert summary.startswith("Answered" if record["outcome"] == "answered" else "Handed over")
        found = record["context"]["retrieved"]
        assert found[0]["page"] == page
        assert found == sorted(found, key=lambda each: -each["similarity"])


def test_the_changed_repeat_is_believable_in_itself() -> None:
    for _ in range(50):
        *_, first, changed = mishaps(datetime.now(UTC))
        assert first["id"] == changed["id"]
        assert first != changed
        for record in (first, changed):
            assert record["output"]["decision"] == record["outcome"]
            assert record["adverse"] == (record["outcome"] == "refused")


def test_the_stream_is_recorded_over_http(folder: Path, live_server: LiveServer, settings: Settings) -> None:
    load()
    settings.BASE_URL = live_server.url
    for _ in range(2):
        call_command("demo_stream", backfill=30, hours=2, per_second=1000, count=3)
    recorded = 42 + len(ANSWERS) + CARRIED_OUT
    assert Decision.objects.count() == recorded
    assert Decision.objects.filter(accountable_accepted=True, model_version_id__isnull=False).count() == recorded
    reviewed = Review.objects.filter(phase="proposed").values_list("status", flat=True)
    assert sorted(reviewed) == ["decided"] * 4 + ["open"]
    assert Review.objects.get(status="open", phase="proposed").escalated_at
    assert sorted(Appeal.objects.values_list("status", flat=True)) == ["overturned", "upheld"]
    assert sorted(Override.objects.values_list("source", flat=True)) == ["appeal", "override"]
    assert Outcome.objects.count() == CARRIED_OUT - 3
    assert ExplanationLetter.objects.get().template
    assert sorted(Case.objects.values_list("status", flat=True)) == ["concluded", "investigating"]
    assert (Incident.objects.count(), Finding.objects.count(), CorrectiveAction.objects.count()) == (1, 1, 2)
    codes = QuarantinedRecord.objects.values_list("problem_code", flat=True)
    assert sorted(codes) == ["decision-conflict", "invalid-decision", "invalid-decision"]
    assert Source.objects.get().slug == SOURCE
    assert alert_conflicts() == 1


@pytest.mark.django_db
def test_the_colleague_decides_what_waited_and_leaves_the_rest(folder: Path) -> None:
    load()
    system = AISystem.objects.get(slug="credit-limits")
    rule = ReviewRule.objects.get(name="close-calls")
    waited, young = open_review(system, rule=rule), open_review(system, rule=rule)
    blind_rule = ReviewRule.objects.get(name="declines-checked-blind")
    blind = open_review(AISystem.objects.get(slug="cv-triage"), rule=blind_rule, outcome="declined")
    for review in (waited, blind):
        Review.objects.filter(pk=review.pk).update(opened_at=timezone.now() - BEGINS_AFTER - timedelta(seconds=1))
    colleague = Colleague()
    for _ in range(4):
        colleague.busy_until = timezone.now()
        colleague.look()
    assert {Review.objects.get(pk=each.pk).status for each in (waited, blind)} == {"decided"}
    assert Review.objects.get(pk=young.pk).status == "open"
