"""The two decision endpoints: plain Django views, since REST framework's own work would cost more than ours.

`POST /api/v1/decisions` takes one record, `POST /api/v1/decisions/batch` up to 5,000. Both answer when the records are
sealed, never before. Exceptions become problem documents in `config.middleware`.
"""

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from audit.services.recording import Status, find_entries
from config.errors import BadRequest, PayloadTooLarge, ServiceError, TooManyRequests, Unavailable
from config.problems import MEDIA_TYPE, problem_document, problem_fields
from config.rate_limits import DECISIONS
from governance.api.authentication import KeyGrant, authenticate_key
from governance.errors import KeyOutOfScope
from intake import answers
from intake.admission import Admission, Admitted
from intake.bodies import IN_FLIGHT, JSON, NDJSON, Lease, media_type, read_body
from intake.committer import WAIT_SECONDS, Checkpoints, Job, Result, committer
from intake.connections import brief_connection
from intake.errors import (
    DecisionConflict,
    IntakeBusy,
    InvalidDecision,
    MalformedRecord,
    RecordTooLarge,
    TooManyRecords,
    UnreadableBody,
)
from intake.groups import Sealed, known_external_ids
from intake.metrics import OUTCOMES, count_arrivals, count_decision, count_decisions
from intake.reading import read_record
from intake.services.quarantine import Refused, count_unkept, quarantine
from intake.wire import MAX_RECORD_BYTES, MAX_RECORDS, DecisionRecord, split_array, split_lines
from ledger import sealing

log = structlog.get_logger(__name__)

MAX_BATCH_BYTES = 16 << 20
JOB_RECORDS = 1_000
KEPT = (InvalidDecision, DecisionConflict, RecordTooLarge, UnreadableBody)
"""Refused for their content, so kept in quarantine. (A missing right is no content.)"""
REFUSED_ALONE = (*KEPT, KeyOutOfScope, Unavailable)
"""What one record of a batch is refused for without its neighbours."""
NOT_KEPT = "It could not be kept in quarantine just now: keep it yourself, or send it again to have it kept."


@csrf_exempt
@require_POST
def post_decision(request: HttpRequest) -> HttpResponse:
    """Record one decision."""
    with IN_FLIGHT.lease() as lease:
        return _record_one(request, lease)


def _record_one(request: HttpRequest, lease: Lease) -> HttpResponse:
    at = timezone.now()
    grant = authenticate_key(request.META.get("HTTP_AUTHORIZATION", ""), now=at)
    admission = Admission(grant, at)
    media_type(request, JSON)
    body = b""
    try:
        body = read_body(request, MAX_RECORD_BYTES, lease, gzip=True)
        record = read_record(body)
        admission.look_up_old_ids([record])
        admitted = admission.admit(record)
        sealed, checkpoints = _seal_one(grant, admitted)
    except KEPT as error:
        return _refuse_one(request, grant, Refused.of(error, body, at))
    except PayloadTooLarge:
        _count_unkept(grant)
        raise
    except ServiceError as error:
        count_decision(_status_of(error))
        raise
    count_decision(sealed.status.value)
    answer = answers.receipt(sealed, admitted, *answers.origin_and_checkpoint(sealed, admitted, checkpoints))
    sealing.step("answer")
    status = 201 if sealed.status is Status.ACCEPTED else 200
    return HttpResponse(answer, status=status, content_type=JSON)


def _seal_one(grant: KeyGrant, admitted: Admitted) -> tuple[Sealed, Checkpoints]:
    allowance = DECISIONS.take(grant.account_id)
    if allowance.refused and not _recorded([admitted]):
        allowance.refuse()
    job = Job.of(admitted.decision.facets.values.log_id, [admitted])
    committer().hand_in([job])
    committer().wait_for(job, until=time.monotonic() + WAIT_SECONDS)
    return answers.sealed_or_raise(job.results[0]), job.checkpoints


def _recorded(group: Sequence[Admitted]) -> set[str]:
    """Which decisions are repeats, by their id or their caller's own key: answered though the allowance is used up."""
    sent = [each.decision.id for each in group if not each.decision.is_own_id]
    with brief_connection():
        found, known = find_entries(sent), known_external_ids(group)
    return found.keys() | {each.decision.id for each in group if each.external_digest in known}


def _count_unkept(grant: KeyGrant) -> None:
    """What is too large to be read is not kept, but the log says that it came."""
    with brief_connection():
        count_unkept(grant.key.id)
    count_arrivals(unkept=1)


def _refuse_one(request: HttpRequest, grant: KeyGrant, refused: Refused) -> HttpResponse:
    """Keep the record, then say what is wrong and under which id a replay will record it."""
    with brief_connection():
        (quarantine_id,) = quarantine(grant, [refused])
    count_decision(_status_of(refused.error))
    count_arrivals(kept=quarantine_id is not None, unkept=quarantine_id is None)
    document = problem_document(refused.error, request)
    if quarantine_id is not None:
        document["quarantine_id"] = str(quarantine_id)
    body = answers.to_json(document)
    headers = {"Cache-Control": "no-store", **refused.error.headers}
    return HttpResponse(body, status=refused.error.status, content_type=MEDIA_TYPE, headers=headers)


# --- batches ----------------------------------------------------------------------------------------------------
@dataclass(slots=True)
class Batch:
    """The records of one request and what becomes of each, by position."""

    grant: KeyGrant
    at: datetime
    raws: Sequence[bytes]
    admitted: dict[int, Admitted] = field(default_factory=dict)
    results: dict[int, Result] = field(default_factory=dict)
    checkpoints: Checkpoints = field(default_factory=dict)
    is_quarantine_broken: bool = False
    """What was refused could not be kept. Its neighbours are sealed, so the batch is answered all the same."""


@csrf_exempt
@require_POST
def post_batch(request: HttpRequest) -> HttpResponse:
    """Record up to 5,000 decisions; each gets its own result, in order."""
    with IN_FLIGHT.lease() as lease:
        return _record_batch(request, lease)


def _record_batch(request: HttpRequest, lease: Lease) -> HttpResponse:
    at = timezone.now()
    grant = authenticate_key(request.META.get("HTTP_AUTHORIZATION", ""), now=at)
    admission = Admission(grant, at)
    only_problems = _wants_only_problems(request)
    kind = media_type(request, JSON, NDJSON)
    try:
        raws = _split(read_body(request, MAX_BATCH_BYTES, lease, gzip=True), kind)
    except UnreadableBody as error:
        return _refuse_one(request, grant, Refused.of(error, error.body, at))
    except PayloadTooLarge:
        _count_unkept(grant)
        raise
    batch = Batch(grant, at, raws)
    _admit_all(batch, admission)
    _apply_allowance(batch)
    _seal_all(batch)
    _raise_if_nothing_was_sealed(batch)
    answer = _batch_answer(batch, only_problems=only_problems)
    sealing.step("answer")
    return HttpResponse(answer, status=200, content_type=JSON)


def _wants_only_problems(request: HttpRequest) -> bool:
    wanted = request.GET.get("results", "all")
    if wanted not in ("all", "problems"):
        raise BadRequest("`results` is `all` or `problems`.")
    return wanted == "problems"


def _split(body: bytes, kind: str) -> list[bytes]:
    try:
        raws = split_array(body) if kind == JSON else split_lines(body)
    except MalformedRecord as error:
        raise UnreadableBody(f"The body is not a JSON array: {error.__cause__}.", body=body) from error
    if len(raws) > MAX_RECORDS:
        raise TooManyRecords(f"The batch holds more than {MAX_RECORDS:,} records.")
    return raws


def _admit_all(batch: Batch, admission: Admission) -> None:
    records = _read_all(batch)
    admission.look_up_old_ids(records.values())
    for index, record in records.items():
        try:
            batch.admitted[index] = admission.admit(record)
        except REFUSED_ALONE as error:
            batch.results[index] = error


def _read_all(batch: Batch) -> dict[int, DecisionRecord]:
    records = {}
    for index, raw in enumerate(batch.raws):
        try:
            records[index] = read_record(raw)
        except KEPT as error:
            batch.results[index] = error
    return records


def _apply_allowance(batch: Batch) -> None:
    """One token a record. Without tokens only repeats of what is sealed are answered; the rest may come again."""
    allowance = DECISIONS.take(batch.grant.account_id, cost=len(batch.admitted))
    if not allowance.refused:
        return
    recorded = _recorded(list(batch.admitted.values()))
    new = [index for index, each in batch.admitted.items() if each.decision.id not in recorded]
    if len(new) == len(batch.admitted):
        allowance.refuse()
    for index in new:
        del batch.admitted[index]
        batch.results[index] = TooManyRequests(retry_after=allowance.retry_after)


def _seal_all(batch: Batch) -> None:
    """Hand the records in, log by log, and wait for all of them."""
    by_log: dict[uuid.UUID, list[int]] = {}
    for index, each in batch.admitted.items():
        by_log.setdefault(each.decision.facets.values.log_id, []).append(index)
    pieces = [
        (log_id, indexes[start : start + JOB_RECORDS])
        for log_id, indexes in by_log.items()
        for start in range(0, len(indexes), JOB_RECORDS)
    ]
    jobs = [Job.of(log_id, [batch.admitted[index] for index in indexes]) for log_id, indexes in pieces]
    committer().hand_in(jobs)
    until = time.monotonic() + WAIT_SECONDS
    for job, (_, indexes) in zip(jobs, pieces, strict=True):
        _collect(batch, job, indexes, until)


def _collect(batch: Batch, job: Job, indexes: Sequence[int], until: float) -> None:
    try:
        committer().wait_for(job, until=until)
    except IntakeBusy as error:
        batch.results.update(dict.fromkeys(indexes, error))
        return
    batch.results.update(zip(indexes, job.results, strict=True))
    batch.checkpoints |= job.checkpoints


def _raise_if_nothing_was_sealed(batch: Batch) -> None:
    """503 for the whole only where nothing was: exporters send such a batch again, and drop it on anything else."""
    waiting = [error for error in batch.results.values() if isinstance(error, ServiceError) and is_retry(error)]
    if waiting and not any(isinstance(result, Sealed) for result in batch.results.values()):
        count_decision("retry", len(batch.raws))
        raise waiting[0]


def is_retry(error: ServiceError) -> bool:
    """Whether the same record may be sent again later: time heals what is wrong, not the sender."""
    return error.status >= 500 or error.status == 429


def _batch_answer(batch: Batch, *, only_problems: bool) -> bytes:
    kept = _quarantine_refused(batch)
    counts = dict.fromkeys(OUTCOMES, 0)
    rows, logs = [], {}
    for index in range(len(batch.raws)):
        result, admitted = batch.results[index], batch.admitted.get(index)
        refusal = answers.refusal_of(result)
        if refusal is None and admitted is not None and isinstance(result, Sealed):
            counts[result.status.value] += 1
            origin, checkpoint = answers.origin_and_checkpoint(result, admitted, batch.checkpoints)
            if checkpoint is not None:
                logs[origin] = checkpoint
            if not only_problems:
                rows.append(f'{{"index":{index},{answers.place_json(result, admitted, origin)}}}')
        elif refusal is not None:
            status = _status_of(refusal)
            counts[status] += 1
            rows.append(_problem_row(index, status, refusal, _trace_of(batch, refusal, kept.get(index))))
    count_decisions(counts)
    envelope = {"counts": counts, "logs": [answers.checkpoint_fields(*each) for each in logs.items()]}
    return f'{answers.to_json(envelope).decode()[:-1]},"results":[{",".join(rows)}]}}'.encode()


def _status_of(refusal: ServiceError) -> str:
    if is_retry(refusal):
        return "retry"
    return "conflict" if refusal.status == 409 else "rejected"


def _problem_row(index: int, status: str, refusal: ServiceError, trace: dict[str, Any]) -> str:
    problem: dict[str, Any] = {"index": index, "status": status, "problem": problem_fields(refusal) | trace}
    return answers.to_json(problem).decode()


def _trace_of(batch: Batch, refusal: ServiceError, kept_as: uuid.UUID | None) -> dict[str, Any]:
    """Where a refused record is to be found: the id that a replay from quarantine will use."""
    if batch.is_quarantine_broken and isinstance(refusal, KEPT):
        return {"quarantine_id": None, "detail": f"{refusal.detail} {NOT_KEPT}"}
    return {"quarantine_id": str(kept_as)} if kept_as else {}


def _quarantine_refused(batch: Batch) -> dict[int, uuid.UUID | None]:
    """Keep what was refused for its content.

    Where that fails and nothing was sealed, the whole batch comes again; what was sealed is answered whatever happens.
    """
    refused = {}
    for index, result in batch.results.items():
        error = answers.refusal_of(result)
        if isinstance(error, KEPT):
            refused[index] = Refused.of(error, batch.raws[index], batch.at)
    if not refused:
        return {}
    try:
        with brief_connection():
            found = dict(zip(refused, quarantine(batch.grant, list(refused.values())), strict=True))
    except Exception:
        if not any(isinstance(result, Sealed) for result in batch.results.values()):
            raise
        log.exception("intake.quarantine_failed", records=len(refused))
        batch.is_quarantine_broken = True
        return {}
    kept = sum(quarantine_id is not None for quarantine_id in found.values())
    count_arrivals(kept=kept, unkept=len(found) - kept)
    return found
