"""What a time-stamp authority is asked (RFC 3161), and when its answer is believed.

The message imprint is the SHA-256 of the checkpoint's note text: what the log signs, without the signature lines.
"""

import datetime
import hashlib
from dataclasses import dataclass
from http import HTTPStatus

from django.utils import timezone
from rfc3161_client import (
    HashAlgorithm,
    PKIStatus,
    TimeStampRequest,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    Verifier,
    VerifierBuilder,
    decode_timestamp_response,
)

from evidence.anchor_models import Outcome
from evidence.exports.verifier import verifier
from evidence.witnessing import der
from evidence.witnessing.asking import CLOCKS_DIFFER, NoAnswer, post
from evidence.witnessing.configured import Authority
from ledger.tlog import split_note

QUERY, REPLY = "application/timestamp-query", "application/timestamp-reply"
SHA256 = "2.16.840.1.101.3.4.2.1"


@dataclass(frozen=True, slots=True)
class Stamp:
    """A verified time-stamp: the whole response in DER, and its time."""

    response: bytes
    stamped_at: datetime.datetime


class Unstamped(Exception):
    """No time-stamp that is to be believed; `outcome` and the message say why. `retry_after`: seconds asked for."""

    def __init__(self, outcome: Outcome, detail: str = "", retry_after: float | None = None) -> None:
        self.outcome, self.detail, self.retry_after = outcome, detail, retry_after
        super().__init__(detail or outcome.label)


def time_stamp(authority: Authority, note: str) -> Stamp:
    """Ask for a time-stamp over a checkpoint, and verify it under the authority's certificates. Errors: `Unstamped`."""
    text = split_note(note)[0].encode()
    request = (
        TimestampRequestBuilder().data(text).hash_algorithm(HashAlgorithm.SHA256).nonce(nonce=True)
        .cert_request(cert_request=True).build()
    )  # fmt: skip
    try:
        answer = post(authority.url, request.as_bytes(), QUERY)
    except NoAnswer as error:
        raise Unstamped(error.outcome, error.detail, error.retry_after) from error
    if answer.status != HTTPStatus.OK:
        raise Unstamped(Outcome.REFUSED, f"HTTP {answer.status}")
    return _verified(authority, request, answer.body, text)


def stamped_in(response: bytes) -> tuple[bytes, datetime.datetime]:
    """What a stored time-stamp is over, the SHA-256 of a note text, and when. Verifies nothing. Errors: ValueError."""
    try:
        found = decode_timestamp_response(response).tst_info
        imprint = found.message_imprint
        if imprint.hash_algorithm.dotted_string == SHA256:
            return bytes(imprint.message), found.gen_time
    except Exception as error:  # what the library raises for bytes that somebody forged is no short list
        raise ValueError("not a time-stamp response") from error
    raise ValueError("the time-stamp is not over a SHA-256")


def _verified(authority: Authority, request: TimeStampRequest, body: bytes, text: bytes) -> Stamp:
    response, data = _decoded(body)
    if response.status != PKIStatus.GRANTED:  # nor with modifications: nothing of what was asked for may be otherwise
        raise Unstamped(Outcome.NOT_GRANTED, f"PKIStatus {response.status}")
    try:
        _verify(_verifier(authority, request), response, text)
        stamped_at = response.tst_info.gen_time
    except Exception as error:  # what the library raises for bytes that somebody forged is no short list
        raise Unstamped(Outcome.UNVERIFIED, _clipped(f"{error}")) from error
    # it answers this very request (the nonce), so it is from now; a certificate that has expired stamps in its past
    if abs(stamped_at - timezone.now()) > CLOCKS_DIFFER:
        raise Unstamped(Outcome.UNVERIFIED, f"By its clock it is {stamped_at:%Y-%m-%d %H:%M} UTC.")
    _require_checkable(data, text)
    return Stamp(data, stamped_at)


def _require_checkable(data: bytes, text: bytes) -> None:
    """Whoever is handed it in a bundle can check it: with the program that they will use. Errors: `Unstamped`."""
    program = verifier()
    try:
        program.check_timestamp(data, text)
    except program.Malformed as error:
        said = f"The verifier of evidence bundles cannot check it: {error}."
        raise Unstamped(Outcome.UNVERIFIED, _clipped(said)) from error


def _decoded(body: bytes) -> tuple[TimeStampResponse, bytes]:
    """The response, and its bytes with the certificates in the order that DER prescribes."""
    try:
        data = der.sort_certificates(body)
        return decode_timestamp_response(data), data
    except (der.MalformedDer, ValueError) as error:
        raise Unstamped(Outcome.UNREADABLE, _clipped(f"{error}")) from error


def _verifier(authority: Authority, request: TimeStampRequest) -> Verifier:
    builder = VerifierBuilder.from_request(request)
    for root in authority.roots:
        builder = builder.add_root_certificate(root)
    for between in authority.intermediates:
        builder = builder.add_intermediate_certificate(between)
    if authority.signer is not None:
        builder = builder.tsa_certificate(authority.signer)
    return builder.build()


def _verify(verifier: Verifier, response: TimeStampResponse, text: bytes) -> None:
    # the library compares digests alone: that it is one of SHA-256 is asked for here
    if response.tst_info.message_imprint.hash_algorithm.dotted_string != SHA256:
        raise VerificationError("The time-stamp is over another hash than was asked for")
    verifier.verify(response, hashlib.sha256(text).digest())


def _clipped(text: str) -> str:
    return text[:250]
