"""Addresses of the register."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from governance import views
from governance.api.fail_policies import FailPolicyApi, MilderPolicyAnswerApi, MilderPolicyApi
from governance.api.systems import SystemsApi
from governance.api.versions import VersionsApi


class Answer(StringConverter):
    """What one says to a request."""

    regex = "approve|refuse|withdraw"


register_converter(Answer, "answer")
admin_pages = [
    # in the place of the site's own, which would save the person without a trail
    path("password_change/", views.change_password, name="password_change"),
]
urlpatterns = [
    path("setup/<str:token>", views.setup, name="setup"),
    path("api/v1/systems", SystemsApi.as_view(), name="systems"),
    path("api/v1/systems/<slug:slug>/fail-policy", FailPolicyApi.as_view(), name="fail-policy"),
    path("api/v1/systems/<slug:slug>/fail-policy/milder", MilderPolicyApi.as_view()),
    path("api/v1/fail-policy-requests/<uuid:request_id>/<answer:answer>", MilderPolicyAnswerApi.as_view()),
    path("api/v1/systems/<slug:slug>/versions", VersionsApi.as_view(), name="versions"),
]
