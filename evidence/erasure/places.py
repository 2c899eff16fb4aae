"""Every place where something of a decision or of whoever it is about stands, and what goes there.

One table for each way: rows that hang on a decision, and texts that may name somebody. Whoever adds a column that may
hold something about a person adds its place here; tests/architecture/columns.py asks for it by name.
"""

import json
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model, Q, QuerySet

from audit.models import Decision, Payload, SavedFilter, SearchHit, SearchRun
from evidence.models import ExplanationLetter, LetterDraft
from governance.cards.content import canonical
from governance.models import CardSave
from intake.digests import external_digest
from intake.models import ExternalId
from ledger.rows import GovernedRow
from monitoring.models import Outcome
from overrides.models import Appeal, Effect, Override, ReportedOverride, ReviewAssignment

Ids = Collection[uuid.UUID]
Purge = Callable[[Ids], int]
"""Deletes what of these decisions stands in one place. Returns how many rows."""


# --- what hangs on a decision -----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Texts:
    """Governed rows about decisions: what people wrote in them goes with all its versions and reasons."""

    name: str
    model: type[GovernedRow]
    path: str = "decision_id"
    """To the decision's id."""
    beside: Mapping[str, Any] = field(default_factory=dict)
    """Columns that are in neither history nor state, and what they hold afterwards."""

    def rows(self, ids: Ids) -> QuerySet[Any]:
        return self.model._base_manager.filter(**{f"{self.path}__in": ids})


TEXTS = (
    Texts("overrides", Override),
    Texts("reported_overrides", ReportedOverride),
    Texts("effects", Effect),
    Texts("appeals", Appeal),
    Texts("reviews", ReviewAssignment, "review__decision_id", {"draft": None}),
    Texts("outcomes", Outcome),
    Texts("letters", ExplanationLetter),
)


def _letter_drafts(ids: Ids) -> int:
    return LetterDraft.objects.filter(decision_id__in=ids).delete()[0]


def _search_hits(ids: Ids) -> int:
    return SearchHit.objects.filter(decision_id__in=ids).delete()[0]


def _alike(ids: Ids) -> Q:
    """Of searches for what one decision has that others are to have too."""
    return Q(terms__same_as__in=[str(each) for each in ids])


def _searches_alike(ids: Ids) -> int:
    return SearchRun.objects.filter(_alike(ids)).delete()[0]


def _filters_alike(ids: Ids) -> int:
    return SavedFilter.objects.filter(_alike(ids)).delete()[0]


def forget_external_ids(ids: Ids) -> int:
    """The callers' own keys of decisions: known by a hash, which is made of what their payload still says."""
    decisions = {row.pk: row for row in Decision.objects.filter(pk__in=ids)}
    gone = 0
    for decision_id, refs in Payload.objects.filter(pk__in=ids, refs__isnull=False).values_list("pk", "refs"):
        decision, said = decisions.get(decision_id), json.loads(bytes(refs or b"{}")).get("external_id")
        if decision is not None and said is not None:
            digest = external_digest(decision.system_id, decision.service_account_id, decision.environment, said)
            kept = ExternalId.objects.filter(system_id=decision.system_id, digest=digest, decision_id=decision_id)
            gone += kept.delete()[0]
    return gone


BESIDE: dict[str, Purge] = {
    "external_ids": forget_external_ids,
    "letter_drafts": _letter_drafts,
    "search_hits": _search_hits,
    "searches_alike": _searches_alike,
    "filters_alike": _filters_alike,
}
"""Rows without a trail that go with a decision, before its payload does."""


# --- what may name somebody -------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Words:
    """Rows in which somebody may be named: where their words stand, and what becomes of one that names them."""

    name: str
    label: str
    """For people, of one of them."""
    model: type[Model]
    columns: tuple[str, ...]
    """Of text or JSON."""
    kept: Q = field(default_factory=Q)
    emptied: Mapping[str, Any] | None = None
    """What its columns hold afterwards; None: the row is deleted."""
    system: str = ""
    """The path to the AI system whose words they are; empty: they are the organisation's."""
    decision: str = ""
    """The column of the decision that they are about, where that says which AI system's they are."""

    def systems_of(self, ids: Ids) -> dict[uuid.UUID, uuid.UUID | None]:
        """Of these rows the AI system whose words they are; None: the organisation's."""
        rows = self.model._default_manager.filter(pk__in=ids)
        if self.system:
            return dict(rows.values_list("pk", self.system))
        if self.decision:
            about = dict(rows.values_list("pk", self.decision))
            known = dict(Decision.objects.filter(pk__in=about.values()).values_list("pk", "system_id"))
            return {pk: known.get(of) for pk, of in about.items()}
        return dict.fromkeys(ids)

    def forget(self, ids: Ids) -> int:
        rows = self.model._default_manager.filter(pk__in=ids)
        return rows.delete()[0] if self.emptied is None else rows.update(**self.emptied)


WORDS = (
    Words("saved_filters", "a saved filter", SavedFilter, ("name", "conditions", "terms")),
    Words("searches", "a search of the last day", SearchRun, ("terms", "question")),
    Words(
        "letters_begun", "the draft of a letter", LetterDraft, ("addressee", "text", "facts"), decision="decision_id"
    ),
    Words(
        "cards_begun",
        "the draft of a system card",
        CardSave,
        ("content",),
        emptied={"content": canonical({}).decode()},  # a draft always has a last save
        system="card__system_id",
    ),
    Words(
        "reviews_begun",
        "the draft of a review",
        ReviewAssignment,
        ("draft",),
        kept=Q(draft__isnull=False),
        emptied={"draft": None, "draft_saved_at": None},
        system="review__system_id",
    ),
)
"""Work that leaves no trail. Texts of governed rows, searches and quarantine stand in erasable rows of their own."""

DECISION_PLACE, TEXT_PLACE, QUARANTINE_PLACE, PAYLOAD_PLACE = "decisions", "texts", "quarantine", "payloads"
"""Where else is looked: decisions by their subject; versions of texts, records of quarantine, payloads of others."""

STATISTICS = ("audit_payload", "ledger_particulars", "intake_quarantinedrecord", "audit_savedfilter", "audit_searchrun")
"""Tables whose planner's samples may hold a value of what was erased."""
