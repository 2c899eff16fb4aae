"""Addresses of the register."""

from collections.abc import Callable

from django.contrib import admin
from django.http.response import HttpResponseBase
from django.urls import path, register_converter
from django.urls.converters import StringConverter

from governance import views
from governance.api.answering import AnsweringApi
from governance.api.cards import (
    CardApi,
    CardDraftApi,
    CardPublishApi,
    CardReturnApi,
    CardsApi,
    CardSubmitApi,
    CardWithdrawApi,
)
from governance.api.configurations import ConfigurationApi, ConfigurationsApi
from governance.api.data_sources import DataSourceApi, DataSourceArchiveApi, DataSourcesApi, DependentsApi
from governance.api.fail_policies import FailPolicyApi, MilderPolicyAnswerApi, MilderPolicyApi
from governance.api.letter_templates import (
    LetterTemplateApi,
    LetterTemplateDraftApi,
    LetterTemplatePublishApi,
    LetterTemplateReturnApi,
    LetterTemplatesApi,
    LetterTemplateSubmitApi,
    LetterTemplateWithdrawApi,
)
from governance.api.promotions import (
    ApproveApi,
    DependenciesApi,
    DependencyApi,
    ProposeApi,
    RefuseApi,
    ReleaseApi,
    RetireApi,
    VersionApi,
    WithdrawApi,
)
from governance.api.sessions import SessionsApi, SessionsEndApi
from governance.api.system_status import SystemLiveApi, SystemRetireApi
from governance.api.systems import SystemsApi
from governance.api.versions import VersionsApi
from governance.sign_in import own_pages, pages
from governance.sign_in.oidc import pages as provider_pages

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
    path("login/provider/", provider_pages.out, name="oidc_out"),
    path("login/provider/back/", provider_pages.back, name="oidc_callback"),
    *(path(f"your-sign-in/{address}", own(view), name=f"your_sign_in{name}") for address, view, name in OWN),
]
urlpatterns = [
    path("setup/<str:token>", views.setup, name="setup"),
    path("api/v1/people/<uuid:person_id>/sessions", SessionsApi.as_view(), name="sessions"),
    path("api/v1/people/<uuid:person_id>/sessions/end", SessionsEndApi.as_view()),
    path("api/v1/systems", SystemsApi.as_view(), name="systems"),
    path("api/v1/systems/<slug:slug>/accountable", AnsweringApi.as_view(), name="answering"),
    path("api/v1/systems/<slug:slug>/fail-policy", FailPolicyApi.as_view(), name="fail-policy"),
    path("api/v1/systems/<slug:slug>/fail-policy/milder", MilderPolicyApi.as_view()),
    path("api/v1/fail-policy-requests/<uuid:request_id>/<answer:answer>", MilderPolicyAnswerApi.as_view()),
    path("api/v1/systems/<slug:slug>/live", SystemLiveApi.as_view(), name="system-live"),
    path("api/v1/systems/<slug:slug>/retire", SystemRetireApi.as_view(), name="system-retire"),
    path("api/v1/systems/<slug:slug>/cards", CardsApi.as_view(), name="cards"),
    path("api/v1/systems/<slug:slug>/cards/<int:number>", CardApi.as_view(), name="card"),
    path("api/v1/systems/<slug:slug>/cards/draft", CardDraftApi.as_view(), name="card-draft"),
    path("api/v1/systems/<slug:slug>/cards/draft/submit", CardSubmitApi.as_view()),
    path("api/v1/systems/<slug:slug>/cards/draft/publish", CardPublishApi.as_view()),
    path("api/v1/systems/<slug:slug>/cards/draft/return", CardReturnApi.as_view()),
    path("api/v1/systems/<slug:slug>/cards/draft/withdraw", CardWithdrawApi.as_view()),
    path("api/v1/systems/<slug:slug>/letter-templates", LetterTemplatesApi.as_view(), name="letter-templates"),
    path("api/v1/systems/<slug:slug>/letter-templates/<str:language>", LetterTemplateApi.as_view()),
    path("api/v1/systems/<slug:slug>/letter-templates/<str:language>/draft", LetterTemplateDraftApi.as_view()),
    path("api/v1/systems/<slug:slug>/letter-templates/<str:language>/submit", LetterTemplateSubmitApi.as_view()),
    path("api/v1/systems/<slug:slug>/letter-templates/<str:language>/return", LetterTemplateReturnApi.as_view()),
    path("api/v1/systems/<slug:slug>/letter-templates/<str:language>/publish", LetterTemplatePublishApi.as_view()),
    path("api/v1/systems/<slug:slug>/letter-templates/<str:language>/withdraw", LetterTemplateWithdrawApi.as_view()),
    path("api/v1/systems/<slug:slug>/versions", VersionsApi.as_view(), name="versions"),
    path("api/v1/systems/<slug:slug>/configurations", ConfigurationsApi.as_view(), name="configurations"),
    path("api/v1/systems/<slug:slug>/configurations/<str:digest>", ConfigurationApi.as_view(), name="configuration"),
    path("api/v1/model-versions/<uuid:version_id>", VersionApi.as_view(), name="version"),
    path("api/v1/model-versions/<uuid:version_id>/dependencies", DependenciesApi.as_view(), name="dependencies"),
    path("api/v1/model-versions/<uuid:version_id>/propose", ProposeApi.as_view()),
    path("api/v1/model-versions/<uuid:version_id>/approve", ApproveApi.as_view()),
    path("api/v1/model-versions/<uuid:version_id>/refuse", RefuseApi.as_view()),
    path("api/v1/model-versions/<uuid:version_id>/withdraw", WithdrawApi.as_view()),
    path("api/v1/model-versions/<uuid:version_id>/release", ReleaseApi.as_view()),
    path("api/v1/model-versions/<uuid:version_id>/retire", RetireApi.as_view()),
    path("api/v1/data-dependencies/<uuid:dependency_id>", DependencyApi.as_view(), name="dependency"),
    path("api/v1/data-sources", DataSourcesApi.as_view(), name="data-sources"),
    path("api/v1/data-sources/<slug:slug>", DataSourceApi.as_view(), name="data-source"),
    path("api/v1/data-sources/<slug:slug>/archive", DataSourceArchiveApi.as_view()),
    path("api/v1/data-sources/<slug:slug>/dependents", DependentsApi.as_view(), name="dependents"),
]
