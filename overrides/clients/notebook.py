"""The thread that writes down what the doors have noted in memory: no read of a client waits for the database."""

import threading
import time
from collections.abc import Callable

import structlog
from django.db import Error, connection

from governance import memory as register_memory
from overrides.clients import seen, unknown_flags

log = structlog.get_logger(__name__)

SEEN_EVERY_SECONDS = 5.0
UNKNOWN_EVERY_ROUNDS = 12

_thread: threading.Thread | None = None
_lock = threading.Lock()


def ensure_writing() -> None:
    """Have the thread run. It is asked for by requests, since it does not survive a fork."""
    global _thread
    if register_memory.polling and (_thread is None or not _thread.is_alive()):
        with _lock:
            if _thread is None or not _thread.is_alive():
                _thread = threading.Thread(target=_write_for_ever, name="notebook", daemon=True)
                _thread.start()


def _write_for_ever() -> None:
    rounds = 0
    while True:
        time.sleep(SEEN_EVERY_SECONDS)
        rounds += 1
        _try(seen.write)
        if rounds % UNKNOWN_EVERY_ROUNDS == 0:
            _try(unknown_flags.write)
        connection.close()


def _try(write: Callable[[], None]) -> None:
    try:
        write()
    except Error as error:
        log.warning("notebook.not_written", what=write.__module__, exception=type(error).__qualname__)
        connection.close()
    except Exception:
        # a fault of ours: said aloud; what clients are answered does not hang on it
        log.exception("notebook.broken", what=write.__module__)
