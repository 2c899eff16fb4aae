"""The words of e-mails about reviews and appeals. They name what waits, never what anybody decided."""

from typing import Any

from django.urls import reverse

from notices.letters import Letter, letter


def _page_of(facts: dict[str, Any]) -> str:
    return reverse("admin:decision", args=[facts["decision"]]) if facts.get("decision") else ""


@letter("reviews.due")
def reviews_due(facts: dict[str, Any]) -> Letter:
    place = f"in the queue {facts['queue']}" if facts.get("queue") else "without a queue"
    line = (
        f"Reviews {place} have used {facts['share']} % of their time. When it is over, what their rule says is applied."
    )
    return Letter("Reviews are waiting", [line])


@letter("review.conflicted")
def review_conflicted(facts: dict[str, Any]) -> Letter:
    return Letter("Two reviewers disagree", ["A third person has to decide between them."], _page_of(facts))


@letter("review.escalated")
def review_escalated(facts: dict[str, Any]) -> Letter:
    line = "A reviewer leaves a decision to those who answer for the AI system."
    return Letter("A review was escalated", [line], _page_of(facts))


@letter("appeal.opened")
def appeal_opened(facts: dict[str, Any]) -> Letter:
    line = "Somebody who had no part in the decision has to uphold or overturn it."
    return Letter("A decision is contested", [line], _page_of(facts))
