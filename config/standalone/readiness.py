"""What a service says of itself: whether it takes requests, and if not, whether waiting helps or people must act."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus

FOR_PEOPLE = {"ledger", "signing_key", "digest_key"}
"""Checks that fail until somebody does something about it: after a restore, or where a key is not the one. They sign in
to do it, so the service runs meanwhile, and takes no decisions."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """`troubles`: the checks that failed, in words, where nothing but people can put them right."""

    is_up: bool
    troubles: tuple[str, ...] = ()


def readiness_of(host: str, port: int) -> Readiness:
    """What `/readyz` says there now."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - compared, not bound
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/readyz", timeout=5) as answer:
            return Readiness(answer.status == HTTPStatus.OK)
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.NOT_FOUND:
            return Readiness(is_up=True)
        return _unready(error.read())
    except OSError:
        return Readiness(is_up=False)


def _unready(body: bytes) -> Readiness:
    try:
        checks = json.loads(body)["checks"]
        failed = {name: str(said.get("detail", "")) for name, said in checks.items() if said["status"] == "failed"}
    except (ValueError, KeyError, TypeError, AttributeError):
        return Readiness(is_up=False)  # somebody else's answer
    if not failed or failed.keys() - FOR_PEOPLE:
        return Readiness(is_up=False)
    return Readiness(is_up=True, troubles=tuple(failed.values()))
