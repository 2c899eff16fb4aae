"""Addresses of human control, without the leading `api/v1/`; `ofrep_urls` stand at the root, as their protocol says."""

from django.urls import path

from overrides.clients import views

urlpatterns = [
    path("control/events", views.stream, name="control-events"),
    path("control/state", views.reads, name="control-state"),
]

ofrep_urls = [
    path("ofrep/v1/evaluate/flags", views.reads, name="ofrep-bulk"),
    path("ofrep/v1/evaluate/flags/", views.reads),
    path("ofrep/v1/evaluate/flags/<path:key>", views.reads, name="ofrep-single"),
    path("ofrep/v1/events", views.stream, name="ofrep-events"),
]
