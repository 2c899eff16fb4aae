"""Decisions as OCSF 1.9 events, for a SIEM: API Activity (6003) with the profiles AI Operation and Record Integrity.

(ocsf/ocsf-schema v1.9.0: events/application/api_activity, profiles/ai_operation, profiles/record_integrity,
objects/attestation.) What has no place there stands in `unmapped`, by the names of our entries. Each event is chained
to the one before it in the file: its fingerprint is the SHA-256 of its canonical JSON (RFC 8785) without the
fingerprint itself, so that a line taken out shows. The chain is the file's; the log's own proof is found by
`metadata.log_name` and `metadata.sequence`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

import msgspec

from evidence.exports.rows import Row

VERSION = "1.9.0"
CATEGORY, CLASS, ACTIVITY = 6, 6003, 1
TYPE = CLASS * 100 + ACTIVITY
UNKNOWN = "Unknown"
"""The schema wants a provider. What the register says of one is somebody's text, which can be erased: not the log's."""
INFORMATIONAL, SUCCESS, FAILURE, SERVICE, SHA256_ID, HEX, JCS = 1, 1, 2, 4, 3, 1, 2
EXACT = 2**53
"""Up to here every whole number is a double."""
canonical = msgspec.json.Encoder(order="sorted").encode


class OcsfLines:
    """Makes events of decisions. `kept`: the end of the chain, which goes on where the making does.

    `names`: slugs of AI systems by id.
    """

    def __init__(
        self,
        *,
        authority: str,
        chain: str,
        kept: dict[str, Any],
        version: str,
        names: Mapping[str, str],
    ) -> None:
        self.authority, self.chain, self.kept = authority, chain, kept
        self.product = {"name": "Answerable", "vendor_name": "Answerable", "version": version}
        self.names = names

    def lines(self, rows: Sequence[Row]) -> bytes:
        return b"".join(self._line(row) for row in rows)

    def _line(self, row: Row) -> bytes:
        event = self._event(row)
        attestation: dict[str, Any] = {"authority_uid": self.authority, "chain_uid": self.chain}
        attestation["uid"] = f"{self.chain}:{self.kept.get('number', 0)}"
        if "last" in self.kept:
            uid, fingerprint = self.kept["last"]
            attestation["prev_event"] = {"uid": uid, "type_uid": TYPE, "fingerprint": _fingerprint(fingerprint)}
        event["attestation_list"] = [attestation]
        digest = sha256(canonical(event)).hexdigest()
        attestation["fingerprint"] = _fingerprint(digest)
        self.kept["number"] = self.kept.get("number", 0) + 1
        self.kept["last"] = [event["metadata"]["uid"], digest]
        return canonical(event) + b"\n"

    def _event(self, row: Row) -> dict[str, Any]:
        said = row.read()
        body = said.body
        received = _milliseconds(said.at)
        sender = body.account or said.actor.id or ""
        return {
            "activity_id": ACTIVITY,
            "activity_name": "Create",
            "category_uid": CATEGORY,
            "category_name": "Application Activity",
            "class_uid": CLASS,
            "class_name": "API Activity",
            "type_uid": TYPE,
            "type_name": "API Activity: Create",
            "severity_id": INFORMATIONAL,
            "severity": "Informational",
            "status_id": FAILURE if body.error_type else SUCCESS,
            "status": "Failure" if body.error_type else "Success",
            **({"status_code": body.error_type} if body.error_type else {}),
            "time": received,
            "message": f"{self.names.get(body.system, body.system)}: {body.outcome}",
            "metadata": {
                "version": VERSION,
                "product": self.product,
                "profiles": ["ai_operation", "record_integrity"],
                "uid": said.id,
                "original_event_uid": said.id,
                "event_code": said.kind,
                "log_name": row.origin,
                "sequence": row.index,
                "logged_time": received,
                "original_time": body.occurred_at,
            },
            "actor": {"user": {"uid": sender, "type_id": SERVICE, "type": "Service"}},
            "api": {"operation": "decision.record", "service": {"uid": body.system, **self._named(body.system)}},
            "src_endpoint": {"uid": body.source_id or sender, "svc_name": body.environment},
            "resources": [{"uid": body.system, "type": "AI system", **self._named(body.system)}],
            "ai_model": {"name": body.model_version, "ai_provider": UNKNOWN, "version": body.model_version},
            "unmapped": _unmapped(row, body),
        }

    def _named(self, system: str) -> dict[str, str]:
        return {"name": self.names[system]} if system in self.names else {}


TAKEN = frozenset({"system", "account", "model_version", "error_type", "occurred_at", "source_id", "commitments"})
"""Members of an entry's body that have a place of their own, or mean nothing without the contents."""


def _unmapped(row: Row, body: Any) -> dict[str, Any]:
    said = {name: value for name, value in msgspec.to_builtins(body).items() if name not in TAKEN}
    known = {name: _number(value) for name, value in said.items() if value not in (None, [], "")}
    return known | {"leaf_hash": row.leaf_hash, "overridden": row.is_overridden, "erased": row.is_erased}


def _fingerprint(digest: str) -> dict[str, Any]:
    return {
        "algorithm": "SHA-256",
        "algorithm_id": SHA256_ID,
        "encoding": "Hex",
        "encoding_id": HEX,
        "serialization": "JCS",
        "serialization_id": JCS,
        "value": digest,
    }


def _milliseconds(at: str) -> int:
    return int(datetime.fromisoformat(at).timestamp() * 1000)


def _number(value: Any) -> Any:
    """As RFC 8785 writes it. A double as ECMAScript does: the shortest digits that tell it from others, without
    exponent from 1e-6 up to 1e21. A whole number that no double is exact for, as text: whoever reads numbers as
    doubles would hash another one."""
    match value:
        case dict():
            return {name: _number(each) for name, each in value.items()}
        case list():
            return [_number(each) for each in value]
        case int() if abs(value) > EXACT:
            return str(value)
    if not isinstance(value, float):
        return value
    if value.is_integer() and abs(value) < EXACT:
        return int(value)
    text = repr(value)
    if "e" not in text and not text.endswith(".0"):
        return value
    if 1e-6 <= abs(value) < 1e21:
        return msgspec.Raw(format(Decimal(text).normalize(), "f").encode())
    mantissa, exponent = text.split("e")
    return msgspec.Raw(f"{mantissa}e{int(exponent):+d}".encode())
