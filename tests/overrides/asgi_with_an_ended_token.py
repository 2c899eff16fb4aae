"""The control process whose first stream address carries a token that has ended, as after days of sleep."""

import time

from config.asgi import application
from governance.register import KeyGrant
from overrides.clients import stream_tokens

current = stream_tokens.stream_token
given: list[str] = []


def ended_at_first(grant: KeyGrant) -> str:
    token = current(grant) if given else current(grant, time.time() - 3 * stream_tokens.PERIOD_SECONDS)
    given.append(token)
    return token


vars(stream_tokens)["stream_token"] = ended_at_first

__all__ = ["application"]
