"""What people did before somebody looks for the first time: reviews, overrides, appeals, a letter, outcomes."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from audit.selectors import decision_by_id
from console.demo.cast import DEPUTY, DOMAIN, ENGINEER, INVESTIGATOR, OFFICER, REVIEWERS
from console.demo.investigations import Investigation, investigate
from evidence.services.letters import compose_letter, issue_letter
from governance.models import Person
from governance.rights import as_actor
from ledger.entries import Actor
from monitoring.services.outcomes import NewOutcome, record_outcome
from overrides.models import Review
from overrides.services.appeals import decide_appeal, open_appeal
from overrides.services.claiming import claim, show_item
from overrides.services.deciding import Answer, submit
from overrides.services.overriding import override_decision

ANSWERS: Sequence[Answer] = (
    Answer(decision="confirm"),
    Answer(decision="confirm"),
    Answer(decision="modify", reason_code="missed-circumstances", note="The salary rises next month; letter is there."),
    Answer(decision="reject", reason_code="wrong-input", note="The income belongs to another customer."),
    Answer(decision="escalate", reason_code="unsure", note="Guarantor abroad: not mine to decide."),
)


def act_on(held: Sequence[uuid.UUID], done: Sequence[uuid.UUID]) -> None:
    """People act on decisions: reviews of those that were held, other things on those that were carried out.

    `held` has at least as many as `ANSWERS`; `done` at least four.
    """
    first, second, deputy = (_actor(name) for name in (*REVIEWERS, DEPUTY))
    for decision_id, answer in zip(held, ANSWERS, strict=False):
        _review(first, decision_id, answer)
    overridden, overturned, upheld, *observed = done
    override_decision(
        actor=deputy, decision_id=overridden, outcome=_other(overridden), reason_code="unfair-effect",
        note="A duty of care towards this customer that the model does not know of.",
    )  # fmt: skip
    _appeal(deputy, second, overturned, verdict="overturned", outcome=_other(overturned))
    _appeal(deputy, second, upheld, verdict="upheld")
    _explain(deputy, next((each for each in done if _outcome(each) == "refused"), upheld))
    people = Investigation(_member(INVESTIGATOR), named_by=_member(OFFICER), owner=_member(ENGINEER))
    refused = [each for each in observed if _outcome(each) == "refused"]
    investigate(people, [overturned, upheld], refused or observed)
    for number, decision_id in enumerate(observed):
        _turned_out(deputy, decision_id, was_right=number % 4 > 0)


def _member(mailbox: str) -> Person:
    return Person.objects.get(email=f"{mailbox}@{DOMAIN}")


def _actor(mailbox: str) -> Actor:
    return as_actor(_member(mailbox))


def _review(by: Actor, decision_id: uuid.UUID, answer: Answer) -> None:
    work = claim(actor=by, review_id=Review.objects.get(decision_id=decision_id).pk)
    review, *_ = show_item(actor=by, token=work.token)
    outcome = _other(decision_id) if answer.decision == "modify" else ""
    corrected = Answer(decision=answer.decision, outcome=outcome, reason_code=answer.reason_code, note=answer.note)
    submit(actor=by, token=work.token, version=review.version, answer=corrected)


def _outcome(decision_id: uuid.UUID) -> str:
    return decision_by_id(decision_id).body.outcome


def _other(decision_id: uuid.UUID) -> str:
    return "refused" if _outcome(decision_id) == "approved" else "approved"


def _explain(by: Actor, decision_id: uuid.UUID) -> None:
    """A letter as its template makes it; a fact that no reason is left for is put in by hand."""
    text = compose_letter(actor=by, decision_id=decision_id, language="en").filled.text
    told = text.replace("{reasons}", "- Nothing in particular weighed against it.")
    issue_letter(actor=by, decision_id=decision_id, language="en", text=told, addressee="Mx Sam Example\n12 Mill Lane")


def _appeal(by: Actor, decides: Actor, decision_id: uuid.UUID, *, verdict: str, outcome: str = "") -> None:
    appeal = open_appeal(
        actor=by, decision_id=decision_id, ground_code="wrong-data",
        statement="By telephone: the late payment was the bank's own mistake, and was put right in spring.",
    )  # fmt: skip
    reason = "wrong-input" if verdict == "overturned" else "outcome-stands"
    decide_appeal(
        actor=decides, appeal_id=appeal.pk, verdict=verdict, reason_code=reason, outcome=outcome,
        finding="Checked with the bank.",
    )  # fmt: skip


def _turned_out(by: Actor, decision_id: uuid.UUID, *, was_right: bool) -> None:
    decision = decision_by_id(decision_id)
    outcome = decision.body.outcome if was_right else _other(decision_id)
    record_outcome(
        actor=by,
        new=NewOutcome(decision=decision, outcome=outcome, observed_at=datetime.now(UTC) - timedelta(minutes=1)),
    )
