"""Addresses of the evidence floor."""

from django.urls import path

from evidence.api import logs, outcomes, proofs

urlpatterns = [
    path("logs/<str:name>/checkpoint", logs.checkpoint, name="log-checkpoint"),
    path("logs/<str:name>/tile/entries/<path:path>", logs.bundle, name="log-bundle"),
    path("logs/<str:name>/tile/<path:path>", logs.tile, name="log-tile"),
    path("api/v1/outcomes", outcomes.OutcomesApi.as_view(), name="outcomes"),
    path("api/v1/logs", proofs.LogList.as_view(), name="logs"),
    path("api/v1/decisions/<uuid:decision_id>/proof", proofs.DecisionProof.as_view(), name="decision-proof"),
    path("api/v1/decisions/<uuid:decision_id>/entry", proofs.DecisionEntry.as_view(), name="decision-entry"),
]
