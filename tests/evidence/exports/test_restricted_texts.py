"""What people wrote about decisions that nobody erases, restricted by itself: it leaves with no export."""

from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from audit import restricted_texts
from audit.selectors import SealedDecision
from evidence.exports.models import Export, ExportWork
from evidence.exports.sweeping import forget_erased
from governance.acts import Role
from governance.models import AISystem, Person
from ledger.models import Particulars
from overrides.services.appeals import decide_appeal, open_appeal
from overrides.services.overriding import override_decision
from tests.evidence.exports.verifying import verdict_of
from tests.factories.erasing import agreed
from tests.factories.exports import export_of, files_of, manifest_of
from tests.factories.record import record_decision
from tests.factories.register import actor_of, give_role, make_person
from tests.factories.versions import owner_of

pytestmark = pytest.mark.django_db(transaction=True)
WORDS = ["particulars", "reason"]


def overridden(system: AISystem, note: str) -> SealedDecision:
    decision = record_decision(system, parts={"input": "zq-input", "output": 1})
    owner = actor_of(owner_of(system))
    override_decision(actor=owner, decision_id=decision.id, outcome="no", reason_code="other", note=note)
    return decision


def restrict() -> None:
    request = agreed(kind="subject", subject="nobody-of-this-name", identifiers=["zq-ada"])
    assert request.text_restrictions.count() == 1 and request.restrictions.count() == 0


def test_it_leaves_with_no_export_and_that_says_so(system: AISystem, auditor: Person, tmp_path: Path) -> None:
    overridden(system, "zq-ada rang")
    overridden(system, "zq-nobody rang")
    restrict()
    made = export_of(auditor, system, parts=["input", *WORDS])
    text = b"".join(files_of(made).values())
    assert (b"zq-nobody" in text, b"zq-ada" in text) == (True, False)
    assert (made.is_whole, made.left_out) == (False, ["restricted"])
    assert manifest_of(made)["parts"]["input"] == {"disclosed": 2, "withheld": 0, "erased": 0}
    report = verdict_of(made, tmp_path)
    assert (report["exit_code"], report["verdict"]) == (3, "incomplete")
    plain = export_of(auditor, system, parts=["input"])
    assert (plain.is_whole, plain.left_out) == (True, []), "without what people wrote nothing lacks"


def test_a_later_version_that_repeats_it_stays_too(system: AISystem, auditor: Person) -> None:
    decision, owner, reviewer = record_decision(system), actor_of(owner_of(system)), make_person(reviewer=system)
    opened: dict[str, Any] = {"ground_code": "wrong-data", "statement": "zq-ada says no"}
    appeal = open_appeal(actor=owner, decision_id=decision.id, **opened)
    restrict()
    found: dict[str, Any] = {"verdict": "upheld", "reason_code": "outcome-stands", "finding": "zq-later"}
    decide_appeal(actor=actor_of(reviewer), appeal_id=appeal.pk, **found)
    newest = Particulars.objects.filter(row_id=appeal.pk, part="particulars").latest("pk")
    assert b"zq-ada" in bytes(newest.data or b""), "who decides it writes the statement once more"
    made = export_of(auditor, system, parts=WORDS)
    assert b"zq-ada" not in b"".join(files_of(made).values()) and made.left_out == ["restricted"]


def test_a_file_that_holds_it_goes(system: AISystem, auditor: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    overridden(system, "zq-ada rang")
    held = export_of(auditor, system, parts=WORDS)
    kept = [export_of(auditor, system), export_of(auditor, system, parts=["input"])]
    assert b"zq-ada" in b"".join(files_of(held).values())
    restrict()
    client = Client()
    client.force_login(auditor)
    assert client.get(f"/admin/exports/{held.pk}/file").status_code == HTTPStatus.GONE, "before anybody deleted it"
    assert forget_erased() == 1
    held.refresh_from_db()
    assert (held.status, held.failure) == (Export.Status.EXPIRED, "restricted")
    assert {Export.objects.get(pk=each.pk).status for each in kept} == {Export.Status.FINISHED}
    again = export_of(auditor, system, parts=WORDS)
    assert forget_erased() == 0 and again.left_out == ["restricted"], "what was left out of it is no reason"


@pytest.mark.parametrize(("parts", "looks"), [(WORDS, [1, 0]), (["input"], [0, 0])])
def test_each_restriction_is_looked_at_once_and_by_files_that_hold_words_alone(
    system: AISystem, auditor: Person, monkeypatch: pytest.MonkeyPatch, parts: list[str], looks: list[int]
) -> None:
    made = export_of(auditor, system, parts=parts)
    overridden(system, "zq-ada rang")
    restrict()
    seen, versions = list[Any](), restricted_texts.restricted_versions

    def noted(ids: list[Any]) -> frozenset[Any]:
        seen.append(ids)
        return versions(ids)

    monkeypatch.setattr(restricted_texts, "restricted_versions", noted)
    found = list[int]()
    for _ in looks:
        assert forget_erased() == 0, "it was written after the file"
        found.append(len(seen))
        seen.clear()
        ExportWork.objects.filter(export=made).update(looked_at=timezone.now() + timedelta(minutes=11))
    assert found == looks


def test_what_was_restricted_while_its_transaction_took_long_is_not_missed(system: AISystem, auditor: Person) -> None:
    overridden(system, "zq-ada rang")
    made = export_of(auditor, system, parts=WORDS)
    ExportWork.objects.filter(export=made).update(looked_at=timezone.now() + timedelta(minutes=9))
    restrict()
    assert forget_erased() == 1


def test_whoever_reads_what_is_restricted_takes_it_out(system: AISystem, auditor: Person) -> None:
    overridden(system, "zq-ada rang")
    restrict()
    give_role(auditor, Role.DPO)
    made = export_of(auditor, system, parts=WORDS)
    assert (made.is_whole, b"zq-ada" in b"".join(files_of(made).values())) == (True, True)
    assert forget_erased() == 0
