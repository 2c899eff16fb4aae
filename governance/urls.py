"""Addresses of the register."""

from django.urls import path

from governance import views
from governance.api.systems import SystemsApi
from governance.api.versions import VersionsApi

admin_pages = [
    # in the place of the site's own, which would save the person without a trail
    path("password_change/", views.change_password, name="password_change"),
]
urlpatterns = [
    path("setup/<str:token>", views.setup, name="setup"),
    path("api/v1/systems", SystemsApi.as_view(), name="systems"),
    path("api/v1/systems/<slug:slug>/versions", VersionsApi.as_view(), name="versions"),
]
