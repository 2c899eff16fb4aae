"""What may go wrong with a request."""

from dataclasses import dataclass


@dataclass
class Fault:
    """What goes wrong with one request instead of (or after) its answer."""

    status: int | None = None
    retry_after: float | None = None
    delay: float = 0.0
    body: bytes | None = None
    """Answered with `status` (200) instead of the real answer; the request is not looked at."""
    truncate: bool = False
    """The request is carried out, and half of the answer arrives."""
    hang_up: bool = False
    """The connection ends without a word; nothing is carried out."""
    path: str = ""
    """Only requests to addresses that begin so."""
