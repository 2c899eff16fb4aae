"""What investigations refuse."""

from config.errors import Conflict, Delayed, NotFound


class CaseNotFound(NotFound):
    code = "case-not-found"
    title = "There is no such case"
    meaning = "No case of that id is within reach of whoever is asking. One that exists elsewhere looks the same."
    default_detail = "There is no case of this id that you may see."


class CasePartNotFound(NotFound):
    code = "case-part-not-found"
    title = "The case has no such part"
    meaning = "A note, finding, action, report or hold of that id is not one of this case that you may see."
    default_detail = "This case has nothing of this id."


class CaseChanged(Conflict):
    code = "case-changed"
    title = "Somebody changed it meanwhile"
    meaning = (
        "The revision that was sent is not the newest one. Read it again: the answer says what it is now, and nothing "
        "of what was sent was taken."
    )
    default_detail = "Somebody changed it since you opened it. Nothing of yours was saved: compare, and send it again."


class CaseClosed(Conflict):
    code = "case-closed"
    title = "The case is closed"
    meaning = "Nothing is added to a closed case. It can be reopened, with a reason."
    default_detail = "The case is closed. Reopen it, with a reason, to go on."


class CaseNotReady(Conflict):
    code = "case-not-ready"
    title = "The case cannot go there yet"
    meaning = (
        "Investigating needs a lead investigator, concluding a finding with its root cause, closing that every "
        "corrective action is done or was dropped with a reason, and that an incident had its final report."
    )


class CaseKeyTaken(Conflict):
    code = "case-key-taken"
    title = "This key was used for something else"
    meaning = "A key that a form or a program sends, so that a repeat makes nothing twice, leads to something else."
    default_detail = "What was sent before under this key was something else. Load the page anew and send it again."


class LeadHasConflict(Conflict):
    code = "lead-has-conflict"
    title = "They had a part in it themselves"
    meaning = (
        "Nobody leads an investigation into an AI system that they answer for, or into decisions that they reviewed, "
        "overrode, sent or decided an appeal against. There is no exception: somebody else leads it."
    )


class NothingToAttach(Conflict):
    code = "nothing-to-attach"
    title = "There is nothing to attach"
    meaning = "The filter finds nothing that you may see and that is not in the case already, or no id was given."
    default_detail = "Nothing that you may see answers this and is not in the case already."


class NotAttached(Conflict):
    code = "not-attached"
    title = "A decision is not in the case"
    meaning = "At least one of the decisions that were to be taken out is not in the case. None was taken out."
    default_detail = "At least one of these decisions is not in the case. None was taken out."


class FilterTooSlow(Delayed):
    code = "filter-too-slow"
    status = 503
    title = "The filter took too long"
    meaning = "Looking for the decisions took longer than it may. Nothing was attached: narrow the filter by time."
    default_detail = "Looking for these decisions took too long, so nothing was attached. Narrow the filter by time."


class ReportTooSlow(Delayed):
    code = "report-too-slow"
    status = 503
    title = "The report took too long"
    meaning = "Counting the decisions of the case for its report took longer than it may. Nothing was changed."
    default_detail = "Counting what is in this case took too long, so there is no report. Try again later."


class IncidentExists(Conflict):
    code = "incident-exists"
    title = "The case is an incident already"
    meaning = "A case becomes an incident once. What more is known of it is added to the one that is there."
    default_detail = "This case is an incident already. Add to it what more is known."


class ReportNotReady(Conflict):
    code = "report-not-ready"
    title = "This report cannot be recorded now"
    meaning = "The initial report comes first, and once; the final one once, and nothing after it."


class HoldExists(Conflict):
    code = "hold-exists"
    title = "There is a legal hold on it already"
    meaning = "A case has one legal hold at a time; it covers every decision that was ever attached."
    default_detail = "A legal hold on this case is in force already."


class HoldByLaw(Conflict):
    code = "hold-by-law"
    title = "The evidence of a serious incident is kept"
    meaning = (
        "Until the final report to the authority is recorded, nobody lifts the legal hold on its case: Regulation (EU) "
        "2024/1689, article 73(6)."
    )
    default_detail = "The case is a serious incident, and its final report is not recorded: the hold stays until then."


class HoldNotOpen(Conflict):
    code = "hold-not-open"
    title = "The legal hold is in another state"
    meaning = "A lift is asked for while the hold is in force, and agreed to or refused while it is asked for."
    default_detail = "Somebody was here before: the legal hold is in another state now."
