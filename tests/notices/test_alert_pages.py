"""What the pages of alerts say: names and words, never bare ids, codes or nothings."""

import re
from typing import Any

import pytest
from django.test import Client

from audit.models import Case
from config.ids import new_id
from evidence.verification.findings import MEANINGS
from governance.models import Person
from intake.models import Source
from intake.services.sources import source_id_of
from ledger.entries import SERVER, Actor
from ledger.selectors import open_log
from notices.models import Alert
from notices.services import open_alert
from notices.words import in_words
from tests.factories.register import make_account, make_key, make_person, make_system

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> Person:
    return make_person(name="Ada Admin", administrator=True)


def shown(person: Person, alert: Alert) -> str:
    """The facts on the alert's page."""
    page = page_of(person, f"/admin/notices/alert/{alert.pk}/change/")
    found = re.search(r"What happened(.*?)Occurrences", page, re.DOTALL)
    assert found
    return found[1]


def page_of(person: Person, path: str) -> str:
    client = Client()
    client.force_login(person)
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def opened(kind: str, *, system: Any = None, about: Any = None, **facts: Any) -> Alert:
    return open_alert(
        actor=SERVER,
        kind=kind,
        severity=Alert.Severity.WARNING,
        fingerprint=f"{kind}:{new_id()}",
        system_id=system.pk if system else None,
        about_id=about,
        facts=facts,
    )


def test_a_silent_source_is_named_and_leads_to_its_page(admin: Person) -> None:
    system, account = make_system(slug="credit"), make_account(slug="scoring")
    pk = source_id_of(actor=Actor("service", account.pk), slug="gate-7", system_id=system.pk)
    alert = opened(
        "source.silent", system=system, about=pk, source=str(pk), last_heard_at="2026-11-20T09:30:00.000000Z"
    )
    facts = shown(admin, alert)
    assert f'<a href="/admin/intake/source/{pk}/change/">gate-7 of Scoring</a>' in facts
    assert '<time datetime="2026-11-20T09:30:00+00:00"' in facts
    assert f'<a href="/admin/governance/aisystem/{system.pk}/change/">Credit</a>' in page_of(
        admin, f"/admin/notices/alert/{alert.pk}/change/"
    )
    assert Source.objects.get(pk=pk).slug == "gate-7"


def test_facts_are_read_in_the_order_in_which_they_make_sense() -> None:
    facts = {"silent": 1, "mode": "stop", "unheard-of": 3, "confirmed": 4, "expected": 5}
    labels = [label for label, _ in in_words(Alert(kind="switch.unconfirmed", facts=facts))]
    assert labels == ["What it means", "Mode", "Expected to confirm", "Have confirmed", "Silent", "Unheard-of"]


def test_a_finding_of_the_self_audit_is_said_in_words_without_empty_facts(admin: Person) -> None:
    log = open_log(make_system().pk)
    alert = opened(
        "ledger.mismatch", about=log.pk, code="row-altered", index=None, table="governance_person", findings=2
    )
    facts = shown(admin, alert)
    assert f"{MEANINGS['row-altered']} (row-altered)" in facts
    assert f'<a href="/admin/logs/">{log.origin}</a>' in facts
    assert "Among: people" in facts
    assert "Findings in all: 2" in facts
    assert "None" not in facts
    assert "entry" not in facts
    zero = opened("ledger.mismatch", about=log.pk, code="entry-altered", index=0, table=None, findings=1)
    assert "First at entry: 0" in shown(admin, zero)


def test_conflicting_decisions_name_the_key_and_lead_to_the_decision(admin: Person) -> None:
    system, account, decision = make_system(), make_account(slug="scoring"), new_id()
    key = make_key(system, account=account).row
    alert = opened("decision.conflicted", system=system, decision=str(decision), key=str(key.pk))
    facts = shown(admin, alert)
    assert f'<a href="/admin/decisions/{decision}/">{decision}</a>' in facts
    assert re.search(rf'<a href="/admin/governance/servicekey/{key.pk}/change/">.* of Scoring</a>', facts)


def test_what_is_not_there_any_more_keeps_its_id(admin: Person) -> None:
    gone = str(new_id())
    facts = shown(admin, opened("source.silent", source=gone, key=gone, system=None))
    assert facts.count(gone) == 2


def test_names_are_text_not_markup(admin: Person) -> None:
    account = make_account(slug="scoring")
    type(account).objects.filter(pk=account.pk).update(name="<b>Bold</b>")
    pk = source_id_of(actor=Actor("service", account.pk), slug="gate-7", system_id=make_system().pk)
    assert "&lt;b&gt;Bold&lt;/b&gt;" in shown(admin, opened("source.silent", source=str(pk)))


def test_the_list_and_its_filter_speak_words(admin: Person) -> None:
    opened("source.silent")
    opened("ledger.mismatch")
    page = page_of(admin, "/admin/notices/alert/")
    assert "Source silent" in page
    assert "Changed after it was sealed" in page
    assert not re.search(r">\s*(source\.silent|ledger\.mismatch)\s*<", page)
    narrowed = page_of(admin, "/admin/notices/alert/?kind=source.silent")
    assert len(re.findall(r"/admin/notices/alert/[0-9a-f-]{36}/change/", narrowed)) == 1


def test_an_investigator_sees_an_alert_and_opens_a_case_from_it_and_no_more() -> None:
    system, investigator = make_system(), make_person(investigator=True)
    alert = opened("source.silent", system=system)
    path = f"/admin/notices/alert/{alert.pk}"
    page = page_of(investigator, f"{path}/change/")
    assert "Open a case" in page
    assert f"{path}/close" not in page and f"{path}/acknowledge" not in page
    client = Client()
    client.force_login(investigator)
    client.post(f"{path}/close", {"note": "Mine to say."})
    assert Alert.objects.get(pk=alert.pk).status == "open"
    sent = {"title": "Why was it silent?", "severity": "low", "key": str(new_id())}
    made = client.post(f"/admin/cases/attach?alert={alert.pk}", sent)
    assert made.status_code == 302, made.content
    assert Case.objects.get().alert_id == alert.pk
