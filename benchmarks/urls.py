"""The product's addresses, and the endpoint that does nothing."""

from django.urls import path

from benchmarks.noop import Noop
from config.urls import handler400, handler403, handler404, handler500
from config.urls import urlpatterns as product

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [path("benchmarks/noop", Noop.as_view()), *product]
