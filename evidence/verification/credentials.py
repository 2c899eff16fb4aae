"""What opens a door, against the entries that say so: secrets of webhooks and apps, recovery codes, set-up links.

None of these rows is governed: they are deleted when they end. The entry of the act that made one holds a digest of
what it keeps (an encrypted secret, or a hash), so what was slipped in, changed or taken away shows.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import zip_longest
from typing import Any

from django.db.models import Q
from django.utils import timezone

from evidence.verification.findings import Finding
from evidence.verification.trees import said_by
from evidence.verification.walks import Slice, Walk
from governance.credentials import codes_digest, secret_digest
from governance.kinds import (
    CREDENTIALS_SET,
    FACTOR_ENROLLED,
    FACTOR_REMOVED,
    FACTORS_RESET,
    RECOVERY_CODE_USED,
    RECOVERY_CODES_MADE,
    SETUP_LINK_ISSUED,
)
from governance.models import Passkey, Person, RecoveryCode, SetupLink, TotpFactor
from ledger.entries import timestamp
from ledger.kinds import Kind
from ledger.models import Entry
from notices.kinds import WEBHOOK_REGISTERED, WEBHOOK_SECRET_ROTATED
from notices.models import EndpointSecret, WebhookEndpoint

Check = Callable[[uuid.UUID], Finding | None]
Said = tuple[str, dict[str, Any]]
"""The kind of an entry, and its body."""


def walks() -> list[Walk]:
    """One question for each endpoint, person, app and link."""
    return [
        _walk("endpoint-secrets", WebhookEndpoint, _endpoint_secrets),
        _walk("recovery-codes", Person, _recovery_codes),
        _walk("app-secrets", TotpFactor, _app_secret),
        _walk("setup-links", SetupLink, _setup_link),
    ]


def _walk(name: str, model: Any, check: Check) -> Walk:
    table = model._meta.db_table

    def look(part: Slice) -> Iterator[Finding]:
        rows = model._base_manager.filter(_within(part)).order_by("id").values_list("pk", flat=True)
        for pk in rows.iterator():
            # a change that commits between the reads of one look is not a forgery: only what stays is told
            if check(pk) and (found := check(pk)):
                yield found

    return Walk(name, table, "id", look)


def _within(part: Slice) -> Q:
    after = Q(pk__gt=part.after) if part.after else Q()
    return after & Q(pk__lte=part.upto) if part.upto else after


def _said(about: uuid.UUID, *kinds: Kind) -> list[Said]:
    """What was said of something, in the order in which it was sealed."""
    names = [kind.name for kind in kinds]
    found = Entry.objects.filter(about_id=about, kind__in=names).order_by("id")
    return [(entry.kind, said_by(entry.data)) for entry in found.only("kind", "data")]


def _found(model: Any, row: uuid.UUID, problems: Iterable[str]) -> Finding | None:
    detail = ", ".join(dict.fromkeys(problems))
    return Finding("credential-altered", table=model._meta.db_table, row=str(row), detail=detail) if detail else None


# --- webhook endpoints ------------------------------------------------------------------------------------------------
def _endpoint_secrets(endpoint_id: uuid.UUID) -> Finding | None:
    bodies = [body for _, body in _said(endpoint_id, WEBHOOK_REGISTERED, WEBHOOK_SECRET_ROTATED)]
    ends = [str(body.get("overlap_until")) for body in bodies[1:]]
    expected = dict(zip_longest((str(body.get("secret")) for body in bodies), ends))
    rows = list(EndpointSecret.objects.filter(endpoint_id=endpoint_id))
    stored = {secret_digest(bytes(row.secret)): _text(row.expires_at) for row in rows}
    return _found(EndpointSecret, endpoint_id, _wrong_secrets(expected, stored, len(rows)))


def _wrong_secrets(expected: dict[str, str | None], stored: dict[str, str | None], count: int) -> Iterator[str]:
    if count != len(stored):
        yield "twice"
    for digest, end in stored.items():
        if digest not in expected:
            yield "unsaid"
        elif expected[digest] != end:
            yield "expires_at"
    now = timestamp(timezone.now())
    if any(digest not in stored for digest, end in expected.items() if end is None or end > now):
        yield "missing"


def _text(at: datetime | None) -> str | None:
    return timestamp(at) if at else None


# --- recovery codes ---------------------------------------------------------------------------------------------------
def _recovery_codes(person_id: uuid.UUID) -> Finding | None:
    made, used = _codes_said(person_id)
    rows = list(RecoveryCode.objects.filter(person_id=person_id))
    problems = []
    if (codes_digest(bytes(row.code_hash) for row in rows) if rows else None) != made:
        problems.append("codes")
    if {str(row.pk) for row in rows if row.used_at is not None} != used:
        problems.append("used_at")
    return _found(RecoveryCode, person_id, problems)


def _codes_said(person_id: uuid.UUID) -> tuple[str | None, set[str]]:
    """The digest of the codes that a person has, None for none, and which of them were used."""
    made: str | None = None
    used: set[str] = set()
    for kind, body in _of_person(person_id):
        if kind == RECOVERY_CODE_USED.name:
            used.add(str(body.get("code")))
        elif kind in (RECOVERY_CODES_MADE.name, FACTORS_RESET.name) or body.get("codes_ended"):
            made, used = body.get("codes"), set()
    return made, used


def _of_person(person_id: uuid.UUID) -> list[Said]:
    """The entries about a person's codes. That of a removed factor is about the factor, and may end them."""
    factors = [
        pk
        for model in (TotpFactor, Passkey)
        for pk in model.objects.filter(person_id=person_id).values_list("pk", flat=True)
    ]
    about_them = Q(about_id=person_id, kind__in=[RECOVERY_CODES_MADE.name, RECOVERY_CODE_USED.name, FACTORS_RESET.name])
    found = Entry.objects.filter(about_them | Q(about_id__in=factors, kind=FACTOR_REMOVED.name)).order_by("id")
    return [(entry.kind, said_by(entry.data)) for entry in found.only("kind", "data")]


# --- authenticator apps and set-up links ------------------------------------------------------------------------------
def _app_secret(factor_id: uuid.UUID) -> Finding | None:
    factor = TotpFactor.objects.filter(pk=factor_id).first()
    if factor is None or (factor.removed_at is not None and not factor.sealed_secret):
        return None
    said = [body.get("secret") for _, body in _said(factor_id, FACTOR_ENROLLED)]
    is_same = factor.removed_at is None and said == [secret_digest(bytes(factor.sealed_secret))]
    return None if is_same else _found(TotpFactor, factor_id, ["sealed_secret"])


def _setup_link(link_id: uuid.UUID) -> Finding | None:
    link = SetupLink.objects.filter(pk=link_id, used_at=None, person__isnull=False).first()
    if link is None or link.person_id is None:
        return None  # spent; or for the first administrator, whose own entry says how they came
    said = _said(link.person_id, SETUP_LINK_ISSUED, CREDENTIALS_SET)
    issued = {str(body.get("link")): body for kind, body in said if kind == SETUP_LINK_ISSUED.name}
    spent = {str(body.get("link")) for kind, body in said if kind == CREDENTIALS_SET.name}
    body = issued.get(str(link.pk), {})
    kept = (secret_digest(bytes(link.secret_hash)), _text(link.expires_at))
    is_same = (body.get("secret"), body.get("expires_at")) == kept and str(link.pk) not in spent
    return None if is_same else _found(SetupLink, link_id, ["link"])
