"""Structured logs: one JSON object a line, on standard error.

What never gets into them: bodies, addresses (a set-up link's is a credential: `config.routes`), and the *messages* of
exceptions. A database error quotes the row it refused and a ValueError the value it met, and both may be what a model
saw of somebody. An exception is logged by its type and the places it passed through.
"""

import logging
import logging.config
import sys
from collections.abc import Iterator
from traceback import extract_tb
from types import TracebackType
from typing import Any

import orjson
import structlog
from django.http import HttpRequest
from structlog.typing import EventDict, Processor, WrappedLogger

from config.routes import route_of

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def exceptions_without_messages(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Replace `exc_info` by types and places, the innermost cause last."""
    found = _exc_info(event.pop("exc_info", None))
    event.pop("stack_info", None)
    if found is not None:
        event["exception"] = [_describe(error) for error in _chain(found[1])]
    return event


class RoutesForPaths(logging.Filter):
    """Django quotes the path of a request that failed or was forged; its route is said instead."""

    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)
        if isinstance(request, HttpRequest) and isinstance(record.args, tuple):
            route = route_of(request)
            record.args = tuple(route if said == request.path else said for said in record.args)
        return True


def _exc_info(given: Any) -> ExcInfo | None:
    if isinstance(given, BaseException):
        return type(given), given, given.__traceback__
    found = given if isinstance(given, tuple) else sys.exc_info() if given else None
    return found if found and found[0] else None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _describe(error: BaseException) -> dict[str, Any]:
    frames = extract_tb(error.__traceback__)
    kind = type(error)
    return {
        "type": f"{kind.__module__}.{kind.__qualname__}",
        "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }


def _json(event: EventDict, **options: Any) -> str:
    return orjson.dumps(event, default=str).decode()


def _stamped() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _formatter(form: str) -> structlog.stdlib.ProcessorFormatter:
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if form == "console"
        else structlog.processors.JSONRenderer(serializer=_json)
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_stamped(), structlog.stdlib.ExtraAdder(allow=[])],
        processors=[
            exceptions_without_messages,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            renderer,
        ],
    )


def usual_form() -> str:
    """`console` for people at a terminal, else `json`: one object a line for programs."""
    return "console" if sys.stderr.isatty() else "json"


def logging_config(*, level: str, form: str) -> dict[str, Any]:
    """Django's LOGGING. Its own 4xx lines are silenced: the one line a request (config.middleware) says it already."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"structured": {"()": _formatter, "form": form}},
        "filters": {"routes": {"()": RoutesForPaths}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured", "filters": ["routes"]}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django.request": {"level": "ERROR"},
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            "django.server": {"level": "ERROR"},
        },
    }


def configure(settings: dict[str, Any]) -> None:
    """Django's LOGGING_CONFIG: standard logging and structlog write through one formatter."""
    logging.config.dictConfig(settings)
    structlog.configure(
        processors=[*_stamped(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
