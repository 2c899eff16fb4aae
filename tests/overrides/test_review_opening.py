"""Reviews are opened with their decisions: one statement, and the decision's own entry is the first trail."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.selectors import decision_by_id
from config.ids import new_id
from evidence.verification.rows import walks
from evidence.verification.walks import Slice
from overrides.models import Review
from overrides.review_rules import NewReview
from overrides.services.opening import open_reviews
from tests.factories.register import make_system
from tests.factories.reviews import open_review

pytestmark = pytest.mark.django_db


def test_a_held_decision_opens_a_review_that_its_entry_names() -> None:
    review = open_review(make_system())
    assert decision_by_id(review.decision_id).body.review_id == str(review.pk)
    assert (review.status, review.revision, review.on_timeout, review.reviews_required) == ("open", 0, "block", 1)
    assert review.deadline_at - review.opened_at == timedelta(days=1)


def test_any_number_of_reviews_is_one_statement() -> None:
    system, now = make_system(), timezone.now()
    reviews = [
        NewReview(
            review_id=new_id(),
            decision_id=new_id(),
            system_id=system.pk,
            environment="production",
            rule_id=None,
            mode_epoch="1.1",
            phase="proposed",
            recorded_at=now,
        )
        for _ in range(200)
    ]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        open_reviews(reviews)
    assert (len(queries), Review.objects.count()) == (1, 200)


def test_no_reviews_are_no_statement() -> None:
    with CaptureQueriesContext(connection) as queries:
        open_reviews([])
    assert len(queries) == 0


def unsealed(table: str) -> list[str | None]:
    (walk,) = [walk for walk in walks() if walk.name == f"{table}:rows"]
    return [finding.row for finding in walk.check(Slice(None, None))]


def test_verification_takes_the_decisions_entry_for_the_trail_of_an_untouched_review() -> None:
    review = open_review(make_system())
    assert unsealed("overrides_review") == []
    forged = open_review(make_system())
    with connection.cursor() as cursor:
        cursor.execute("UPDATE overrides_review SET decision_id = %s WHERE id = %s", [review.decision_id, review.pk])
        cursor.execute("UPDATE overrides_review SET id = %s WHERE id = %s", [new_id(), forged.pk])
    assert len(unsealed("overrides_review")) == 1
