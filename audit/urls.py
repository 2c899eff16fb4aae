"""Addresses of the record, without the leading `api/v1/`. (Who posts to `decisions` is intake's guest: config.urls.)"""

from django.urls import path

from audit.api import decisions

urlpatterns = [
    path("decisions/<uuid:decision_id>", decisions.DecisionItem.as_view(), name="decision"),
    path(
        "decisions/<uuid:decision_id>/payload/<str:part>", decisions.DecisionPayload.as_view(), name="decision-payload"
    ),
]
