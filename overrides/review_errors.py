"""What reviews, overrides and appeals refuse."""

from config.errors import Conflict, Forbidden, NotFound


class QueueNotFound(NotFound):
    code = "review-queue-not-found"
    title = "There is no such queue"
    meaning = "No queue of reviews of this name is within reach of whoever is asking."


class QueueInUse(Conflict):
    code = "review-queue-in-use"
    title = "This queue is still needed"
    meaning = (
        "Rules send decisions there, reviews wait in it, or it takes what is held without a rule. Change that, and let "
        "the reviews be decided first."
    )


class RuleNotFound(NotFound):
    code = "review-rule-not-found"
    title = "There is no such review rule"
    meaning = "No review rule of this id is within reach of whoever is asking."


class RuleChangeNotFound(NotFound):
    code = "rule-change-not-found"
    title = "There is no such request"
    meaning = "No request of this id to loosen a review rule or queue is within reach of whoever is asking."


class RuleChangeOver(Conflict):
    code = "rule-change-over"
    title = "This request does not count any more"
    meaning = (
        "A request to loosen a review rule or queue is bound to what it stands on, and expires after a day. It was "
        "decided already, it expired, or the rule, the queue or rules beside it changed meanwhile. Ask anew."
    )


class ReviewNotFound(NotFound):
    code = "review-not-found"
    title = "There is no such review"
    meaning = "No review of this id is within reach of whoever is asking."


class ReviewNotOpen(Conflict):
    code = "review-not-open"
    title = "This review is over"
    meaning = "It was decided, withdrawn, overridden or ran out of time meanwhile. Look at it again; drafts are kept."


class ReviewTaken(Conflict):
    code = "review-taken"
    title = "Somebody else has this review"
    meaning = "Every place at it is taken for now. It comes back when they hand it in, give it back, or let it lapse."


class NotForReviewer(Forbidden):
    code = "not-for-reviewer"
    title = "This review is not for you to decide"
    meaning = (
        "Nobody reviews their own request, what they decided before, or what they declined; some reviews need a skill, "
        "and one that was escalated is for those who answer for the AI system."
    )
    default_detail = "You declined it, had a part in it, lack the skill it asks for, or it was escalated."


class TooManyClaims(Conflict):
    code = "too-many-claims"
    title = "You hold as many reviews as this queue allows"
    meaning = "Hand one in or give one back first."


class ClaimLost(Conflict):
    code = "claim-lost"
    title = "This claim has ended"
    meaning = (
        "The time to work on it ran out, it was given back, handed in from elsewhere, or the review ended. Nothing was "
        "decided by this request. What was written is kept as a draft: claim the review again to go on with it."
    )
    default_detail = "Nothing was decided. What you wrote is kept as a draft; claim the review again to go on with it."


class ReviewChanged(Conflict):
    code = "review-changed"
    title = "What is to be decided has changed"
    meaning = "The version sent is not the review's. Look at it again; what was written is kept as a draft."


class AlreadySubmitted(Conflict):
    code = "review-submitted"
    title = "This was handed in already, with another content"
    meaning = "One claim makes one decision. Within ten seconds it can be taken back."


class UndoTooLate(Conflict):
    code = "undo-too-late"
    title = "The caller has been told"
    meaning = "A decision can be taken back for ten seconds, and not after one's next one. Override it instead."


class HiddenWhileBlind(Forbidden):
    code = "hidden-while-blind"
    title = "This is hidden until you have judged"
    meaning = (
        "Whoever holds a blind review is shown neither what the model decided nor what others said of it, on any page, "
        "list or address, until they have handed in a first judgement."
    )
    default_detail = "You hold a blind review of this decision. Judge first; then you are shown all of it."
    way_on = ("Your reviews", "/admin/reviews/")


class OverrideNotFound(NotFound):
    code = "override-not-found"
    title = "There is no such override"
    meaning = "No override of this id is within reach of whoever is asking."


class OverrideNotWaiting(Conflict):
    code = "override-not-waiting"
    title = "This override waits for nobody"
    meaning = (
        "It was agreed to or refused already, nobody came for it in seven days, or another one waits for this decision."
    )


class AlreadyExecuted(Conflict):
    code = "already-executed"
    title = "Somebody carries this out already"
    meaning = (
        "What was decided is carried out once, and another worker took it, or said that it is done. Do nothing. If "
        "that worker died over it, find out whether it was done; where it was not, a person who may override the "
        "decision says so with a new override, which may be carried out once more."
    )


class ExecutionPending(Conflict):
    code = "execution-pending"
    title = "Nobody has decided this yet"
    meaning = "A person has to decide first. Carry out nothing; wait for it with `GET .../effective?wait=30`."


class ExecutionFrozen(Conflict):
    code = "execution-frozen"
    title = "This was approved, but a stop is in force"
    meaning = "Carry out nothing. When the stop has been taken back, read what holds by then and claim that."


class ExecutionNotAllowed(Conflict):
    code = "execution-not-allowed"
    title = "This decision is not to be carried out"
    meaning = (
        "It was refused, withdrawn, nobody decided in time, or the fallback is to be taken: `action` of `GET "
        ".../effective` says which. Do that instead."
    )


class NothingToExecute(Conflict):
    code = "nothing-to-execute"
    title = "There is nothing left to carry out"
    meaning = (
        "The decision was sent as one in effect (`phase` `effective`), so it was carried out before, and nobody has "
        "put another outcome in its place."
    )


class EffectiveChanged(Conflict):
    code = "effective-changed"
    title = "What holds may have changed meanwhile"
    meaning = (
        "The version sent is not that of what holds now. Carry out nothing yet: read `GET .../effective` again, and "
        "claim with the version told there if it is still to be carried out."
    )


class AppealNotFound(NotFound):
    code = "appeal-not-found"
    title = "There is no such appeal"
    meaning = "No appeal of this id is within reach of whoever is asking."


class AppealExists(Conflict):
    code = "appeal-exists"
    title = "This decision is contested already"
    meaning = "One appeal against a decision is dealt with at a time."


class AppealNotOpen(Conflict):
    code = "appeal-not-open"
    title = "This appeal is not in a state that allows this"
    meaning = "It was decided already, or its remedy is confirmed already."


class RemedyNotSeen(Conflict):
    code = "remedy-not-seen"
    title = "The remedy is not confirmed"
    meaning = (
        "An overturned decision stays contested until the calling service has confirmed the corrected outcome, or "
        "somebody who answers for the AI system says, with a note, how it was put right."
    )
