"""The words of e-mails about human review: what waits, and where. Never what a decision says."""

import uuid

from django.urls import reverse

from notices.letters import Facts, Letter, letter
from overrides.models import Review


@letter("reviews.due")
def _due(facts: Facts) -> Letter:
    """One stands for all of its queue in that hour."""
    where = f"in the queue {facts['queue']}" if facts.get("queue") else "of an AI system you answer for"
    lines = [f"{facts['share']}% of the time of at least one review {where} has run, and nobody has decided."]
    return Letter(f"Reviews are due {where}", lines, reverse("admin:reviews"))


@letter("review.offered")
def _offered(facts: Facts) -> Letter:
    lines = ["A colleague handed it to you. It is yours alone for 24 hours.", *_until(facts)]
    return Letter("A review was handed to you", lines, reverse("admin:reviews"))


@letter("review.conflicted")
def _conflicted(facts: Facts) -> Letter:
    lines = ["A third person who has not judged it decides between them.", *_until(facts)]
    return Letter("Two reviewers disagree", lines, reverse("admin:reviews"))


@letter("review.escalated")
def _escalated(facts: Facts) -> Letter:
    lines = ["A reviewer left it to those who answer for the AI system.", *_until(facts)]
    return Letter("A review was escalated", lines, reverse("admin:reviews"))


@letter("appeal.opened")
def _appeal(facts: Facts) -> Letter:
    page = reverse("admin:appeal", kwargs={"appeal_id": facts["appeal"]})
    return Letter("A decision is contested", ["A reviewer who had no part in it decides the appeal."], page)


def _until(facts: Facts) -> list[str]:
    review = Review.objects.filter(pk=uuid.UUID(facts["review"])).first()
    return [f"Deadline: {review.deadline_at:%Y-%m-%d %H:%M} UTC"] if review else []
