"""The roof: every address of the service."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularJSONAPIView

from config import error_pages, health, openapi
from config.dispatch import by_method, for_reading
from console.health import readyz
from console.metrics import metrics
from console.urls import api_urls as console_api
from console.urls import urlpatterns as console_pages
from evidence.api.investigation import DecisionList
from governance.urls import admin_pages as people_pages
from intake.api import post_decision
from overrides.urls import ofrep_urls

handler400 = error_pages.bad_request
handler403 = error_pages.permission_denied
handler404 = error_pages.not_found
handler500 = error_pages.server_error

admin.autodiscover()
site_pages, admin_app, admin_namespace = admin.site.urls

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    # before the site's own: the overview takes the place of its index, and its last address catches all
    path("admin/", ([*people_pages, *console_pages, *site_pages], admin_app, admin_namespace)),
    path("healthz", for_reading(health.healthz), name="healthz"),
    path("readyz", for_reading(readyz), name="readyz"),
    path("metrics", for_reading(metrics), name="metrics"),
    path("problems/", error_pages.problem_index, name="problems"),
    path("problems/<slug:code>", error_pages.problem_index, name="problem"),
    path("", include("governance.urls")),
    path("api/v1/decisions", by_method(DecisionList.as_view(), POST=post_decision), name="decisions"),
    path("api/v1/", include("intake.urls")),
    path("api/v1/", include("audit.urls")),
    path("api/v1/", include("notices.urls")),
    path("api/v1/", include("overrides.urls")),
    path("api/v1/", include("monitoring.urls")),
    path("api/v1/", include(console_api)),
    path("", include(ofrep_urls)),
    path("", include("evidence.urls")),
    path("api/schema", SpectacularJSONAPIView.as_view(), name="schema"),
    path("api/docs", for_reading(openapi.docs), name="docs"),
]
