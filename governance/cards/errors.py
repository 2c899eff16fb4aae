"""What can go wrong with a system card, as callers are told."""

from config.errors import Conflict, NotFound


class CardNotFound(NotFound):
    code = "card-not-found"
    title = "There is no such system card"
    meaning = "No published card of that number, or none at that time, is within reach of whoever is asking."


class CardDraftNotFound(NotFound):
    code = "card-draft-not-found"
    title = "Nobody is writing a system card just now"
    meaning = "There is no draft, and none waits for a second person. Start one."
    default_detail = "There is no draft of a card for this AI system. Start one."


class CardDraftExists(Conflict):
    code = "card-draft-exists"
    title = "Somebody is writing the next card already"
    meaning = "An AI system has one draft at a time. Go on with that one, or give it up first."
    default_detail = "There is a draft already, or a card that waits for a second person. Go on with that."


class CardDraftChanged(Conflict):
    code = "card-draft-changed"
    title = "The draft was changed meanwhile"
    meaning = (
        "Somebody else saved it, or you did in another window, after you loaded it. Nothing was overwritten. `errors` "
        "names the places that differ: read the draft again, and save what should be."
    )
    default_detail = "The draft was saved by somebody else after you loaded it. Nothing of theirs was overwritten."


class CardWaits(Conflict):
    code = "card-waits"
    title = "This card waits for a second person"
    meaning = "What was submitted is not changed under the eyes of whoever looks at it. Take it back first."
    default_detail = "The card was submitted and waits for a second person. Take it back to go on writing."


class CardNotSubmitted(Conflict):
    code = "card-not-submitted"
    title = "No card waits for a second person"
    meaning = "It was answered, taken back or given up meanwhile. Look at it as it is now."


class CardSubmittedAnew(Conflict):
    code = "card-submitted-anew"
    title = "Another text was submitted meanwhile"
    meaning = "What is published is exactly what was looked at: its digest is sent along. Read it again."
    default_detail = "What waits now is not what you looked at. Read it again before you publish it."


class CardIncomplete(Conflict):
    code = "card-incomplete"
    title = "This card lacks what no card goes without"
    meaning = (
        "Capabilities, intended purpose, out-of-scope uses, affected groups, limitations, failure modes, performance "
        "with its test, oversight, data and contacts. `errors` names each place, and who asks for it."
    )


class CardUnchanged(Conflict):
    code = "card-unchanged"
    title = "This card says what the one in force says"
    meaning = "A new number is for a new content. Change something, or give the draft up."
