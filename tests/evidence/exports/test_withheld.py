"""What whoever asked may not know of: left out of every form and question, and said to be."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from audit.models import Payload
from audit.selectors import decision_by_id
from evidence.exports import anchors, planning
from evidence.exports.anchors import Anchored
from evidence.exports.models import Export
from governance.acts import Role
from governance.models import AISystem, Person
from governance.scopes import Scope
from ledger.models import Log
from overrides.models import Review
from overrides.services.claiming import claim
from overrides.services.deciding import Answer, submit
from tests.evidence.exports.test_bundle import lines
from tests.evidence.exports.test_narrowed import lose
from tests.evidence.exports.verifying import require_verified, verdict_of
from tests.factories.cases import attach, detach, make_led_case
from tests.factories.exports import export_of, files_of, manifest_of, old_system
from tests.factories.record import record_decision
from tests.factories.register import actor_of, give_role, make_person, make_system
from tests.factories.reviews import make_queue, make_rule, open_review

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def system() -> AISystem:
    return old_system(accountable=make_person())


def judged_once(system: AISystem) -> Review:
    """A review that two are asked for: one has judged."""
    queue = make_queue(make_person(), system=system)
    review = open_review(system, rule=make_rule(system, queue, reviews_required=2))
    work = claim(actor=actor_of(make_person(reviewer=system)), review_id=review.pk)
    answer = Answer(decision="modify", outcome="approved", reason_code="other", note="No.")
    submit(actor=actor_of(work.person), token=work.token, version=1, answer=answer)
    return review


def test_a_decision_that_the_asker_judges_blind_is_withheld_and_that_is_said(tmp_path: Path) -> None:
    system = make_system()
    judge = make_person(reviewer=system, accountable=system)
    record_decision(system)
    review = open_review(system, rule=make_rule(system, make_queue(judge, system=system), is_blind=True))
    claim(actor=actor_of(judge), review_id=review.pk)
    made = export_of(judge, system)
    manifest = manifest_of(made)
    assert (manifest["whole"], made.is_whole, made.left_out) == (False, False, ["judged_blind"])
    assert manifest["left_out"]
    assert "INCOMPLETE" in made.file_name
    assert manifest["answer"]["withheld_entries"] >= 1
    assert manifest["answer"]["decisions"] == 1
    assert str(review.decision_id).encode() not in b"".join(lines(files_of(made), "logs"))
    assert verdict_of(made, tmp_path)["exit_code"] == 3
    assert manifest_of(export_of(make_person(auditor=True), system))["answer"]["decisions"] == 2


def test_what_others_judged_of_an_open_review_is_withheld(system: AISystem, auditor: Person, tmp_path: Path) -> None:
    judged_once(system)
    made = export_of(auditor, system)
    kinds = {json.loads(line)["kind"] for line in lines(files_of(made), "logs")}
    assert "review.submitted" not in kinds
    assert manifest_of(made)["whole"] is False


def test_what_others_judged_is_missed_in_the_other_questions_too(
    system: AISystem, auditor: Person, tmp_path: Path
) -> None:
    """A decision, a case, a subject: what is left out makes them less than whole."""
    review = judged_once(system)
    subject = Payload.objects.get(id=review.decision_id).subject
    case, lead = make_led_case(system, decisions=[decision_by_id(review.decision_id)])
    asked = [
        export_of(auditor, question="decision", decision_id=review.decision_id),
        export_of(auditor, question="subject", subject=subject),
        export_of(lead, question="case", case_id=case.pk),
    ]
    for made in asked:
        kinds = {json.loads(line)["kind"] for line in lines(files_of(made), "logs")}
        assert ("review.claimed" in kinds, "review.submitted" in kinds) == (True, False)
        assert (made.is_whole, made.left_out) == (False, ["judged_blind"])
        assert verdict_of(made, tmp_path)["verdict"] == "incomplete"


@pytest.mark.parametrize("is_beside", [False, True])
def test_what_became_secret_while_it_was_planned(
    system: AISystem, auditor: Person, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_beside: bool
) -> None:
    """A range without an end holds what was sealed until its tree was signed; also the entry beside it is disclosed."""
    now = timezone.now()
    give_role(auditor, Role.REVIEWER, Scope.system(system.pk))
    queue = make_queue(auditor, system=system)
    blind = open_review(system, rule=make_rule(system, queue, is_blind=True, deadline_s=86_400), at=now - 2 * HOUR)
    record_decision(system, at=now + HOUR)
    sign, judged = anchors.best_checkpoint, list[Review]()

    def judge_then_sign(log: Log, at_least: int) -> Anchored:
        if not judged:
            judged.append(judged_once(system))
            claim(actor=actor_of(auditor), review_id=blind.pk)
        return sign(log, at_least)

    monkeypatch.setattr(planning, "best_checkpoint", judge_then_sign)
    since = now + HOUR if is_beside else None
    made = export_of(auditor, system, since=since)
    [said] = [each for each in manifest_of(made)["logs"] if each["system"]]
    stated = lines(files_of(made), f"logs/{said['log']}/")
    assert [json.loads(line)["kind"] for line in stated].count("review.submitted") == 0
    assert str(blind.decision_id).encode() not in b"".join(line[:60] for line in stated)
    assert made.left_out == ["judged_blind"]
    assert verdict_of(made, tmp_path)["verdict"] == "incomplete"


# --- what is said of a case -------------------------------------------------------------------------------------------
def put_in_and_out(made: Export) -> list[tuple[str, int]]:
    said = [json.loads(line) for line in lines(files_of(made), "logs")]
    return [
        (each["kind"], each["body"]["count"]) for each in said if each["kind"] in ("case.attached", "case.detached")
    ]


def test_what_was_put_into_a_case_beyond_reach_is_counted_for_nobody(tmp_path: Path) -> None:
    """Neither how many decisions of another AI system are in it, nor the digest over them, as on its pages."""
    here, there = make_system(), make_system()
    case, lead = make_led_case(here, decisions=[record_decision(here)])
    beyond = [record_decision(there) for _ in range(3)]
    attach(case, lead, *beyond)
    detach(case, lead, beyond[0])
    whole = export_of(lead, question="case", case_id=case.pk)
    assert put_in_and_out(whole) == [("case.attached", 1), ("case.attached", 3), ("case.detached", 1)]
    require_verified(whole, tmp_path)
    lose(lead)
    give_role(lead, Role.INVESTIGATOR, Scope.system(here.pk))
    made = export_of(lead, question="case", case_id=case.pk)
    assert put_in_and_out(made) == [("case.attached", 1)]
    assert made.left_out == ["beyond_reach"]
    assert verdict_of(made, tmp_path)["verdict"] == "incomplete"


def test_what_was_put_into_a_case_with_a_decision_that_one_judges_blind_is_not_told(tmp_path: Path) -> None:
    system = make_system()
    case, lead = make_led_case(system, decisions=[record_decision(system)])
    give_role(lead, Role.REVIEWER, Scope.system(system.pk))
    review = open_review(system, rule=make_rule(system, make_queue(lead, system=system), is_blind=True))
    attach(case, lead, decision_by_id(review.decision_id))
    assert len(put_in_and_out(export_of(lead, question="case", case_id=case.pk))) == 2
    claim(actor=actor_of(lead), review_id=review.pk)
    made = export_of(lead, question="case", case_id=case.pk)
    assert put_in_and_out(made) == []
    assert made.left_out == ["judged_blind"]
    assert verdict_of(made, tmp_path)["verdict"] == "incomplete"
