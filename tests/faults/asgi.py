"""The control process with faults in the threads that answer its requests. Never shipped."""

from config.asgi import application
from tests.faults.faultpoints import install

__all__ = ["application"]

install()
