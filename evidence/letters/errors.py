"""What can go wrong with explanation letters, as callers are told."""

from config.errors import Conflict, InvalidInput, NotFound


class LetterNotFound(NotFound):
    code = "letter-not-found"
    title = "There is no such letter"
    meaning = "No explanation letter of that id is within reach of whoever is asking."


class LetterDraftNotFound(NotFound):
    code = "letter-draft-not-found"
    title = "You are writing no letter about this decision"
    meaning = "The draft was issued, given up, or left untouched for 30 days. Begin another one."
    default_detail = "There is no draft of yours any more: it was issued, given up or forgotten. Begin another one."


class LetterIncomplete(InvalidInput):
    code = "letter-incomplete"
    title = "The letter still names facts that are not known"
    meaning = (
        "A fact that the template asks for is not known of this decision. Nothing is printed as a blank: `errors` "
        "names each with its place, to be written by hand or taken out."
    )


class LetterFactsChanged(Conflict):
    code = "letter-facts-changed"
    title = "Something is otherwise than when the letter was written"
    meaning = (
        "People decided on the decision meanwhile, another template is in force, or another day has begun. `errors` "
        "names the facts. Look at what they are now, change the text where it needs it, and issue it then."
    )


class LetterReplaced(Conflict):
    code = "letter-replaced"
    title = "Another letter replaces it already, or it is about another decision"
    meaning = "A correction names the one letter that it replaces: the newest one about the same decision."


class LetterNotInForce(Conflict):
    code = "letter-not-in-force"
    title = "The letter was withdrawn"
    meaning = "A letter is withdrawn once."


class LetterKeyTaken(Conflict):
    code = "letter-key-taken"
    title = "This key was used for something else"
    meaning = "A key that a form or a program sends, so that a repeat issues nothing twice, leads to another letter."
