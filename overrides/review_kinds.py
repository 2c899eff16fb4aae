"""Entry kinds of reviews, overrides, appeals and effects. All go to the AI system's log where there is one."""

from ledger.kinds import Belongs, Kind

QUEUE_REGISTERED = Kind("review_queue.registered", Belongs.SCOPE, "there is one more queue of reviews")
QUEUE_UPDATED = Kind("review_queue.updated", Belongs.SCOPE, "a queue of reviews, or who answers for it, changed")
RULE_REGISTERED = Kind("review_rule.registered", Belongs.SYSTEM, "more decisions must be looked at by a person")
RULE_UPDATED = Kind("review_rule.updated", Belongs.SYSTEM, "which decisions must be looked at changed")
RULE_ARCHIVED = Kind("review_rule.archived", Belongs.SYSTEM, "a review rule asks for nothing any more")
RULE_CHANGE_REQUESTED = Kind("rule_change.requested", Belongs.SCOPE, "somebody asked to loosen a review rule or queue")
RULE_CHANGE_APPLIED = Kind(
    "rule_change.applied", Belongs.SCOPE, "a second person agreed to loosen a review rule or queue"
)
RULE_CHANGE_REFUSED = Kind(
    "rule_change.refused", Belongs.SCOPE, "a second person refused to loosen a review rule or queue"
)
RULE_CHANGE_WITHDRAWN = Kind(
    "rule_change.withdrawn", Belongs.SCOPE, "nobody asks any more to loosen a review rule or queue"
)
REASONS_LISTED = Kind("reasons.listed", Belongs.SCOPE, "a new list of reasons for human decisions")
SKILL_GIVEN = Kind("skill.given", Belongs.REGISTRY, "somebody was found able to judge a kind of case")
SKILL_ENDED = Kind("skill.ended", Belongs.REGISTRY, "a skill counts no more")

REVIEW_CLAIMED = Kind("review.claimed", Belongs.SYSTEM, "somebody took a review to work on")
REVIEW_OFFERED = Kind("review.offered", Belongs.SYSTEM, "a review was handed to somebody")
REVIEW_HELD = Kind("review.held", Belongs.SYSTEM, "somebody keeps a review for longer")
REVIEW_RELEASED = Kind("review.released", Belongs.SYSTEM, "somebody gave a review back")
REVIEW_DECLINED = Kind("review.declined", Belongs.SYSTEM, "somebody will not judge this decision")
REVIEW_LAPSED = Kind("review.lapsed", Belongs.SYSTEM, "a claim ended because nothing was done in time")
REVIEW_SHOWN = Kind("review.shown", Belongs.SYSTEM, "a reviewer was shown what is to be judged")
REVIEW_JUDGED_BLIND = Kind("review.judged_blind", Belongs.SYSTEM, "a judgement before the model's outcome was seen")
REVIEW_SUBMITTED = Kind("review.submitted", Belongs.SYSTEM, "a reviewer handed in a decision")
REVIEW_UNDONE = Kind("review.undone", Belongs.SYSTEM, "a reviewer took a decision back before the caller was told")
REVIEW_DETACHED = Kind("review.detached", Belongs.SYSTEM, "a claim ended because its review did")
REVIEW_ENTERED = Kind("review.entered", Belongs.SYSTEM, "a review is being worked on, or waits again")
REVIEW_DECIDED = Kind("review.decided", Belongs.SYSTEM, "people decided on what the AI system proposed")
REVIEW_CONFLICTED = Kind("review.conflicted", Belongs.SYSTEM, "two reviewers disagree: a third person decides")
REVIEW_ADJUDICATED = Kind("review.adjudicated", Belongs.SYSTEM, "a third person decided between two reviewers")
REVIEW_ESCALATED = Kind("review.escalated", Belongs.SYSTEM, "a reviewer leaves the decision to who answers for it")
REVIEW_REOPENED = Kind("review.reopened", Belongs.SYSTEM, "a review waits again: its decision was taken back")
REVIEW_TIMED_OUT = Kind("review.timed_out", Belongs.SYSTEM, "nobody decided in time: what the rule says was applied")
REVIEW_OVERFLOWED = Kind("review.overflowed", Belongs.SYSTEM, "its queue was full: what the queue says was applied")
REVIEW_WITHDRAWN = Kind("review.withdrawn", Belongs.SYSTEM, "there is nothing to decide any more")
REVIEW_SUPERSEDED = Kind("review.superseded", Belongs.SYSTEM, "the decision was overridden meanwhile")

OVERRIDE_REQUESTED = Kind("override.requested", Belongs.SYSTEM, "an override waits for a second reviewer")
OVERRIDE_REFUSED = Kind("override.refused", Belongs.SYSTEM, "a second reviewer did not agree to an override")
DECISION_OVERRIDDEN = Kind("decision.overridden", Belongs.SYSTEM, "a person put another outcome in its place")
OVERRIDE_EXPIRED = Kind("override.expired", Belongs.SYSTEM, "an override for which no second reviewer came in time")
OVERRIDE_REPORTED = Kind("override.reported", Belongs.SYSTEM, "a human decision made in another tool, as it was told")
EXECUTION_CLAIMED = Kind("execution.claimed", Belongs.SYSTEM, "a worker took what was decided to carry it out")
EFFECT_CONFIRMED = Kind("effect.confirmed", Belongs.SYSTEM, "the caller says it did what was decided")
EFFECT_FAILED = Kind("effect.failed", Belongs.SYSTEM, "the caller says it could not carry it out")
EFFECT_MISMATCHED = Kind("effect.mismatched", Belongs.SYSTEM, "the caller says it did something else")
APPEAL_OPENED = Kind("appeal.opened", Belongs.SYSTEM, "somebody contests a decision")
APPEAL_UPHELD = Kind("appeal.upheld", Belongs.SYSTEM, "the contested decision stands")
APPEAL_OVERTURNED = Kind("appeal.overturned", Belongs.SYSTEM, "the contested decision does not stand")
APPEAL_REMEDIED = Kind("appeal.remedied", Belongs.SYSTEM, "what was overturned has been put right")
