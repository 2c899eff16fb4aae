"""Believable decisions of the three systems. Each builder returns one record as a service would post it.

The plain stream asks nobody: it stands for services that were there before. `console.demo.service` asks.
"""

import math
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from config.ids import new_id
from console.demo.cast import WHAT_RUNS

Record = dict[str, Any]
chance = random.SystemRandom()
FAILED = 0.01
THRESHOLD, MOST = 0.52, 10_000.0
HELD_BELOW = 0.53
"""The confidence from which on nobody need look."""
BRANCHES = ("north", "south", "harbour", "online")
PLAIN_CHANNELS, ASKING_CHANNEL = ("branch", "phone"), "app"
POSITIONS = ("warehouse-lead", "accountant", "nurse", "data-analyst", "fitter")
QUESTIONS = {
    "delivery": "Where is my parcel? It should have come on Tuesday.",
    "refund": "I sent the shoes back two weeks ago and have no money yet.",
    "account": "How do I change the e-mail address of my account?",
    "complaint": "The third lamp in a row that came broken. What now?",
    "legal": "Do I have to pay the reminder fee if I never got the first letter?",
}
SOURCE = "branch-queue"
NUMBERS_THAT_ARRIVE = (1, 2, 3, 6, 7)
PAGES = {
    "delivery": "shipping-times",
    "refund": "returns",
    "account": "account-settings",
    "complaint": "damaged-goods",
    "legal": "payment-reminders",
}


def example() -> Record:
    """A record to try by hand: the server makes its id."""
    record = credit_limit(datetime.now(UTC))
    wanted = ("system", "model_version", "occurred_at", "input", "output", "outcome", "confidence", "subject")
    return {name: record[name] for name in wanted}


def next_record(at: datetime) -> Record:
    """One decision of one of the systems, made at that moment."""
    build: Callable[[datetime], Record] = chance.choices((credit_limit, cv_triage, support_draft), (5, 2, 4))[0]
    record = build(at) | {"id": str(new_id()), "occurred_at": at.isoformat()}
    return _failed(record) if chance.random() < FAILED else record


def mishaps(at: datetime) -> list[Record]:
    """What goes wrong with any service: numbers that never arrive, records that cannot be taken, a changed repeat."""
    numbered = [
        next_record(at) | {"source": {"id": SOURCE, "seq": number}, "occurred_at": at.isoformat()}
        for number in NUMBERS_THAT_ARRIVE
    ]
    unsure = credit_limit(at) | {"id": str(new_id()), "confidence": 93}
    unknown = support_draft(at) | {"id": str(new_id()), "mood": "friendly"}
    first = credit_limit(at) | {"id": str(new_id())}
    changed = credit_limit(at) | {"id": first["id"]}
    return [*numbered, unsure, unknown, first, changed]


def close_call(at: datetime) -> Record:
    """One that the review rule holds: the model is hardly surer than a coin. Proposed, as by a service that asks."""
    record = next(each for each in iter(lambda: credit_limit(at), None) if each["confidence"] < HELD_BELOW)
    return record | {"id": str(new_id()), "phase": "proposed", "labels": record["labels"] | {"channel": ASKING_CHANNEL}}


def past_moments(count: int, hours: float) -> list[datetime]:
    """Moments of the last hours, in order, denser towards now."""
    now = datetime.now(UTC)
    return sorted(now - timedelta(hours=hours) * chance.random() ** 1.4 for _ in range(count))


def credit_limit(at: datetime, *, threshold: float = THRESHOLD, most: float = MOST) -> Record:
    """Approve or refuse a higher credit limit: from a score upwards, up to an amount."""
    income = round(chance.lognormvariate(10.5, 0.35), -2)
    asked = chance.choice((1000, 2000, 3000, 5000, 7500, 10000))
    used, late, years = chance.betavariate(2, 3), chance.choices((0, 1, 2, 4), (70, 18, 8, 4))[0], chance.randint(1, 20)
    reasons = [
        _reason("income", 0.9 * (income - 36000) / 20000, "High income", "Low income"),
        _reason("requested_limit", -0.5 * (asked - 3000) / 4000, "Modest limit requested", "High limit requested"),
        _reason(
            "utilisation", -1.6 * (used - 0.4), "Little of the current limit used", "Much of the current limit used"
        ),
        _reason("late_payments", -0.8 * late + 0.4, "No late payments", f"{late} late payment{'s' * (late > 1)}"),
        _reason("customer_for", 0.05 * (years - 6), "Long-standing customer", "New customer"),
    ]
    score = _score(reasons)
    approved = score >= threshold and asked <= most
    summary = _explained("Approved" if approved else "Refused", reasons, towards=1 if approved else -1)
    if asked > most and score >= threshold:
        summary["summary"] = f"Refused: {asked:,} is more than the {most:,.0f} that may be granted now"
    version = chance.choices(("limits-gbm-4.2", "limits-gbm-4.1"), (9, 1))[0]
    return _base("credit-limits", at) | {
        **WHAT_RUNS[version],
        "capability": "limit-increase",
        "input": {
            "income": income,
            "requested_limit": asked,
            "utilisation": round(used, 3),
            "late_payments_12m": late,
            "customer_for_years": years,
        },
        "output": {"decision": "approved" if approved else "refused", "limit": asked if approved else 0},
        "outcome": "approved" if approved else "refused",
        "score": round(score, 4),
        "threshold": threshold,
        "confidence": round(max(score, 1 - score), 4),
        "adverse": not approved,
        "ai_role": "sole",
        "phase": "effective",
        "explanation": summary,
        "subject": f"customer-{chance.randint(1, 900):04d}",
        "labels": {"branch": chance.choice(BRANCHES), "channel": chance.choice(PLAIN_CHANNELS)},
    }


def cv_triage(at: datetime) -> Record:
    """Shortlist, hand to a recruiter, or propose to decline."""
    match, years, gaps = chance.betavariate(3, 2.4), chance.randint(0, 22), chance.randint(0, 3)
    missing = f"{gaps} document{'s' * (gaps > 1)} missing"
    reasons = [
        _reason("requirements_met", 2.6 * (match - 0.5), "Most requirements met", "Few requirements met"),
        _reason("experience", 0.06 * (years - 5), "Long experience", "Little experience"),
        _reason("missing_documents", 0.2 - 0.5 * gaps, "No documents missing", missing),
    ]
    score = _score(reasons)
    outcome, said, towards = (
        ("shortlisted", "Shortlisted", 1)
        if score >= 0.7
        else ("declined", "Proposed to decline", -1)
        if score < 0.25
        else ("recruiter-review", "For a recruiter to look at", 0)
    )
    return _base("cv-triage", at) | {
        **WHAT_RUNS["triage-2026.10"],
        "capability": "screening",
        "input": {
            "position": chance.choice(POSITIONS),
            "requirements_met": round(match, 2),
            "experience_years": years,
            "missing_documents": gaps,
        },
        "output": {"proposal": outcome, "score": round(score, 3)},
        "outcome": outcome,
        "score": round(score, 4),
        "threshold": 0.7,
        "confidence": round(0.5 + abs(score - 0.5), 4),
        "adverse": outcome == "declined",
        "ai_role": "triage",
        "explanation": _explained(said, reasons, towards=towards),
        "subject": f"applicant-{chance.randint(1, 400):04d}",
        "labels": {"site": chance.choice(("main", "east")), "round": "autumn"},
    }


def support_draft(at: datetime) -> Record:
    """Draft an answer, or hand the question over."""
    topic, question = chance.choice(list(QUESTIONS.items()))
    page = PAGES[topic]
    found = [page, *chance.sample([other for other in PAGES.values() if other != page], k=2)]
    confidence = chance.betavariate(6, 2) * (0.6 if topic == "legal" else 1)
    outcome = "handed-over" if confidence < 0.45 else "answered"
    nearness = sorted((round(confidence * chance.uniform(0.4, 1), 3) for _ in found), reverse=True)
    return _base("support-drafts", at) | {
        **WHAT_RUNS["drafts-7"],
        "capability": "answer",
        "prompt_version": "drafts-7.3",
        "input": {"question": question, "topic": topic},
        "output": {"draft": f"Thank you for writing. See “{page}”: …"} if outcome == "answered" else {"draft": None},
        "outcome": outcome,
        "confidence": round(confidence, 4),
        "adverse": False,
        "ai_role": "advisory",
        "context": {
            "retrieved": [{"page": each, "similarity": near} for each, near in zip(found, nearness, strict=True)]
        },
        "explanation": {
            "summary": f"Answered from the help page “{page}”"
            if outcome == "answered"
            else f"Handed over to a person: “{page}” comes nearest and does not answer it well enough",
            "method": "retrieval",
        },
        "subject": f"customer-{chance.randint(1, 900):04d}",
        "labels": {"topic": topic, "language": chance.choice(("en", "de", "fr"))},
        "conversation_id": f"conversation-{chance.randint(1, 5000)}",
    }


def _base(system: str, at: datetime) -> Record:
    return {"system": system, "occurred_at": at.isoformat(), "latency_ms": round(chance.lognormvariate(4.2, 0.5), 1)}


def _reason(code: str, weight: float, speaks_for: str, speaks_against: str) -> Record:
    weight = round(weight, 3) or 0.0  # never -0.0
    return {"code": code, "text": speaks_for if weight >= 0 else speaks_against, "weight": weight}


def _score(reasons: list[Record]) -> float:
    return 1 / (1 + math.exp(-math.fsum(each["weight"] for each in reasons)))


def _explained(said: str, reasons: list[Record], *, towards: int) -> Record:
    """The strongest reason that points to the outcome; of a close call, the strongest of each side."""
    strongest = sorted(reasons, key=lambda each: -abs(each["weight"]))
    speaking_for = [each["text"].lower() for each in strongest if each["weight"] > 0]
    against = [each["text"].lower() for each in strongest if each["weight"] < 0]
    pointing = speaking_for if towards > 0 else against
    if towards and pointing:
        summary = f"{said}, mostly for: {pointing[0]}"
    elif speaking_for and against:
        summary = f"{said}: {speaking_for[0]}, but {against[0]}"
    else:
        summary = f"{said}: too near to the threshold to tell"
    return {"summary": summary, "method": "shap", "reasons": strongest}


def _failed(record: Record) -> Record:
    """A call of the model that failed is a decision too."""
    kept = {
        name: value for name, value in record.items() if name not in ("confidence", "score", "explanation", "adverse")
    }
    error = chance.choice(("model-timeout", "feature-store-unavailable"))
    return kept | {"outcome": "error", "output": {"error": error}, "error_type": error, "latency_ms": 5000.0}
