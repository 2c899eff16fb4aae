"""Addresses of intake, without the leading `api/v1/`."""

from django.urls import path

from intake import api
from intake.sources_api import HeartbeatApi, SourcesApi

urlpatterns = [
    path("decisions", api.post_decision, name="decisions"),
    path("decisions/batch", api.post_batch, name="decisions-batch"),
    path("sources", SourcesApi.as_view(), name="sources"),
    path("sources/heartbeat", HeartbeatApi.as_view(), name="sources-heartbeat"),
]
