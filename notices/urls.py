"""Addresses of notices."""

from django.urls import path

from notices.api.webhooks import WebhooksApi

urlpatterns = [path("webhooks", WebhooksApi.as_view(), name="webhooks")]
