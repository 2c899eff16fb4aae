"""The words of e-mails about reviews and appeals. They name what waits, never what anybody decided."""

from typing import Any

from django.urls import reverse

from notices.letters import Letter, letter


@letter("reviews.due")
def reviews_due(facts: dict[str, Any]) -> Letter:
    place = f"in the queue {facts['queue']}" if facts.get("queue") else "without a queue"
    line = (
        f"Reviews {place} have used {facts['share']} % of their time. When it is over, what their rule says is applied."
    )
    return Letter("Reviews are waiting", [line], reverse("admin:reviews"))


@letter("review.due")
def review_due(facts: dict[str, Any]) -> Letter:
    line = "It has used four fifths of its time. When it is over, what its rule says is applied. Your draft is kept."
    return Letter("A review you hold is nearly out of time", [line], reverse("admin:reviews"))


@letter("review.offered")
def review_offered(facts: dict[str, Any]) -> Letter:
    line = "A colleague handed it to you. It is yours alone for 24 hours."
    return Letter("A review was handed to you", [line], reverse("admin:reviews"))


@letter("review.conflicted")
def review_conflicted(facts: dict[str, Any]) -> Letter:
    return Letter("Two reviewers disagree", ["A third person has to decide between them."], reverse("admin:reviews"))


@letter("review.escalated")
def review_escalated(facts: dict[str, Any]) -> Letter:
    line = "A reviewer leaves a decision to those who answer for the AI system."
    return Letter("A review was escalated", [line], reverse("admin:reviews"))


@letter("appeal.opened")
def appeal_opened(facts: dict[str, Any]) -> Letter:
    line = "Somebody who had no part in the decision has to uphold or overturn it."
    page = reverse("admin:appeal", args=[facts["appeal"]]) if facts.get("appeal") else ""
    return Letter("A decision is contested", [line], page)
