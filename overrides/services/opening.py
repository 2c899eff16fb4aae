"""Opening reviews, with the decisions they are of: inside the sealing of intake's group."""

from collections.abc import Sequence
from typing import Any

from django.db import connection

from overrides.review_rules import NewReview, draw_of

OPEN_ALL = """
INSERT INTO overrides_review (
    id, created_at, revision, decision_id, system_id, environment, rule_id, queue_id, mode_epoch, phase,
    opened_at, deadline_at, on_timeout, reviews_required, is_blind, required_skill, probability,
    status, version, verdict, outcome, reason_code, action, closing, told_share
)
SELECT n.id, n.at, 0, n.decision_id, n.system_id, n.environment, n.rule_id, q.id, n.mode_epoch, n.phase,
    n.at, n.at + make_interval(secs => coalesce(r.deadline_s, q.deadline_s, 86400)),
    CASE WHEN n.by_switch THEN 'block' ELSE coalesce(r.on_timeout, 'block') END, coalesce(r.reviews_required, 1),
    coalesce(r.is_blind, false) OR n.draw < coalesce(q.blind_share, 0),
    coalesce(r.required_skill, ''), n.probability,
    'open', 1, '', '', '', '', '', 0
FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::uuid[], %s::text[], %s::text[],
    %s::timestamptz[], %s::float8[], %s::float8[], %s::boolean[])
    AS n (id, decision_id, system_id, environment, rule_id, mode_epoch, phase, at, draw, probability, by_switch)
LEFT JOIN overrides_reviewrule r ON r.id = n.rule_id
LEFT JOIN LATERAL (
    SELECT * FROM overrides_reviewqueue c
    WHERE c.id = r.queue_id OR (r.id IS NULL AND c.is_default AND c.archived_at IS NULL
        AND (c.system_id = n.system_id OR c.system_id IS NULL))
    ORDER BY c.system_id NULLS LAST LIMIT 1
) q ON true
ON CONFLICT (id) DO NOTHING
"""
"""What a rule and its queue say is copied, as it is now: a later change of the rule is none of the review.

A group whose COMMIT was lost on its way runs again, and finds its reviews there.
"""


def open_reviews(reviews: Sequence[NewReview]) -> None:
    """Open reviews of decisions that are being recorded: one statement, however many. None where nothing is held.

    Inside the caller's `sealing()`: the entry of each decision, which names its review, is the review's first trail.
    Errors: those of the database.
    """
    if not reviews:
        return
    columns: list[Any] = [
        [each.review_id for each in reviews],
        [each.decision_id for each in reviews],
        [each.system_id for each in reviews],
        [each.environment for each in reviews],
        [each.rule_id for each in reviews],
        [each.mode_epoch for each in reviews],
        [each.phase for each in reviews],
        [each.recorded_at for each in reviews],
        # of the review's own bits: those of the decision have chosen it, where a share was
        [draw_of(each.review_id) for each in reviews],
        [each.probability for each in reviews],
        [each.is_by_switch for each in reviews],
    ]
    with connection.cursor() as cursor:
        cursor.execute(OPEN_ALL, columns)
