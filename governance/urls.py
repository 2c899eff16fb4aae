"""Addresses of the register."""

from collections.abc import Callable

from django.contrib import admin
from django.http.response import HttpResponseBase
from django.urls import path, register_converter
from django.urls.converters import StringConverter

from governance import views
from governance.api.fail_policies import FailPolicyApi, MilderPolicyAnswerApi, MilderPolicyApi
from governance.api.systems import SystemsApi
from governance.api.versions import VersionsApi
from governance.sign_in import own_pages, pages

View = Callable[..., HttpResponseBase]

OWN: list[tuple[str, View, str]] = [
    ("", own_pages.own_page, ""),
    ("app/", own_pages.add_app, "_add_app"),
    ("passkeys/", own_pages.add_passkey, "_add_passkey"),
    ("passkeys/<uuid:passkey_id>/name/", own_pages.rename, "_rename"),
    ("factors/<slug:kind>/<uuid:factor_id>/remove/", own_pages.remove, "_remove"),
    ("codes/", own_pages.new_codes, "_codes"),
    ("sessions/<slug:handle>/end/", own_pages.sign_out, "_sign_out"),
    ("tokens/", own_pages.new_token, "_new_token"),
    ("tokens/<uuid:token_id>/revoke/", own_pages.end_token, "_end_token"),
]


def own(view: View) -> View:
    """For whoever is signed in; `admin_view` leads everybody else to the sign-in page."""
    page: View = admin.site.admin_view(view)
    return page



class Answer(StringConverter):
    """What one says to a request."""

    regex = "approve|refuse|withdraw"


register_converter(Answer, "answer")
admin_pages = [
    # in the place of the site's own, which would save the person without a trail
    path("password_change/", views.change_password, name="password_change"),
    path("login/", pages.sign_in, name="login"),
    path("login/second/", pages.second_factor, name="second_factor"),
    path("login/passkey/", pages.passkey_sign_in, name="passkey_sign_in"),
    path("login/passkey/options/", pages.passkey_options, name="passkey_options"),
    *(path(f"your-sign-in/{address}", own(view), name=f"your_sign_in{name}") for address, view, name in OWN),
]
urlpatterns = [
    path("setup/<str:token>", views.setup, name="setup"),
    path("api/v1/systems", SystemsApi.as_view(), name="systems"),
    path("api/v1/systems/<slug:slug>/fail-policy", FailPolicyApi.as_view(), name="fail-policy"),
    path("api/v1/systems/<slug:slug>/fail-policy/milder", MilderPolicyApi.as_view()),
    path("api/v1/fail-policy-requests/<uuid:request_id>/<answer:answer>", MilderPolicyAnswerApi.as_view()),
    path("api/v1/systems/<slug:slug>/versions", VersionsApi.as_view(), name="versions"),
]
