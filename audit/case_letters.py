"""The words of e-mails about cases. They name the case and the day, never what was found."""

import uuid
from typing import Any

from django.urls import reverse

from audit.models import Case
from notices.letters import Letter, letter


@letter("case.given")
def case_given(facts: dict[str, Any]) -> Letter:
    return _letter("You lead an investigation", ["What is known of it stands on its page."], facts)


@letter("case.action_planned")
def action_planned(facts: dict[str, Any]) -> Letter:
    lines = [f"It is due on {facts['due_on']}.", "When it is done, say so on the page of the case, and what shows it."]
    return _letter("A corrective action was given to you", lines, facts)


@letter("case.action_overdue")
def action_overdue(facts: dict[str, Any]) -> Letter:
    lines = [f"It was due on {facts['due_on']}.", "The case cannot be closed before it is done, or dropped."]
    return _letter("A corrective action is overdue", lines, facts)


def _letter(subject: str, lines: list[str], facts: dict[str, Any]) -> Letter:
    case = Case.objects.get(pk=uuid.UUID(facts["case"]))
    return Letter(f"{subject} (case {case.reference})", lines, reverse("admin:case", args=[case.pk]))
