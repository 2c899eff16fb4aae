"""Addresses of monitoring, without the leading `api/v1/`. (Outcomes in batches: evidence, which sees intake too.)"""

from django.urls import path

from monitoring.api import outcomes, oversight

urlpatterns = [
    path("decisions/<uuid:decision_id>/outcomes", outcomes.DecisionOutcomesApi.as_view(), name="decision-outcomes"),
    path("review-queues/<slug:slug>/oversight", oversight.OversightApi.as_view(), name="review-queue-oversight"),
    path("systems/<slug:slug>/oversight", oversight.SystemOversightApi.as_view(), name="system-oversight"),
]
