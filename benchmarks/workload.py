"""Decisions as a caller sends them: about 1 KB of JSON, with the caller's UUIDv7 as idempotency key."""

from collections.abc import Iterator
from datetime import UTC, datetime

from config.ids import new_id

SYSTEM, VERSION = "credit-limits", "2026-11-01"
BRANCHES = ("north", "south", "east", "west", "online")
SUBJECTS = 100_003

TEMPLATE = (
    '{{"id":"{id}","system":"{system}","model_version":"' + VERSION + '","capability":"{capability}",{more}'
    '"occurred_at":"{at}","input":{{"applicant":{{"age_band":"35-44","months_at_address":{months},"employment":'
    '"permanent","income_monthly":{income},"existing_limit":2500}},"bureau":{{"score":{bureau},"inquiries_6m":2,'
    '"delinquencies_24m":0,"utilisation":0.4{digit}}},"request":{{"requested_limit":6000,"channel":"app",'
    '"campaign":"autumn-2026","currency":"EUR"}}}},"output":{{"decision":"{outcome}","limit":{limit},"probability_of_'
    'default":0.0{digit}31,"review_after":"2027-05-01"}},"outcome":"{outcome}","confidence":0.8{digit},"score":'
    '0.{bureau},"threshold":0.62,"explanation":{{"summary":"Stable income, moderate utilisation.","method":"shap",'
    '"reasons":[{{"code":"income_stability","text":"Income has been stable for two years","weight":0.41}},{{"code":'
    '"utilisation","text":"Existing limits are used to less than half","weight":0.2{digit}}}]}},"subject":'
    '"c-{subject:06d}","labels":{{"branch":"{branch}","product":"card"}},"latency_ms":1{digit}.5}}'
)


def records(
    first: int, count: int, *, system: str = SYSTEM, capability: str = "limit-increase", proposed: bool = False
) -> Iterator[bytes]:
    """`count` decisions, numbered from `first`, each under a new id and made just now."""
    more = '"phase":"proposed",' if proposed else ""
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    for number in range(first, first + count):
        yield TEMPLATE.format(
            id=new_id(),
            system=system,
            capability=capability,
            more=more,
            at=at,
            months=number % 240,
            income=1800 + number % 4000,
            bureau=400 + number % 500,
            digit=number % 10,
            outcome="approved" if number % 3 else "refused",
            limit=6000 if number % 3 else 2500,
            subject=number * 7919 % SUBJECTS,
            branch=BRANCHES[number % 5],
        ).encode()


def batch_body(raws: list[bytes]) -> bytes:
    """The body of a batch request."""
    return b"[" + b",".join(raws) + b"]"
