"""Authenticator apps (RFC 6238). The arithmetic is pyotp's, the picture segno's."""

import time

import pyotp
import segno

ISSUER = "Answerable"
INTERVAL = 30
DRIFT = (-1, 0, 1)
"""Steps of 30 s around now: phones and servers do not agree to the second."""


def new_secret() -> str:
    """160 random bits, as authenticator apps take them."""
    return pyotp.random_base32(32)


def matching_step(secret: str, code: str, *, after: int = 0, now: float | None = None) -> int | None:
    """The time step whose code this is, if that is later than `after`; None where it is none. All are compared."""
    app = pyotp.TOTP(secret, interval=INTERVAL)
    current = int(time.time() if now is None else now) // INTERVAL
    steps = [current + drift for drift in DRIFT]
    found = [step for step in steps if pyotp.utils.strings_equal(app.generate_otp(step), code)]
    return next((step for step in found if step > after), None)


def enrolment_uri(secret: str, account: str) -> str:
    """What the picture says to the app."""
    return pyotp.TOTP(secret, interval=INTERVAL).provisioning_uri(name=account, issuer_name=ISSUER)


def picture(uri: str) -> str:
    """The QR code as SVG that stands in the page: black on white in both themes, or no camera reads it."""
    code = segno.make(uri, error="m", micro=False)
    return str(code.svg_inline(border=3, dark="#000", light="#fff", omitsize=True, svgclass="a-qr", title="QR code"))


def in_groups(secret: str) -> str:
    """The secret to be typed by hand."""
    return " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
