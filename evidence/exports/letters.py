"""The words of e-mails about exports: to whoever agrees, and to whoever asked."""

import uuid

from django.urls import reverse

from evidence.exports.codes import FAILURES
from evidence.exports.contents import WORDS
from evidence.exports.models import Export
from governance.models import AISystem
from notices.approvals import asking
from notices.letters import Facts, Letter, letter

Status = Export.Status


@letter("export.asked")
def export_asked(facts: Facts) -> Letter:
    export = Export.objects.get(pk=uuid.UUID(facts["request"]))
    contents = ", ".join(WORDS[name].lower() for name in export.parts)
    return asking(
        by=export.asked_by_id,
        wants=f"export {_about(export)} with contents ({contents})",
        why=[export.reason],
        is_open=export.status == Status.REQUESTED,
        until=None,
        page=_page(export),
    )


@letter("export.answered")
def export_answered(facts: Facts) -> Letter:
    """What is told is what is so when it is sent: the file may be gone again by then."""
    export = Export.objects.get(pk=uuid.UUID(facts["export"]))
    about = _about(export)
    match export.status:
        case Status.FINISHED if export.expires_at:
            whole = "" if export.is_whole else " It is NOT whole: its page says what is left out."
            until = f"{export.expires_at:%Y-%m-%d}"
            return Letter(
                f"Your export is ready: {about}", [f"Its file can be fetched until {until}.{whole}"], _page(export)
            )
        case Status.EXPIRED if export.failure:
            why = FAILURES.get(export.failure, export.failure)
            return Letter(
                f"Your export has no file any more: {about}", [f"Why: {why}. Ask for it again."], _page(export)
            )
        case Status.FAILED:
            why = FAILURES.get(export.failure, export.failure)
            return Letter(f"Your export could not be made: {about}", [f"Why: {why}."], _page(export))
        case Status.REFUSED:
            answer = export.answer or "No reason was given."
            return Letter(f"Your export was refused: {about}", [f"Why: {answer}"], _page(export))
    return Letter(f"Your export: {about}", [f"It is over: {export.get_status_display()}."], _page(export))


def _about(export: Export) -> str:
    if export.question == Export.Question.RANGE and export.system_id:
        return f"decisions of {AISystem.objects.get(pk=export.system_id)}"
    return str(export.get_question_display())


def _page(export: Export) -> str:
    return reverse("admin:export", args=[export.pk])
