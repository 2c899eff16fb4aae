"""What people have done already when somebody looks for the first time: reviews, an override, an appeal, outcomes."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from audit.selectors import decision_by_id
from console.demo.cast import DEPUTY, DOMAIN, REVIEWERS
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
    for number, decision_id in enumerate(observed):
        _turned_out(deputy, decision_id, was_right=number % 4 > 0)


def _actor(mailbox: str) -> Actor:
    return as_actor(Person.objects.get(email=f"{mailbox}@{DOMAIN}"))


def _review(by: Actor, decision_id: uuid.UUID, answer: Answer) -> None:
    work = claim(actor=by, review_id=Review.objects.get(decision_id=decision_id).pk)
    review, *_ = show_item(actor=by, token=work.token)
    outcome = _other(decision_id) if answer.decision == "modify" else ""
    corrected = Answer(decision=answer.decision, outcome=outcome, reason_code=answer.reason_code, note=answer.note)
    submit(actor=by, token=work.token, version=review.version, answer=corrected)


def _other(decision_id: uuid.UUID) -> str:
    return "refused" if decision_by_id(decision_id).body.outcome == "approved" else "approved"


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
