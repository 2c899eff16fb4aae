"""A row of every governed table, made by the services that make them."""

from datetime import timedelta

from django.utils import timezone

from audit.models import Restriction, TextRestriction
from audit.selectors import decision_by_id
from audit.services.payload_grants import approve_grant, request_grant
from config.errors import FieldProblem
from config.ids import new_id
from evidence.exports.requesting import Asked, approve_export, request_export
from evidence.models import CustodyRequest
from evidence.services.custody_requests import approve_custody, ask_custody
from evidence.services.letters import withdraw_letter
from evidence.services.purges import announce_purge
from governance import memory
from governance.api.authentication import KeyGrant
from governance.models import AISystem, Assignment, Person
from governance.scopes import Scope
from governance.services.assignments import end_assignment
from governance.services.factors import enrol_passkey
from governance.services.fail_policies import ask_for_milder_policy
from governance.services.identities import person_of_identity
from governance.services.letter_templates import return_letter_template
from governance.services.promotions import propose_version
from governance.services.systems import take_live
from governance.services.terms import note_past
from governance.services.tokens import create_token
from governance.sign_in.oidc.id_tokens import Claims
from governance.sign_in.passkeys import NewCredential
from intake.errors import InvalidDecision
from intake.models import QuarantinedRecord
from intake.services.quarantine import Refused, quarantine
from intake.services.replays import request_dismissal
from intake.services.sources import register_source
from intake.services.sweeps import seal_arrivals
from ledger.entries import SERVER, Actor
from monitoring.services.outcomes import NewOutcome, record_outcome
from notices.models import Alert
from notices.services import open_alert
from overrides.effective import effective_of
from overrides.models import Drill, Review
from overrides.services.appeals import open_appeal
from overrides.services.claiming import claim
from overrides.services.deciding import Answer, submit
from overrides.services.drill_running import end_drill, start_drill
from overrides.services.drills import plan_drill, record_finding
from overrides.services.effects import confirm_effect
from overrides.services.executing import claim_execution
from overrides.services.overriding import override_decision, report_override
from overrides.services.queues import give_skill, publish_reasons
from overrides.services.rules import change_rule
from tests.factories import cards, letters
from tests.factories.cases import make_case_with_everything
from tests.factories.control import ask_for, stop
from tests.factories.erasing import agreed, agreeing, put_in_force
from tests.factories.live import make_live
from tests.factories.parameters import make_crew
from tests.factories.record import record_decision
from tests.factories.register import actor_of, give_role, make_account, make_key, make_person, make_system
from tests.factories.reviews import make_queue, make_rule, open_review
from tests.factories.sign_in import with_app
from tests.factories.versions import approve, make_promotable
from tests.notices.endpoints import make_endpoint

SYSTEM = {"intended_purpose": "Limits", "risk_class": "high", "safe_state": "Queue", "shutdown_steps": "1. Stop"}


def make_everything() -> None:
    owner = make_person()
    crew = make_crew(**SYSTEM, shutdown_contacts="Duty desk")
    system, operator = crew.system, actor_of(crew.operator)
    give_role(owner, Assignment.Role.ACCOUNTABLE, Scope.system(system.pk))
    _register(system, owner, crew.engineer)
    stopped = stop(system, model_version="1.0")
    ask_for(stopped, crew.operator)
    crew.set(crew.parameter(), 500)
    drill = start_drill(actor=operator, drill_id=_planned(operator, system).pk)
    record_finding(actor=operator, drill_id=drill.pk, text="Slow.", owner=crew.engineer, due_on=timezone.now().date())
    end_drill(actor=operator, drill_id=drill.pk)
    _people(system, owner)
    _reviews(system, owner, operator)
    make_case_with_everything(system)
    _letters(system, owner)
    _grant(system)
    _export(system)
    make_endpoint()
    open_alert(
        actor=SERVER, kind="drill.overdue", severity=Alert.Severity.WARNING, fingerprint="x", system_id=system.pk
    )
    _quarantine(system, crew.engineer)
    _erasing(system)
    _gap(make_person())
    _custody()


def _grant(system: AISystem) -> None:
    day = timezone.now() + timedelta(days=3)
    asked = request_grant(
        actor=actor_of(make_person(auditor=True)), system_id=system.pk, ends_at=day, reason="The yearly audit."
    )
    approve_grant(actor=actor_of(make_person(dpo=True)), grant_id=asked.pk)


def _export(system: AISystem) -> None:
    asked = request_export(
        actor=actor_of(make_person(auditor=True)),
        asked=Asked(question="range", system_id=system.pk),
        form="bundle",
        parts=["input"],
        reason="The yearly audit.",
    )
    approve_export(actor=actor_of(make_person(dpo=True)), export_id=asked.pk, answer="Once.")


def _erasing(system: AISystem) -> None:
    """Erasures that two people agreed to, of a decision and of words that must be kept for a while; and a purge that
    was announced."""
    agreed(kind="decision", decision_ids=[record_decision(system).id])
    written, owner = record_decision(system), actor_of(agreeing(system))
    override_decision(
        actor=owner, decision_id=written.id, outcome="refused", reason_code="other", note="Of Ada Lovelace."
    )
    agreed(kind="subject", subject="nobody of this name", identifiers=["Ada Lovelace"])
    assert Restriction.objects.exists() and TextRestriction.objects.exists()
    purged = make_system()
    put_in_force("payloads", purged, floor=0, ceiling=30)
    record_decision(purged, at=timezone.now() - timedelta(days=40))
    assert announce_purge() is not None


def _custody() -> None:
    what, asker = CustodyRequest.What.BEGIN_ROTATION, make_person(administrator=True)
    asked = ask_custody(actor=actor_of(asker), what=what, reason="A year is over.")
    approve_custody(actor=actor_of(make_person(administrator=True)), request_id=asked.pk)


def _gap(owner: Person) -> None:
    left = make_live(owner)
    held = left.assignments.get(role=Assignment.Role.ACCOUNTABLE)
    end_assignment(actor=actor_of(owner), assignment_id=held.pk, accepts_gap=True, reason="Gone.")


def _register(system: AISystem, owner: Person, engineer: Person) -> None:
    cards.publish(system, writer=engineer, publisher=owner)
    made = make_promotable(system, by=engineer)
    propose_version(actor=actor_of(engineer), version_id=made.pk, reason="Better.")
    approve(owner, made)
    take_live(actor=actor_of(owner), system_id=system.pk)
    cards.draft(system, engineer)
    ask_for_milder_policy(actor=actor_of(engineer), system_id=system.pk, max_staleness_s=600, safe_mode="review")


def _letters(system: AISystem, owner: Person) -> None:
    letters.publish(system, by=owner)
    letters.submit(owner, letters.save(system, owner, "de"))
    return_letter_template(actor=actor_of(owner), system_id=system.pk, language="de", reason="One more thing.")
    replaced = letters.issue(record_decision(system), owner, addressee="Ada")
    withdrawn = letters.issue(decision_by_id(replaced.decision_id), owner, replaces_id=replaced.pk)
    withdraw_letter(actor=actor_of(owner), letter_id=withdrawn.pk, reason="Told too much.")


def _planned(operator: Actor, system: AISystem) -> Drill:
    return plan_drill(
        actor=operator, system_id=system.pk, drill_type="table_top", starts_at=timezone.now(), expectation="All hear."
    )


def _people(system: AISystem, owner: Person) -> None:
    now = timezone.now()
    note_past(actor=actor_of(owner), system_id=system.pk, since=now - timedelta(hours=1), until=now, text="Away.")
    person_of_identity(
        Claims(
            issuer="https://login.example.org",
            subject="s1",
            email=owner.email or "",
            email_verified=True,
            name="",
            groups=frozenset(),
            two_factors=False,
        )
    )
    with_app(owner)
    enrol_passkey(actor=actor_of(owner), name="Phone", credential=NewCredential(b"id", b"key", 0, False))
    create_token(actor=actor_of(owner), name="Laptop", proven_at=timezone.now())


def _reviews(system: AISystem, owner: Person, operator: Actor) -> None:
    administrator = actor_of(make_person(administrator=True))
    queue = make_queue(owner, system=system)
    rule = make_rule(system, queue)
    change_rule(actor=operator, rule_id=rule.pk, changes={"deadline_s": 7200})
    publish_reasons(
        actor=administrator, queue_id=None, codes=[{"code": "other", "words": "Other", "for": ["modify", "override"]}]
    )
    give_skill(actor=administrator, person_id=owner.pk, skill="law")
    _decide(open_review(system, rule=rule, model_version="2.0"), owner)  # of a version that is not stopped
    # last: the newest row is the one that nothing has happened to
    open_review(system, rule=rule)


def _decide(review: Review, owner: Person) -> None:
    account = make_account(owner=owner)
    caller, system = Actor("service", account.pk), AISystem.objects.get(pk=review.system_id)
    make_key(system, scopes=("decisions:write", "feedback:write"), account=account)
    work = claim(actor=actor_of(owner), review_id=review.pk)
    answer = Answer(decision="modify", outcome="approved", reason_code="other", note="Salary rises.")
    submit(actor=actor_of(owner), token=work.token, version=1, answer=answer)
    about, now = review.decision_id, timezone.now()
    override_decision(actor=actor_of(owner), decision_id=about, outcome="refused", reason_code="other", note="No.")
    report_override(actor=caller, decision_id=about, outcome="approved", occurred_at=now, reviewer="Desk 3")
    version = effective_of(about).version
    claim_execution(actor=caller, decision_id=about, execution_id=new_id(), version=version, instance="worker-1")
    confirm_effect(actor=caller, decision_id=about, outcome="refused", occurred_at=now, detail="Told.")
    open_appeal(actor=caller, decision_id=about, ground_code="wrong-data", statement="It is not so.")
    observed = NewOutcome(decision=decision_by_id(about), outcome="refused", observed_at=now - timedelta(minutes=1))
    record_outcome(actor=caller, new=observed)


def _quarantine(system: AISystem, engineer: Person) -> None:
    made = make_key(system)
    register = memory.fresh()
    key = next(each for each in register.keys.values() if each.id == made.row.pk)
    wrong = InvalidDecision(errors=[FieldProblem(pointer="/confidence", detail="Between 0 and 1.")])
    quarantine(KeyGrant(register, key), [Refused.of(wrong, b'{"confidence": 2}', timezone.now())])
    seal_arrivals()
    register_source(actor=Actor("service", made.row.account_id), slug="till", system_id=system.pk)
    request_dismissal(actor=actor_of(engineer), record_id=QuarantinedRecord.objects.get().pk, reason="A test.")
