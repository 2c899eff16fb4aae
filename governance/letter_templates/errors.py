"""What can go wrong with templates of explanation letters, as callers are told."""

from config.errors import Conflict, NotFound


class LetterTemplateNotFound(NotFound):
    code = "letter-template-not-found"
    title = "There is no such template of letters"
    meaning = "No template of that language, number or state is within reach of whoever is asking."


class LetterTemplateChanged(Conflict):
    code = "letter-template-changed"
    title = "The template was changed meanwhile"
    meaning = (
        "Somebody else saved the draft, or you did in another window, after you loaded it. Nothing was overwritten: "
        "read it again, and save what should be. What is published is exactly what was looked at."
    )
    default_detail = "The draft was saved after you loaded it. Nothing was overwritten: look at it as it is now."


class LetterTemplateWaits(Conflict):
    code = "letter-template-waits"
    title = "This template waits for a second person"
    meaning = "What was submitted is not changed under the eyes of whoever looks at it. Take it back first."
    default_detail = "The template was submitted and waits for a second person. Take it back to go on writing."


class LetterTemplateNotSubmitted(Conflict):
    code = "letter-template-not-submitted"
    title = "No template waits for a second person"
    meaning = "It was not submitted, or was answered or taken back meanwhile. Look at it as it is now."


class LetterTemplateUnchanged(Conflict):
    code = "letter-template-unchanged"
    title = "This template says what the one in force says"
    meaning = "A new number is for a new content. Change something, or give the draft up."
