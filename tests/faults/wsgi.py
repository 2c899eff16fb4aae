"""The product's WSGI application with faults in it: what the web process under test serves. Never shipped."""

from config.wsgi import application
from tests.faults.faultpoints import install

__all__ = ["application"]

install()
