"""An AI system with something of every kind, each text bearing a mark: whoever reads the mark has seen it.

A mark has two halves: the world (`zqnear`, `zqfar`) and what sort of thing it is. What may be seen of each sort by
whom is a table of its own (docs/roles-and-rights.md).
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from audit.models import Case, DataKind, Decision, ErasureRequest, Purge, SavedFilter, SearchRun
from audit.selectors import SealedDecision, decision_by_id
from audit.services.holds import place_hold, place_span_hold, request_lift
from audit.services.incidents import record_report
from audit.services.investigating import add_note
from audit.services.payload_grants import request_grant
from config.errors import FieldProblem
from evidence.exports.requesting import Asked, request_export
from evidence.kinds import RETENTION_HELD
from evidence.models import CustodyRequest
from evidence.retention.planning import Due
from evidence.services.custody_requests import ask_custody
from evidence.services.erasure_runs import search_for_finds
from evidence.services.erasures import ask_erasure, prepare_erasure
from evidence.services.letter_drafts import begin_letter, save_letter_draft
from evidence.services.letters import withdraw_letter
from evidence.services.retention import register_class, request_rule
from governance import memory
from governance.acts import Role
from governance.api.authentication import KeyGrant
from governance.changes import write
from governance.models import AISystem, Person, ServiceAccount
from governance.scopes import Scope
from governance.services.assignments import offer_assignment
from governance.services.cards import withdraw_card
from governance.services.fail_policies import ask_for_milder_policy
from governance.services.promotions import propose_version
from governance.services.systems import take_live
from intake.errors import InvalidDecision
from intake.models import QuarantinedRecord
from intake.services.quarantine import Refused, quarantine
from intake.services.replays import request_dismissal
from intake.services.sources import register_source
from intake.services.sweeps import seal_arrivals
from ledger.entries import COMMAND, SERVER, Actor
from ledger.sealing import sealing
from ledger.selectors import open_log
from monitoring.services.outcomes import NewOutcome, record_outcome
from notices.models import Alert
from notices.outbox import tell
from notices.services.alerts import open_alert
from notices.services.endpoints import register_endpoint
from notices.services.fan_out import fan_out
from overrides.models import Drill, Review, ReviewQueue, ReviewRule
from overrides.services.appeals import open_appeal
from overrides.services.claiming import claim
from overrides.services.drill_running import end_drill, start_drill
from overrides.services.drills import plan_drill, record_finding
from overrides.services.overriding import override_decision
from overrides.services.queues import give_skill, update_queue
from overrides.services.rules import change_rule
from tests.factories import cards, letters
from tests.factories.anchors import make_cosigned
from tests.factories.cases import act, declare, find, make_led_case
from tests.factories.control import ask_for, stop
from tests.factories.erasing import agreed, look_at_finds, officer
from tests.factories.live import READY
from tests.factories.parameters import Crew
from tests.factories.record import record_decision
from tests.factories.register import actor_of, give_role, make_account, make_key, make_person, make_system
from tests.factories.reviews import make_queue, make_rule, open_review
from tests.factories.versions import approve, make_promotable


@dataclass(frozen=True, slots=True)
class Staff:
    """The people of an AI system."""

    owner: Person
    engineer: Person
    operator: Person
    reviewer: Person
    approver: Person
    lead: Person


@dataclass(frozen=True, slots=True)
class World:
    """What a test finds its objects by; all else is looked up by its AI system."""

    mark: str
    system: AISystem
    staff: Staff
    decision: SealedDecision
    untouched: SealedDecision
    held: Review
    case: Case
    account: ServiceAccount
    erasure: ErasureRequest
    """That waits for its second person."""
    restricted: SealedDecision

    @property
    def queue(self) -> ReviewQueue:
        return ReviewQueue.objects.get(system=self.system)

    def bound_to(self, other: "World") -> SealedDecision:
        """The decision that `make_neighbours` made."""
        child = Decision.objects.get(system_id=self.system.pk, parent_id=other.decision.id)
        return decision_by_id(child.pk)

    def named(self, sort: str, rest: str = "") -> str:
        return marked(self.mark, sort, rest)


def marked(mark: str, sort: str, rest: str = "") -> str:
    """A text that says which world it is of, and what sort of thing it is."""
    return f"{mark}-{sort}-{rest}" if rest else f"{mark}-{sort}"


def make_world(mark: str) -> World:
    """Made by the services that make it in the product."""
    described: dict[str, Any] = READY
    system = make_system(slug=marked(mark, "reg", "system"), **described)
    staff = _staff(mark, system)
    account = make_account(slug=marked(mark, "org", "account"), owner=staff.engineer)
    _register(mark, system, staff)
    _control(mark, system, staff)
    held = _reviews(mark, system, staff)
    decision, untouched = _decisions(mark, system, staff, account)
    case = _case(mark, system, staff, decision)
    _letters(mark, system, staff, decision)
    _notices(mark, system, staff)
    _quarantine(mark, system, staff, account)
    _searches(mark, system, staff)
    _custody(mark)
    make_cosigned(open_log(system.pk))
    erasure, restricted = _erasures(mark, system)
    return World(mark, system, staff, decision, untouched, held, case, account, erasure, restricted)


def _staff(mark: str, system: AISystem) -> Staff:
    def person(role: Role, *, everywhere: bool = False) -> Person:
        name = marked(mark, "people", role.value)
        made = make_person(name=name, email=f"{name}@example.org")
        if everywhere:
            give_role(made, role)
        else:
            give_role(made, role, Scope.system(system.pk))
        return made

    staff = Staff(
        owner=person(Role.ACCOUNTABLE),
        engineer=person(Role.TECHNICAL_OWNER),
        operator=person(Role.OPERATOR),
        reviewer=person(Role.REVIEWER),
        approver=person(Role.APPROVER, everywhere=True),
        lead=person(Role.INVESTIGATOR),
    )
    offered = make_person(name=marked(mark, "people", "offered"))
    offer_assignment(actor=COMMAND, person=offered, role=Role.VIEWER, scope=Scope.system(system.pk))
    return staff


def _register(mark: str, system: AISystem, staff: Staff) -> None:
    engineer, owner = staff.engineer, staff.owner
    purpose = cards.content()["purpose"] | {"intended": marked(mark, "reg", "purpose")}
    cards.publish(system, cards.content(purpose=purpose), writer=engineer, publisher=owner)
    for version, answer in (("v1", "yes"), ("v2", "")):
        made = make_promotable(system, marked(mark, "reg", version), by=engineer, source=marked(mark, "org", version))
        propose_version(actor=actor_of(engineer), version_id=made.pk, reason=marked(mark, "reg", "reason"))
        if answer:
            approve(owner, made, marked(mark, "reg", answer))
    take_live(actor=actor_of(owner), system_id=system.pk)
    again = cards.content(purpose=purpose | {"failures": marked(mark, "reg", "failures")})
    cards.publish(system, again, writer=engineer, publisher=owner)
    cards.draft(system, engineer)
    withdraw_card(actor=actor_of(engineer), system_id=system.pk, reason=marked(mark, "reg", "given-up"))
    cards.draft(system, engineer)
    ask_for_milder_policy(
        actor=actor_of(engineer),
        system_id=system.pk,
        max_staleness_s=600,
        safe_mode="review",
        note=marked(mark, "reg", "note"),
    )


def _control(mark: str, system: AISystem, staff: Staff) -> None:
    done = stop(system, capability=marked(mark, "reg", "capability"), note=marked(mark, "reg", "stop"))
    ask_for(done, staff.operator, note=marked(mark, "reg", "resume"))
    crew = Crew(system, staff.engineer, staff.operator, staff.approver)
    parameter = crew.parameter(marked(mark, "reg", "limit"))
    crew.set(parameter, 2000, note=marked(mark, "reg", "looser"))
    held = start_drill(actor=actor_of(staff.operator), drill_id=_planned(mark, system, staff).pk)
    due, text = timezone.localdate(), marked(mark, "reg", "slow")
    record_finding(actor=actor_of(staff.operator), drill_id=held.pk, text=text, owner=staff.engineer, due_on=due)
    end_drill(actor=actor_of(staff.operator), drill_id=held.pk)


def _planned(mark: str, system: AISystem, staff: Staff) -> Drill:
    return plan_drill(
        actor=actor_of(staff.operator),
        system_id=system.pk,
        drill_type="table_top",
        starts_at=timezone.now(),
        expectation=marked(mark, "reg", "expectation"),
    )


def _reviews(mark: str, system: AISystem, staff: Staff) -> Review:
    """A rule with a change that waits, a review that somebody works on, and one that nobody has taken."""
    owner, operator = actor_of(staff.owner), actor_of(staff.operator)
    queue: ReviewQueue = make_queue(
        staff.owner, slug=marked(mark, "reg", "queue"), system=system, deadline_s=600, capacity=100
    )
    rule: ReviewRule = make_rule(system, queue, name=marked(mark, "reg", "rule"))
    change_rule(actor=operator, rule_id=rule.pk, changes={"deadline_s": 7200}, reason=marked(mark, "reg", "slower"))
    update_queue(actor=owner, queue_id=queue.pk, changes={"deadline_s": 7200}, reason=marked(mark, "reg", "smaller"))
    give_skill(actor=actor_of(make_person(administrator=True)), person_id=staff.reviewer.pk, skill=f"{mark}-people-law")
    said: dict[str, Any] = {"parts": _parts(mark), "outcome": marked(mark, "dec", "held")}
    claim(actor=actor_of(staff.reviewer), review_id=open_review(system, rule=rule, **said).pk)
    return open_review(system, rule=rule, **said)


def _parts(mark: str) -> dict[str, Any]:
    text = marked(mark, "pay", "text")
    return {"input": {"story": text}, "output": {"said": text}, "explanation": {"summary": text}}


def _decisions(
    mark: str, system: AISystem, staff: Staff, account: ServiceAccount
) -> tuple[SealedDecision, SealedDecision]:
    """One that was overridden and contested, and whose outcome is known; another that nothing happened to."""
    facets: dict[str, Any] = {
        "outcome": marked(mark, "dec", "outcome"),
        "capability": marked(mark, "dec", "capability"),
    }
    told = record_decision(
        system,
        subject=marked(mark, "pay", "subject"),
        labels={"place": marked(mark, "pay", "label")},
        parts=_parts(mark),
        **facets,
    )
    caller = Actor("service", account.pk)
    make_key(system, scopes=("decisions:write", "feedback:write"), account=account)
    override_decision(
        actor=actor_of(staff.owner),
        decision_id=told.id,
        outcome=marked(mark, "dec", "overridden"),
        reason_code="other",
        note=marked(mark, "pay", "why"),
    )
    statement = marked(mark, "appeal", "statement")
    open_appeal(actor=caller, decision_id=told.id, ground_code="wrong-data", statement=statement)
    known = NewOutcome(decision=told, outcome=marked(mark, "dec", "came"), observed_at=timezone.now())
    record_outcome(actor=caller, new=known)
    untouched = record_decision(system, parts=_parts(mark), **facets)
    return decision_by_id(told.id), untouched


def _case(mark: str, system: AISystem, staff: Staff, decision: SealedDecision) -> Case:
    said = {"title": marked(mark, "title", "case"), "summary": marked(mark, "case", "summary")}
    case, lead = make_led_case(system, lead=staff.lead, decisions=[decision], **said)
    actor = actor_of(lead)
    add_note(actor=actor, case_id=case.pk, text=marked(mark, "case", "note"))
    find(case, lead, text=marked(mark, "case", "finding"))
    act(case, lead, lead, what=marked(mark, "todo", "action"))
    reason = marked(mark, "hold", "claim")
    request_grant(actor=actor, system_id=system.pk, ends_at=timezone.now() + timedelta(days=7), reason=reason)
    why = marked(mark, "exp", "claim")
    request_export(
        actor=actor, asked=Asked(question="range", system_id=system.pk), form="bundle", parts=["input"], reason=why
    )
    held = place_hold(actor=actor, case_id=case.pk, reason=reason)
    request_lift(actor=actor, hold_id=held.pk, reason=reason)
    declare(case, lead, narrative=marked(mark, "case", "harm"))
    receipt = marked(mark, "case", "receipt")
    record_report(actor=actor, case_id=case.pk, stage="initial", reported_at=timezone.now(), receipt=receipt)
    since = timezone.now() - timedelta(days=1)
    place_span_hold(actor=actor, system_id=system.pk, since=since, until=timezone.now(), reason=reason)
    return case


def _letters(mark: str, system: AISystem, staff: Staff, decision: SealedDecision) -> None:
    """A letter that a later one corrects, a template in force, a draft of the next one, and one of a letter."""
    letters.publish(system, writer=staff.engineer, by=staff.owner, contact=marked(mark, "reg", "desk"))
    letters.save(system, staff.engineer, contact=marked(mark, "draft", "desk"))
    text = marked(mark, "pay", "letter")
    first = letters.issue(decision, staff.owner, text=text, addressee=text)
    letters.issue(decision, staff.owner, text=text, replaces_id=first.pk)
    withdraw_letter(actor=actor_of(staff.owner), letter_id=first.pk, reason=text)
    begin_letter(actor=actor_of(staff.owner), decision_id=decision.id, language="en")
    save_letter_draft(actor=actor_of(staff.owner), decision_id=decision.id, text=marked(mark, "own", "letter"))


def _searches(mark: str, system: AISystem, staff: Staff) -> None:
    """Filters that somebody keeps for themself and shares, and a search that they began."""
    asked, owner_id = {"system": system.slug}, staff.operator.pk
    terms = {"text": marked(mark, "own", "terms")}
    SavedFilter.objects.create(owner_id=owner_id, name=marked(mark, "own", "filter"), conditions=asked, terms=terms)
    for shared in (SavedFilter.Shared.SYSTEM, SavedFilter.Shared.EVERYBODY):
        name = marked(mark, "dec", shared.value)
        SavedFilter.objects.create(
            owner_id=owner_id, name=name, conditions=asked, system_ids=[system.pk], shared=shared
        )
    SearchRun.objects.create(actor_type="person", actor_id=owner_id, log_id=open_log(system.pk).id, terms=terms)


def _erasures(mark: str, system: AISystem) -> tuple[ErasureRequest, SealedDecision]:
    """An erasure that waits, one that restricts a decision, a class of retention that waits, and a purge."""
    restricted = record_decision(system, parts=_parts(mark), outcome=marked(mark, "dec", "restricted"))
    agreed(kind="decision", decision_ids=[restricted.id])
    asks = officer()
    request = prepare_erasure(
        actor=actor_of(asks),
        kind="subject",
        basis="objection",
        reason=marked(mark, "erasure", "reason"),
        subject=marked(mark, "pay", "subject"),
        identifiers=[marked(mark, "erasure", "identifier")],
        system_id=system.pk,
    )
    search_for_finds(seconds=60)
    look_at_finds(request)
    ask_erasure(actor=actor_of(asks), request_id=request.pk)
    kept = register_class(
        actor=actor_of(asks), kind="letters", name="Half a year", floor_days=190, floor_source="Articles 19 and 26(6)."
    )
    request_rule(actor=actor_of(asks), class_id=kept.pk, system_id=system.pk, reason=marked(mark, "retain", "reason"))
    with sealing() as seal:
        now = timezone.now()
        part = Due(
            kind=DataKind.LETTERS, system_id=system.pk, class_id=kept.pk, before=now, since=None, count=1, kept=0
        )
        purge = Purge(announced_at=now, runs_at=now + timedelta(days=14), parts=[part.said()])
        purge.status, purge.held_at, purge.why = Purge.Status.HELD, now, "Not now."
        write(seal, actor=SERVER, kind=RETENTION_HELD, row=purge, facts={"status": "held"})
    return request, restricted


def _custody(mark: str) -> None:
    """Of the organisation's signing key one request waits at a time: that of the first world."""
    if not CustodyRequest.objects.exists():
        asker = make_person(administrator=True, name=marked(mark, "people", "custody"))
        what = CustodyRequest.What.BEGIN_ROTATION
        ask_custody(actor=actor_of(asker), what=what, reason=marked(mark, "org", "rotation"))


def make_neighbours(one: World, other: World) -> None:
    """What binds decisions of one AI system to those of another: subject, conversation, trace, parent."""
    same: dict[str, Any] = {"subject": "shared", "conversation_id": "shared", "trace_id": "shared"}
    for world, parent in ((one, other), (other, one)):
        outcome = marked(world.mark, "dec", "bound")
        record_decision(world.system, parent_id=parent.decision.id, outcome=outcome, parts={"input": "same"}, **same)


def _notices(mark: str, system: AISystem, staff: Staff) -> None:
    open_alert(
        actor=SERVER,
        kind="drill.overdue",
        severity=Alert.Severity.WARNING,
        fingerprint=marked(mark, "reg", "alert"),
        system_id=system.pk,
        facts={"said": marked(mark, "reg", "alert")},
    )
    register_endpoint(
        actor=actor_of(staff.engineer),
        name=marked(mark, "reg", "endpoint"),
        url=f"https://{marked(mark, 'reg', 'hook')}.example.org/x",
        systems=[system],
        event_types=("*",),
    )
    fan_out()
    tell(person_id=staff.owner.pk, kind="alert.opened", fingerprint=marked(mark, "reg", "letter"))


def _quarantine(mark: str, system: AISystem, staff: Staff, account: ServiceAccount) -> None:
    made = make_key(system, account=account)
    register = memory.fresh()
    key = next(each for each in register.keys.values() if each.id == made.row.pk)
    wrong = InvalidDecision(errors=[FieldProblem(pointer="/confidence", detail=marked(mark, "quar", "problem"))])
    raw = f'{{"confidence": "{marked(mark, "quar", "raw")}"}}'.encode()
    quarantine(KeyGrant(register, key), [Refused.of(wrong, raw, timezone.now())])
    seal_arrivals()
    register_source(actor=Actor("service", account.pk), slug=marked(mark, "reg", "till"), system_id=system.pk)
    kept = QuarantinedRecord.objects.filter(system_id=system.pk).latest("id")
    request_dismissal(actor=actor_of(staff.engineer), record_id=kept.pk, reason=marked(mark, "quar", "reason"))
