"""What erasing and retention refuse."""

from config.errors import Conflict, NotFound, Unavailable


class ErasureNotFound(NotFound):
    code = "erasure-not-found"
    title = "There is no such erasure"
    meaning = (
        "No erasure of that id is within reach of whoever is asking: a data protection officer, or who agrees to it."
    )
    default_detail = "There is no erasure of this id that you may see."


class ErasureNotOpen(Conflict):
    code = "erasure-not-open"
    title = "The erasure is in another state"
    meaning = "It was asked for, answered, stopped or performed meanwhile. Look at it again."
    default_detail = "This does not go with the state it is in by now. Nothing was changed."


class StillSearching(Conflict):
    code = "erasure-still-searching"
    title = "What is to be erased is still being looked for"
    meaning = "An erasure is asked for once everything was looked through, so that what is agreed to is all there is."
    default_detail = "The search for what names them is not over. Come back in a while."


class FindsUnseen(Conflict):
    code = "finds-unseen"
    title = "Not all that was found was looked at"
    meaning = (
        "An erasure is asked for once a data protection officer was shown every page of what was found by its words: "
        "some of it may name somebody else."
    )
    default_detail = "Look at every page of what was found first."


class NothingToErase(Conflict):
    code = "nothing-to-erase"
    title = "There is nothing to erase"
    meaning = "Nothing was found that hangs on these decisions, on this subject or on what else names them."
    default_detail = "Nothing was found, or all that was found was left out."


class PersonStillHere(Conflict):
    code = "person-still-here"
    title = "They are still here"
    meaning = (
        "The name of a member of staff is erased after they have left: their roles are ended first, and whoever is the "
        "last administrator cannot leave."
    )
    default_detail = "Only the name of somebody who has left can be erased. Let them leave first."


class RetentionNotFound(NotFound):
    code = "retention-not-found"
    title = "There is no such class, rule or purge"
    meaning = "No retention class, rule or purge of that id is within reach of whoever is asking."
    default_detail = "There is nothing of this id that you may see."


class RetentionNotOpen(Conflict):
    code = "retention-not-open"
    title = "It is over"
    meaning = "The request was answered or taken back, the class was archived, or the purge is over."
    default_detail = "This was answered, taken back or ended meanwhile. Nothing was changed."


class NoDocument(NotFound):
    code = "no-signed-document"
    title = "There is no signed document yet"
    meaning = "A receipt or report is signed once everything it is about is done."
    default_detail = "It is signed when all of it is done."


class ErasureDiffers(Conflict):
    code = "erasure-differs"
    title = "The stored erasure does not say what was sealed"
    meaning = (
        "What the rows of an erasure say that it took is not what the entry of its end says: no receipt is signed."
    )
    default_detail = "Somebody changed the database. No receipt of this is signed: have the self-audit look at it."


class PurgeDiffers(Conflict):
    code = "purge-differs"
    title = "The stored purge does not say what was sealed"
    meaning = (
        "The row of a purge, of a class or of an AI system in it is not as its last change was sealed, or its counts "
        "are not those of the entry of its end, so no report of it is signed."
    )
    default_detail = "Somebody changed the database. No report of this is signed: have the self-audit look at it."


class MemoryUnavailable(Unavailable):
    code = "erasure-memory-unavailable"
    title = "What was erased cannot be looked up"
    meaning = (
        "The file beside the head store by which this host remembers what was erased cannot be read or written. "
        "Nothing was changed."
    )
