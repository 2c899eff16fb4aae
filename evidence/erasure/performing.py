"""Erasing some decisions, or some of what was found by its words: everywhere, in one transaction, sealed.

Called under the lock on holds, of what may be erased now; the database looks at each row again. A killed process leaves
a slice undone or done, never half: the entry, the empty rows and the step are committed together.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from django.utils import timezone

from audit.erasing import erase_payloads, erase_quarantined, erase_texts
from audit.models import Decision, ErasureFind, ErasureRequest, ErasureStep
from evidence.erasure.places import BESIDE, QUARANTINE_PLACE, TEXT_PLACE, TEXTS, WORDS
from evidence.erasure.repeating import repeating
from evidence.kinds import ERASURE_PERFORMED, PERSON_ERASED
from evidence.verification.rows import governed_models
from governance.locks import hold
from governance.models import Person
from governance.services.erasing import end_factors, forget_person, rows_naming
from intake.models import QuarantineCase, QuarantinedRecord
from intake.services.quarantine import lock_name
from ledger.entries import Actor, draft_entry
from ledger.erasing import counted, empty_rows, kept_versions
from ledger.kinds import Kind
from ledger.models import Particulars
from ledger.rows import GovernedRow
from ledger.sealing import Seal
from ledger.selectors import open_log, registry_log
from notices.models import Message

Ids = Collection[uuid.UUID]
Rows = Mapping[type[GovernedRow], Sequence[uuid.UUID]]


# --- decisions --------------------------------------------------------------------------------------------------------
def erase_decisions(seal: Seal, actor: Actor, request: ErasureRequest, ids: Ids) -> None:
    """All that hangs on these decisions. Each has an entry in its AI system's log, which counts what went with it."""
    systems = dict(Decision.objects.filter(pk__in=ids).values_list("pk", "system_id"))
    records = _records_of(ids)
    if records:
        hold(*map(lock_name, records))
    said = _said_about(ids, records)
    texts = {each.pk: owner for owner, versions in said.items() for each in versions}
    with_it: dict[uuid.UUID, list[uuid.UUID]] = defaultdict(list)
    for item, owner in [*texts.items(), *records.items()]:
        if item != owner:  # a record may be replayed under its own id
            with_it[owner].append(item)
    entries = {each: _say(seal, actor, request, each, systems[each], with_it[each]) for each in sorted(ids)}
    counts = _beside(ids)
    counts["records"] = erase_quarantined(request.pk, {record: entries[of] for record, of in records.items()})
    counts["texts"] = erase_texts(request.pk, {version: entries[of] for version, of in texts.items()})
    _empty({each.row_id for versions in said.values() for each in versions}, ids)
    counts["payloads"] = erase_payloads(request.pk, {each: entries[each] for each in ids})
    _steps(request, entries, counts)


def _records_of(ids: Ids) -> dict[uuid.UUID, uuid.UUID]:
    """Records of quarantine that became one of these decisions, each with its decision."""
    kept = QuarantinedRecord.objects.filter(secret__isnull=False)
    found = {pk: pk for pk in kept.filter(pk__in=ids).values_list("pk", flat=True)}
    replayed = QuarantineCase.objects.filter(decision_id__in=ids, record__in=kept)
    return found | {record: of for record, of in replayed.values_list("record_id", "decision_id") if of}


def _said_about(ids: Ids, records: Mapping[uuid.UUID, uuid.UUID]) -> dict[uuid.UUID, list[Particulars]]:
    """By decision the versions of what people wrote about it, and of what was corrected in its record."""
    owners: dict[uuid.UUID, uuid.UUID] = {}
    for place in TEXTS:
        owners |= dict(place.rows(ids).values_list("pk", place.path))
    corrected = QuarantineCase.objects.filter(record__in=records).values_list("pk", "record_id")
    owners |= {pk: records[record] for pk, record in corrected}
    found: dict[uuid.UUID, list[Particulars]] = defaultdict(list)
    for version in kept_versions(list(owners)):
        found[owners[version.row_id]].append(version)
    return found


def _beside(ids: Ids) -> dict[str, int]:
    return {name: forget(ids) for name, forget in BESIDE.items()}


def _empty(row_ids: Ids, ids: Ids) -> None:
    for place in TEXTS:
        empty_rows(place.model, list(place.rows(ids).values_list("pk", flat=True)))
        if place.beside:
            place.rows(ids).update(**place.beside)
    empty_rows(QuarantineCase, row_ids)


def _say(
    seal: Seal,
    actor: Actor,
    request: ErasureRequest,
    decision: uuid.UUID,
    system: uuid.UUID,
    beside: Iterable[uuid.UUID],
) -> uuid.UUID:
    body = {"request": str(request.pk), "basis": request.basis} | counted(beside)
    return _entry(seal, open_log(system).id, actor, ERASURE_PERFORMED, body, decision)


def _entry(
    seal: Seal, log_id: uuid.UUID, actor: Actor, kind: Kind, body: dict[str, Any], about: uuid.UUID
) -> uuid.UUID:
    draft = draft_entry(kind=kind, actor=actor, at=timezone.now(), body=body, about_id=about)
    seal.add(log_id, draft)
    return draft.id


def _steps(request: ErasureRequest, entries: Mapping[uuid.UUID, uuid.UUID], counts: Mapping[str, int]) -> None:
    """What the slice took in all stands with its first step: a receipt adds them up."""
    said = {name: number for name, number in counts.items() if number}
    first = min(entries)
    ErasureStep.objects.bulk_create(
        ErasureStep(request=request, item_id=item, entry_id=entry, counts=said if item == first else {})
        for item, entry in entries.items()
    )


# --- what was found by its words --------------------------------------------------------------------------------------
def erase_finds(seal: Seal, actor: Actor, request: ErasureRequest, finds: Sequence[ErasureFind]) -> None:
    """Versions of texts that name somebody, records of quarantine, and work that leaves no trail."""
    by_place: dict[str, list[ErasureFind]] = defaultdict(list)
    for find in finds:
        by_place[find.place].append(find)
    counts: dict[str, int] = {}
    entries = _say_found(seal, actor, request, by_place.pop(TEXT_PLACE, []), by_place.get(QUARANTINE_PLACE, []), counts)
    by_place.pop(QUARANTINE_PLACE, None)
    log_id = _log_of(request)
    for place, found in by_place.items():
        ids = [find.item_id for find in found]
        counts[place] = next(each for each in WORDS if each.name == place).forget(ids)
        body = {"request": str(request.pk), "place": place}
        entries |= {each: _entry(seal, log_id, actor, ERASURE_PERFORMED, body, each) for each in ids}
    _steps(request, entries, counts)


def _say_found(
    seal: Seal,
    actor: Actor,
    request: ErasureRequest,
    texts: Sequence[ErasureFind],
    records: Sequence[ErasureFind],
    counts: dict[str, int],
) -> dict[uuid.UUID, uuid.UUID]:
    log_id, by_row = _log_of(request), defaultdict[uuid.UUID, list[uuid.UUID]](list)
    for find in texts:
        by_row[find.row_id].append(find.item_id)
    for row_id, later in repeating(request, texts).items():
        by_row[row_id] += later
    entries: dict[uuid.UUID, uuid.UUID] = {}
    for row_id, versions in sorted(by_row.items()):
        body = {"request": str(request.pk), "place": TEXT_PLACE} | counted(versions)
        entries |= dict.fromkeys(versions, _entry(seal, log_id, actor, ERASURE_PERFORMED, body, row_id))
    counts["texts"] = erase_texts(request.pk, entries)
    _empty_current(entries)
    return entries | _erase_records(seal, actor, request, [find.item_id for find in records], counts)


def _erase_records(
    seal: Seal, actor: Actor, request: ErasureRequest, ids: Sequence[uuid.UUID], counts: dict[str, int]
) -> dict[uuid.UUID, uuid.UUID]:
    """Records of quarantine, and what was corrected in them."""
    if not ids:
        return {}
    hold(*map(lock_name, ids))
    cases = dict(QuarantineCase.objects.filter(record__in=ids).values_list("pk", "record_id"))
    corrected: dict[uuid.UUID, list[uuid.UUID]] = defaultdict(list)
    for version in kept_versions(list(cases)):
        corrected[cases[version.row_id]].append(version.pk)
    body, log_id = {"request": str(request.pk), "place": QUARANTINE_PLACE}, _log_of(request)
    entries = {
        each: _entry(seal, log_id, actor, ERASURE_PERFORMED, body | counted(corrected[each]), each) for each in ids
    }
    counts["records"] = erase_quarantined(request.pk, entries)
    versions = {version: entries[record] for record, found in corrected.items() for version in found}
    counts["texts"] = counts.get("texts", 0) + erase_texts(request.pk, versions)
    empty_rows(QuarantineCase, list(cases))
    return entries


def _empty_current(versions: Ids) -> None:
    """Rows whose newest version is among these have nothing left; one that was rewritten since keeps its own words."""
    rows = set(Particulars.objects.filter(pk__in=versions).values_list("row_id", flat=True))
    for model in governed_models().values():
        if model.ERASABLE_FIELDS and rows:
            current = model._base_manager.filter(pk__in=rows, particulars_id__in=versions)
            empty_rows(model, list(current.values_list("pk", flat=True)))


def _log_of(request: ErasureRequest) -> uuid.UUID:
    return open_log(request.system_id).id if request.system_id else registry_log().id


# --- people -----------------------------------------------------------------------------------------------------------
def erase_person(seal: Seal, actor: Actor, request: ErasureRequest, person: Person) -> None:
    """The name of somebody who has left, and all by which they signed in. Entries go on to name them by id."""
    ended = end_factors(seal, actor, person)
    rows = rows_naming(person.pk)
    versions = kept_versions([row_id for ids in rows.values() for row_id in ids])
    body = {"request": str(request.pk)} | counted(each.pk for each in versions)
    entry_id = _entry(seal, registry_log().id, actor, PERSON_ERASED, body, person.pk)
    counts = {"factors": ended, "texts": erase_texts(request.pk, {each.pk: entry_id for each in versions})}
    for model, ids in rows.items():
        empty_rows(model, ids)
    counts["sign_in"] = forget_person(person)
    counts["messages"] = Message.objects.filter(person_id=person.pk).delete()[0]
    _steps(request, {person.pk: entry_id}, counts)


def erase_own_words(seal: Seal, actor: Actor, request: ErasureRequest) -> None:
    """The subject and the reasons that a request itself kept, once nothing else is left."""
    consents = list(request.consents.values_list("pk", flat=True))
    versions = kept_versions([request.pk, *consents])
    body = {"request": str(request.pk)} | counted(each.pk for each in versions)
    entry_id = _entry(seal, _log_of(request), actor, ERASURE_PERFORMED, body, request.pk)
    erase_texts(request.pk, {each.pk: entry_id for each in versions})
    empty_rows(type(request), [request.pk])
    empty_rows(request.consents.model, consents)
