"""Admin pages write through services or not at all."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import pytest
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.sessions.models import Session
from django.db import connection
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import path
from django.utils import timezone

from config.admin import AnswerableAdminSite, ReadOnlyAdmin, ServiceAdmin, SignInForm
from config.errors import Conflict, FieldProblem, InvalidInput
from governance.models import Person


class ReadOnlySessions(ReadOnlyAdmin[Session]):
    def may(self, request: HttpRequest, act: str, obj: Session | None) -> bool:
        return True


class SessionsByService(ReadOnlySessions, ServiceAdmin[Session]):
    fields = ("session_key",)
    seen: list[tuple[Session | None, dict[str, Any], bool]]

    has_add_permission = ServiceAdmin.has_add_permission
    has_change_permission = ServiceAdmin.has_change_permission

    def carry_out(self, request: HttpRequest, original: Session | None, cleaned: Mapping[str, Any]) -> Session:
        self.seen.append((original, dict(cleaned), connection.in_atomic_block))
        if cleaned["session_key"] == "taken":
            raise InvalidInput(errors=[FieldProblem(pointer="/session_key", detail="Somebody has that one.")])
        if cleaned["session_key"] == "late":
            raise Conflict("It was changed meanwhile.")
        values = {"session_key": "chosen-by-the-service", "session_data": "", "expire_date": timezone.now()}
        return Session.objects.create(**values)


SITE = AnswerableAdminSite()
SITE.register(Session, SessionsByService)
urlpatterns = [path("admin/", SITE.urls)]
pytestmark = pytest.mark.urls(__name__)


@pytest.fixture
def site() -> AnswerableAdminSite:
    return SITE


@pytest.fixture
def page(site: AnswerableAdminSite) -> SessionsByService:
    made: SessionsByService = site.get_model_admin(Session)
    made.seen = []
    return made


def posted(key: str) -> HttpRequest:
    request = RequestFactory().post("/admin/sessions/session/add/", {"session_key": key, "_continue": "1"})
    request.user = Person(name="Ada", email="ada@example.org")
    request._messages = CookieStorage(request)  # type: ignore[attr-defined]
    request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
    return request


@pytest.mark.committing
def test_the_service_writes_outside_any_transaction_of_djangos(page: SessionsByService) -> None:
    page.changeform_view(posted("wished"))

    assert page.seen == [(None, {"session_key": "wished"}, False)]


@pytest.mark.django_db
def test_the_page_goes_on_with_the_row_that_the_service_made(page: SessionsByService) -> None:
    answer = page.changeform_view(posted("wished"))

    assert unquote(answer["Location"]).replace("_2D", "-") == "/admin/sessions/session/chosen-by-the-service/change/"
    assert [each.session_key for each in Session.objects.all()] == ["chosen-by-the-service"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("key", "errors"),
    [
        ("taken", {"session_key": ["Somebody has that one."]}),
        ("late", {"__all__": ["It was changed meanwhile."]}),
    ],
)
def test_a_refusal_stands_in_the_form_and_keeps_what_was_typed(
    page: SessionsByService, key: str, errors: dict[str, list[str]]
) -> None:
    answer: Any = page.changeform_view(posted(key))
    form = answer.context_data["adminform"].form

    assert form.errors == errors
    assert form["session_key"].value() == key
    assert not Session.objects.exists()


def test_django_keeps_no_log_of_its_own(page: SessionsByService) -> None:
    page.log_addition(posted("x"), Session(), "added")  # without a database: any write would be refused here
    page.log_change(posted("x"), Session(), "changed")


def test_a_record_can_only_be_seen(site: AnswerableAdminSite) -> None:
    admin, request = ReadOnlySessions(Session, site), posted("x")

    assert admin.has_view_permission(request)
    assert not admin.has_add_permission(request)
    assert not admin.has_change_permission(request, Session())
    assert not admin.has_delete_permission(request, Session())
    assert not admin.get_actions(request)


def test_rows_written_by_services_are_not_deleted(page: SessionsByService) -> None:
    assert not page.has_delete_permission(posted("x"), Session())


def test_a_page_that_does_not_say_who_may_is_a_mistake(site: AnswerableAdminSite) -> None:
    with pytest.raises(NotImplementedError, match="may"):
        ReadOnlyAdmin[Session](Session, site).has_view_permission(posted("x"))


def test_people_sign_in_by_e_mail(client: Client) -> None:
    form = SignInForm()

    assert form.fields["username"].label == "E-mail"
    assert form.fields["username"].widget.input_type == "email"
    assert b'type="email"' in client.get("/admin/login/").content


def test_an_inactive_account_enters_nowhere(site: AnswerableAdminSite) -> None:
    request = posted("x")
    assert site.has_permission(request)

    request.user.is_active = False
    assert not site.has_permission(request)
