"""Addresses of human control, without the leading `api/v1/`; `ofrep_urls` stand at the root, as their protocol says."""

from django.urls import path

from overrides.api.acks import AcksApi
from overrides.api.loosening import (
    LooseningApi,
    LooseningApproveApi,
    LooseningRefuseApi,
    LooseningWithdrawApi,
)
from overrides.api.switches import ChangeApi, EmergencyClearApi, SwitchesApi, TightenApi
from overrides.clients import views

urlpatterns = [
    path("control/acks", AcksApi.as_view(), name="control-acks"),
    path("control/changes/<uuid:change_id>", ChangeApi.as_view(), name="control-change"),
    path("control/emergency-clear", EmergencyClearApi.as_view(), name="control-emergency-clear"),
    path("control/events", views.stream, name="control-events"),
    path("control/loosen", LooseningApi.as_view(), name="control-loosen"),
    path("control/loosen/<uuid:request_id>/approve", LooseningApproveApi.as_view(), name="control-loosen-approve"),
    path("control/loosen/<uuid:request_id>/refuse", LooseningRefuseApi.as_view(), name="control-loosen-refuse"),
    path("control/loosen/<uuid:request_id>/withdraw", LooseningWithdrawApi.as_view(), name="control-loosen-withdraw"),
    path("control/state", views.reads, name="control-state"),
    path("control/switches", SwitchesApi.as_view(), name="control-switches"),
    path("control/tighten", TightenApi.as_view(), name="control-tighten"),
]

ofrep_urls = [
    path("ofrep/v1/evaluate/flags", views.reads, name="ofrep-bulk"),
    path("ofrep/v1/evaluate/flags/", views.reads),
    path("ofrep/v1/evaluate/flags/<path:key>", views.reads, name="ofrep-single"),
    path("ofrep/v1/events", views.stream, name="ofrep-events"),
]
