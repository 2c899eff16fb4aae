"""Every place that tests/architecture/columns.py calls personal is seen empty after an erasure."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit.filters import DecisionFilter
from audit.models import Payload, SavedFilter, SearchHit, SearchRun
from audit.reach import Reach
from audit.search_terms import Terms
from audit.services.saved_filters import FilterValues, save_filter
from audit.services.searching import search_decisions
from evidence.erasure.finding import plain
from evidence.erasure.places import BESIDE, TEXTS, WORDS
from evidence.models import LetterDraft
from evidence.services.leaving import leave
from evidence.services.letter_drafts import begin_letter
from evidence.verification import verify_everything
from governance.acts import Role
from governance.cards.content import canonical
from governance.models import (
    CredentialChange,
    Person,
    RecoveryCode,
    StaffSession,
    TotpFactor,
)
from governance.scopes import ORGANISATION
from governance.selectors import last_save
from governance.services.erasing import NAMING
from governance.services.factors import enrol_passkey
from governance.services.identities import person_of_identity
from governance.services.offers import offer_to
from governance.services.people import register_person
from governance.services.tokens import create_token
from governance.sign_in.oidc.id_tokens import Claims
from governance.sign_in.passkeys import NewCredential
from governance.terms import Terms as RoleTerms
from intake.models import ExternalId, QuarantineCase, QuarantinedRecord
from intake.services.replays import correct, replay
from intake.services.sweeps import seal_arrivals
from ledger.entries import COMMAND
from ledger.kinds import Kind
from ledger.models import Entry, Particulars
from ledger.rows import GovernedRow, write_row
from ledger.sealing import sealing
from notices.models import Message
from notices.outbox import tell
from overrides.models import ReviewAssignment
from overrides.services.claiming import claim
from overrides.services.claiming import save_draft as keep_draft
from tests.architecture.columns import COLUMNS, PARTICULARS
from tests.evidence.everything import make_everything
from tests.factories import cards, letters
from tests.factories.erasing import (
    administrator,
    agreed,
    arrived,
    erase,
    erase_words,
    erased,
    lift_all_holds,
    long_ago,
    prepared,
)
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system
from tests.factories.reviews import make_queue, make_rule, open_review
from tests.factories.sign_in import with_app
from tests.intake.conftest import Sender, make_sender

pytestmark = pytest.mark.django_db
AT_ONCE = 15
LONGEST = 60


# --- every governed row that has words -------------------------------------------------------------------------------
def models_with_words() -> dict[str, type[GovernedRow]]:
    """Of columns.py, but names of staff, which go by a request of their own, and what a request itself keeps."""
    own = {*NAMING, *(apps.get_model("audit", name) for name in ("ErasureRequest", "ErasureConsent"))}
    found: dict[str, Any] = {label: apps.get_model(label) for label, kinds in COLUMNS.items() if PARTICULARS in kinds}
    return {label: model for label, model in found.items() if model not in own}


def words_of(model: type[GovernedRow]) -> Iterator[tuple[uuid.UUID, str]]:
    """Rows with something to find them by: the longest line of their newest version."""
    for row in model._base_manager.exclude(particulars_id=None).order_by("-pk"):
        data = Particulars.objects.filter(pk__in=[row.particulars_id]).get().data
        lines = plain(bytes(data)).splitlines() if data else []
        longest = max((line.strip()[:LONGEST].strip() for line in lines), key=len, default="")
        if len(longest) >= 3:
            yield row.pk, longest


def _with_words(label: str, model: type[GovernedRow]) -> tuple[uuid.UUID, str] | None:
    """A row of which somebody wrote something; where nobody did, its newest is changed so."""
    found, row = next(words_of(model), None), model._base_manager.order_by("-pk").first()
    if found or row is None:
        return found
    field: Any = model._meta.get_field(model.ERASABLE_FIELDS[0])
    words = f"zq {label}"[: field.max_length]
    kept = getattr(row, field.name)
    setattr(row, field.name, {"zq": words} if isinstance(kept, dict) else [words] if isinstance(kept, list) else words)
    last = row.history.order_by("-revision")[0]
    kind = Kind.declared[Entry.objects.get(id=last.history_id).kind]
    with sealing() as seal:
        write_row(seal, actor=COMMAND, kind=kind, row=row, log_id=last.log_id)
    return row.pk, words


def test_whatever_somebody_wrote_anywhere_goes_with_all_its_versions() -> None:
    make_everything()
    lift_all_holds(make_person(), make_person())
    chosen = {label: _with_words(label, model) for label, model in models_with_words().items()}
    assert [label for label, found in chosen.items() if found is None] == [], "of these nothing would be seen"
    words = list(dict.fromkeys(found[1] for found in chosen.values() if found))
    for start in range(0, len(words), AT_ONCE):
        erase_words("nobody-of-this-name", *words[start : start + AT_ONCE])
    left = [label for label, found in chosen.items() if found and not _is_empty(label, found[0])]
    assert left == []
    kept = [plain(bytes(version.data or b"")).lower() for version in Particulars.objects.exclude(row_id__in=_staff())]
    assert [each for each in words if any(each.lower() in text for text in kept)] == []
    assert list(verify_everything()) == []


def _is_empty(label: str, row_id: uuid.UUID) -> bool:
    model = models_with_words()[label]
    row = model._base_manager.get(pk=row_id)
    return not any(getattr(row, name) for name in model.ERASABLE_FIELDS)


def _staff() -> list[uuid.UUID]:
    return [pk for model in NAMING for pk in model._base_manager.values_list("pk", flat=True)]


def test_names_of_staff_are_not_found_by_words_of_a_subject() -> None:
    make_system(accountable=make_person(name="Ada Lovelace"))
    request = prepared(kind="subject", subject="nobody-of-this-name", identifiers=["Ada Lovelace"])
    assert not request.finds.filter(row_id__in=_staff()).exists()


# --- what hangs on a decision -----------------------------------------------------------------------------------------
def test_whatever_hangs_on_a_decision_goes_with_it() -> None:
    make_everything()
    lift_all_holds(make_person(), make_person())
    about = {place.name: set(place.model._base_manager.values_list(place.path, flat=True)) for place in TEXTS}
    assert all(about.values()), "each place has something"
    ids = set().union(*about.values())
    erase(*ids)
    for place in TEXTS:
        for row in place.rows(ids):
            assert not any(getattr(row, name) for name in (*place.model.ERASABLE_FIELDS, *place.beside)), place.name
        versions = Particulars.objects.filter(row_id__in=place.rows(ids).values("pk"))
        assert not versions.filter(data__isnull=False).exists(), place.name
    assert not Payload.objects.filter(pk__in=ids, secret__isnull=False).exists()
    assert list(verify_everything()) == []


def test_what_somebody_is_doing_with_a_decision_goes_with_it() -> None:
    system = make_system()
    owner = make_person(accountable=system)
    letters.publish(system, by=owner)
    rule = make_rule(system, make_queue(owner, system=system))
    review, decision = open_review(system, rule=rule), record_decision(system, subject="c-1907")
    work = claim(actor=actor_of(owner), review_id=review.pk)
    keep_draft(actor=actor_of(owner), token=work.token, draft={"note": "Ada Lovelace"})
    begin_letter(actor=actor_of(owner), decision_id=decision.id, language="en", addressee="Ada Lovelace")
    reach, alike = Reach.of_person(owner), {"same_as": str(decision.id)}
    values = FilterValues(name="Like it", terms=alike)
    save_filter(actor=actor_of(owner), reach=reach, values=values)
    search_decisions(actor=actor_of(owner), reach=reach, terms=Terms(text="number"), within=DecisionFilter())
    SearchRun.objects.create(
        actor_type="person", actor_id=owner.pk, log_id=decision.log_id, terms=alike, question={}, until=timezone.now()
    )
    there = (LetterDraft, SavedFilter, SearchHit)
    assert all(model._default_manager.exists() for model in there)
    erase(review.decision_id, decision.id)
    assert not any(model._default_manager.exists() for model in there)
    assert not SearchRun.objects.filter(terms=alike).exists()
    assert ReviewAssignment.objects.get(pk=work.pk).draft is None
    assert {"letter_drafts", "search_hits", "searches_alike", "filters_alike", "external_ids"} <= BESIDE.keys()


# --- work that leaves no trail ----------------------------------------------------------------------------------------
def test_work_that_names_them_and_leaves_no_trail_is_found_and_goes() -> None:
    system = make_system()
    owner = make_person(accountable=system)
    letters.publish(system, by=owner)
    rule = make_rule(system, make_queue(owner, system=system))
    reach = Reach.of_person(owner)
    by_name = FilterValues(name="About Ada Lovelace")
    save_filter(actor=actor_of(owner), reach=reach, values=by_name)
    by_terms = FilterValues(name="Hers", terms={"text": "ada lovelace"})
    save_filter(actor=actor_of(owner), reach=reach, values=by_terms)
    save_filter(actor=actor_of(owner), reach=reach, values=FilterValues(name="Others", terms={"text": "grace hopper"}))
    search_decisions(actor=actor_of(owner), reach=reach, terms=Terms(text="ADA LOVELACE"), within=DecisionFilter())
    other = record_decision(system)
    begin_letter(actor=actor_of(owner), decision_id=other.id, language="en", addressee="Ada Lovelace")
    work = claim(actor=actor_of(owner), review_id=open_review(system, rule=rule).pk)
    keep_draft(actor=actor_of(owner), token=work.token, draft={"note": 'She said: "I am Ada Lovelace."'})
    writer = cards.writer_of(system)
    card = cards.draft(system, writer, cards.content(oversight={"measures": "Ada Lovelace asked for it."}))
    request = erase_words("c-1907", "Ada Lovelace")
    places = set(request.finds.values_list("place", flat=True))
    assert {each.name for each in WORDS} <= places
    assert list(SavedFilter.objects.values_list("name", flat=True)) == ["Others"]
    assert not LetterDraft.objects.exists()
    assert ReviewAssignment.objects.get(pk=work.pk).draft is None
    assert last_save(card).content == canonical({}).decode()
    assert not any("lovelace" in str(each.terms).lower() for each in SearchRun.objects.all())
    assert Payload.objects.get(pk=other.id).secret is not None, "a decision about somebody else"
    assert list(verify_everything()) == []


# --- what callers sent ------------------------------------------------------------------------------------------------
@pytest.mark.committing
def test_a_callers_own_key_goes_and_the_same_key_is_a_new_decision() -> None:
    sender = make_sender("credit", accountable=make_person())
    sent = sender.record(id=None, external_id="order-1907", subject="c-1907")
    first = sender.post(sent).json()["id"]
    assert sender.post(sent).json()["id"] == first
    assert ExternalId.objects.filter(decision_id=first).exists()
    erase(first)
    assert not ExternalId.objects.exists()
    again = sender.post(sent)
    assert (again.status_code, again.json()["id"] == first) == (201, False)


@pytest.mark.committing
def test_a_record_in_quarantine_goes_with_the_decision_it_became_and_with_its_corrections() -> None:
    sender = make_sender("credit", accountable=make_person())
    about, other = _refused(sender, subject="c-1907", extra=1), _refused(sender, subject="c-1908", extra=1)
    by = make_person(technical_owner=sender.systems[0])
    correct(actor=actor_of(by), record_id=about, corrections={"extra": None, "labels": {"of": "c-1907"}}, reason="Ada")
    replay(actor=actor_of(by), record_id=about, reason="Right now.")
    seal_arrivals()
    erase(about)
    record = QuarantinedRecord.objects.get(pk=about)
    assert (record.secret, record.original, record.problems) == (None, None, None)
    case = QuarantineCase.objects.get(record_id=about)
    assert not case.corrections
    assert not Particulars.objects.filter(row_id=case.pk, data__isnull=False).exists()
    assert QuarantinedRecord.objects.get(pk=other).secret is not None
    assert list(verify_everything()) == []


@pytest.mark.committing
def test_a_record_in_quarantine_that_names_them_is_found_and_goes() -> None:
    sender = make_sender("credit", accountable=make_person())
    with arrived(days=2):
        about, other = _refused(sender, subject="c-1907", extra=1), _refused(sender, subject="c-1908", extra=1)
        sender.post(b'{"input": "about C-1907')
    seal_arrivals()
    request = erase_words("c-1907")
    assert request.finds.filter(place="quarantine", item_id=about).exists()
    assert QuarantinedRecord.objects.get(pk=about).secret is None
    assert QuarantinedRecord.objects.get(pk=other).secret is not None
    kept = [bytes(each.original or b"") for each in QuarantinedRecord.objects.all()]
    assert not any(b"1907" in each for each in kept)
    assert list(verify_everything()) == []


def _refused(sender: Sender, **wrong: Any) -> uuid.UUID:
    return uuid.UUID(sender.post(sender.record(**wrong)).json()["quarantine_id"])


# --- people -----------------------------------------------------------------------------------------------------------
def _somebody(name: str, email: str) -> Person:
    """With everything that the register may hold of anybody."""
    person = register_person(actor=COMMAND, name=name, email=email, staff_number="S-1815")
    actor, terms = actor_of(person), RoleTerms(duties="Ada reads the log.", competence="Ada wrote programs.")
    with sealing() as seal:
        offer_to(seal, actor=COMMAND, person=person, role=Role.AUDITOR, scope=ORGANISATION, terms=terms)
    person_of_identity(
        Claims(
            issuer="https://login.example.org", subject="s-1815", email=email, email_verified=True, name=name,
            groups=frozenset(), two_factors=False,
        )
    )  # fmt: skip
    with_app(person)
    enrol_passkey(actor=actor, name="Ada's phone", credential=NewCredential(b"id", b"key", 0, False))
    create_token(actor=actor, name="Ada's laptop", proven_at=timezone.now())
    Client().force_login(person)
    return person


def test_of_somebody_who_left_nothing_is_left_but_an_id() -> None:
    person = _somebody("Ada Lovelace", "ada@example.org")
    with long_ago(days=400):
        leave(actor=actor_of(administrator()), person_id=person.pk)
    StaffSession.objects.create(
        session_key="left-over", session_data="", expire_date=timezone.now(), person_id=person.pk
    )
    tell(person_id=person.pk, kind="erasure.done", fingerprint="x", facts={})
    CredentialChange.objects.create(person_id=person.pk, what="password-set", actor_type="person", place="192.0.2.7")
    make_system(accountable=make_person())
    request = erased(kind="person", person_id=person.pk)
    assert request.status == "performed", request.status
    person.refresh_from_db()
    assert (person.name, person.email, person.staff_number) == ("", None, "")
    assert (person.has_usable_password(), person.last_login, person.time_zone) == (False, None, "")
    for model, path in NAMING.items():
        rows = list(model._base_manager.filter(**{path: person.pk}))
        assert rows, model
        assert not any(getattr(row, name) for row in rows for name in model.ERASABLE_FIELDS), model
        versions = Particulars.objects.filter(row_id__in=[row.pk for row in rows])
        assert not versions.filter(data__isnull=False).exists(), model
    assert bytes(TotpFactor.objects.get(person=person).sealed_secret) == b""
    theirs: tuple[type[Any], ...] = (StaffSession, CredentialChange, RecoveryCode, Message)
    for rows_of in theirs:
        assert not rows_of.objects.filter(person_id=person.pk).exists(), rows_of
    (entry,) = Entry.objects.filter(kind="person.erased")
    assert entry.about_id == person.pk
    assert list(verify_everything()) == []


def test_pages_then_say_former_member_of_staff() -> None:
    owner, person = make_person(administrator=True), make_person(name="Ada Lovelace", email="ada@example.org")
    make_system(accountable=make_person())
    with long_ago(days=400):
        leave(actor=actor_of(owner), person_id=person.pk)
    erased(kind="person", person_id=person.pk)
    client = Client()
    client.force_login(owner)
    page = client.get(reverse("admin:governance_person_change", args=[person.pk]), follow=True).content.decode()
    assert "former member of staff" in page and "Lovelace" not in page


def test_what_others_wrote_of_somebody_who_left_is_found_by_their_name() -> None:
    person = make_person(name="Ada Lovelace", email="ada@example.org")
    system = make_system(accountable=make_person(), provider="Ada Lovelace & Sons")
    with long_ago(days=400):
        leave(actor=actor_of(administrator()), person_id=person.pk)
    request = agreed(kind="person", person_id=person.pk)
    assert system.pk in set(request.finds.values_list("row_id", flat=True))
