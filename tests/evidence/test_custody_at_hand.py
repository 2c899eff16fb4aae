"""The commands and pages of custody: where people ask, agree and carry out."""

import io
from datetime import timedelta

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from config.ids import new_id
from evidence.models import CustodyRequest
from evidence.services.custody_requests import approve_custody, refuse_custody
from governance.models import Person
from ledger.selectors import open_log, registry_log
from notices.models import Alert, Message
from tests.evidence.conftest import Organisation
from tests.evidence.test_custody import forget_head, sign_more_than_there_is
from tests.evidence.test_custody_requests import WHY, agreed, ask, done, findings, said
from tests.factories.register import actor_of, make_person
from tests.factories.sign_in import PASSWORD, with_app, with_password

Status = CustodyRequest.Status


class TestTheCommands:
    @pytest.fixture
    def typed(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """What is typed where something secret is asked for, in order."""
        given: list[str] = []
        monkeypatch.setattr("getpass.getpass", lambda prompt: given.pop(0))
        return given

    def test_one_asks_there_and_the_command_goes_on_when_another_has_agreed(
        self,
        organisation: Organisation,
        first: Person,
        second: Person,
        typed: list[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        sign_more_than_there_is(organisation.log)
        app = with_app(with_password(first))
        typed += [PASSWORD, app.now()]

        def somebody_agrees(seconds: float) -> None:
            approve_custody(actor=actor_of(second), request_id=CustodyRequest.objects.get().pk)

        monkeypatch.setattr("time.sleep", somebody_agrees)
        out = io.StringIO()
        call_command("close_log", "--by", str(first.email), "--reason", WHY, stdout=out)
        assert "/admin/logs/custody/" in out.getvalue()
        assert "closed; continued by" in out.getvalue()
        assert typed == []

    def test_without_the_second_factor_nobody_asks_there(
        self, organisation: Organisation, first: Person, typed: list[str]
    ) -> None:
        sign_more_than_there_is(organisation.log)
        with_app(with_password(first))
        typed += [PASSWORD, "000000"]
        with pytest.raises(CommandError):
            call_command("close_log", "--by", str(first.email), "--reason", WHY)
        assert not CustodyRequest.objects.exists()

    def test_what_was_asked_on_a_page_is_carried_out_later(
        self, organisation: Organisation, first: Person, second: Person
    ) -> None:
        sign_more_than_there_is(organisation.log)
        with pytest.raises(CommandError, match="Nobody has agreed"):
            call_command("close_log", "--approved")
        agreed(first, second)
        out = io.StringIO()
        call_command("close_log", "--approved", stdout=out)
        assert "closed; continued by" in out.getvalue()
        with pytest.raises(CommandError, match="Nobody has agreed"):
            call_command("close_log", "--approved")

    def test_nobody_is_waited_for_who_refused(
        self,
        organisation: Organisation,
        first: Person,
        second: Person,
        typed: list[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        sign_more_than_there_is(organisation.log)
        with_password(first)
        typed.append(PASSWORD)

        def somebody_refuses(seconds: float) -> None:
            refuse_custody(
                actor=actor_of(second), request_id=CustodyRequest.objects.get().pk, answer="There is a copy."
            )

        monkeypatch.setattr("time.sleep", somebody_refuses)
        with pytest.raises(CommandError, match="There is a copy"):
            call_command("close_log", "--by", str(first.email), "--reason", WHY, stdout=io.StringIO())

    def test_two_passwords_at_one_terminal_work_in_an_emergency_and_everybody_is_told(
        self, organisation: Organisation, first: Person, second: Person, typed: list[str]
    ) -> None:
        third = make_person(administrator=True)
        sign_more_than_there_is(organisation.log)
        for person in (first, second):
            with_password(person)
        typed += [PASSWORD, PASSWORD]
        names = ["--by", str(first.email), "--with", str(second.email)]
        call_command("close_log", "all", *names, stdout=io.StringIO())
        assert said(open_log(organisation.system.id))["consent"] == "passwords"
        alert = Alert.objects.get(kind="custody.by_passwords")
        told = set(Message.objects.filter(facts__alert=str(alert.pk)).values_list("person_id", flat=True))
        assert {first.pk, second.pk, third.pk} <= told
        assert findings() == []

    def test_they_tell_even_where_nothing_can_be_sealed(
        self, organisation: Organisation, first: Person, second: Person, typed: list[str]
    ) -> None:
        for person in (first, second):
            with_password(person)
        sign_more_than_there_is(registry_log())
        typed += [PASSWORD, PASSWORD]
        names = ["--by", str(first.email), "--with", str(second.email)]
        call_command("close_log", "registry", *names, stdout=io.StringIO())
        assert Alert.objects.get(kind="custody.by_passwords").seal_pending

    def test_logs_says_how_each_stands_and_what_to_do(self, organisation: Organisation, first: Person) -> None:
        out = io.StringIO()
        call_command("logs", stdout=out)
        assert out.getvalue().count("continues what was signed") == 2
        sign_more_than_there_is(organisation.log)
        forget_head(registry_log())
        out, size = io.StringIO(), organisation.log.entries.count()
        with pytest.raises(SystemExit) as ended:
            call_command("logs", stdout=out)
        assert ended.value.code == 3
        text = out.getvalue()
        assert f"40 entries ({size:,} to {size + 39:,}) were signed and are not here" in text
        for command in ("close_log --by", "adopt_head LOG", "close_log LOG --tail-unknown"):
            assert command in text


class TestThePages:
    def client(self, person: Person) -> Client:
        client = Client()
        client.force_login(person)
        return client

    def test_asked_for_and_agreed_to_by_two_who_are_signed_in(
        self, organisation: Organisation, first: Person, second: Person
    ) -> None:
        sign_more_than_there_is(organisation.log)
        asker, other = self.client(first), self.client(second)
        assert "Close logs that lost their tail" in asker.get("/admin/logs/custody/").content.decode()
        page = "/admin/logs/custody/ask/close_logs"
        assert "40 entries" in asker.get(page).content.decode()
        answer = asker.post(page, {"reason": WHY, "log_ids": [str(organisation.log.pk)]})
        request = CustodyRequest.objects.get()
        address = f"/admin/logs/custody/{request.pk}/"
        assert answer.headers["Location"] == address
        assert "Agree</button>" not in asker.get(address).content.decode()
        assert asker.post(f"{address}approve").status_code == 403
        assert WHY in (seen := other.get(address).content.decode()) and "Agree</button>" in seen
        assert "close the logs that lost their tail" in other.get("/admin/mine/").content.decode()
        other.post(f"{address}approve")
        request.refresh_from_db()
        assert (request.status, request.decided_by_id) == (Status.APPROVED, second.pk)
        assert "manage.py close_log --approved" in other.get(address).content.decode()

    @pytest.mark.parametrize("step", ["ask", "approve"])
    def test_each_proves_again_that_it_is_them(
        self, organisation: Organisation, first: Person, second: Person, step: str
    ) -> None:
        for person in (first, second):
            with_app(with_password(person))
        sign_more_than_there_is(organisation.log)
        request = ask(first) if step == "approve" else None
        client = self.client(second if request else first)
        address = f"/admin/logs/custody/{request.pk}/approve" if request else "/admin/logs/custody/ask/close_logs"
        with time_machine.travel(timezone.now() + timedelta(minutes=20), tick=False):
            answer = client.post(address, {"reason": WHY, "log_ids": [str(organisation.log.pk)]})
        assert "Is it you?" in answer.content.decode()
        assert CustodyRequest.objects.count() == (1 if request else 0)
        assert not CustodyRequest.objects.filter(status=Status.APPROVED).exists()

    def test_a_form_that_names_no_log_stays_as_it_was_typed(self, organisation: Organisation, first: Person) -> None:
        sign_more_than_there_is(organisation.log)
        answer = self.client(first).post("/admin/logs/custody/ask/close_logs", {"reason": WHY})
        assert answer.status_code == 422
        assert "Choose one." in answer.content.decode() and WHY in answer.content.decode()

    def test_nobody_else_is_told_that_there_are_any(self, organisation: Organisation, first: Person) -> None:
        sign_more_than_there_is(organisation.log)
        request = ask(first)
        for person in (make_person(), make_person(auditor=True)):
            for path in ("", "ask/close_logs", f"{request.pk}/", f"{new_id()}/"):
                assert self.client(person).get(f"/admin/logs/custody/{path}").status_code == 403

    def test_a_closed_log_is_no_trouble_any_more(
        self, organisation: Organisation, first: Person, second: Person
    ) -> None:
        sign_more_than_there_is(organisation.log)
        trouble = "The ledger is in trouble"
        assert trouble in self.client(first).get("/admin/logs/").content.decode()
        done(agreed(first, second))
        assert trouble not in self.client(first).get("/admin/logs/").content.decode()
