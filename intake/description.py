"""How the two decision endpoints stand in the API's description: they are plain views, so they say it themselves."""

from typing import Any

import msgspec

from config.openapi import EVERYWHERE, PROBLEM_SCHEMA, WITH_BODY
from config.problems import MEDIA_TYPE
from intake.wire import MAX_LABELS, DecisionRecord, SourceRef

REFERENCE = "#/components/schemas/{name}"
MEANINGS = {
    "id": "The client's id, UUIDv7: the idempotency key. At most 5 minutes ahead, at most 35 days old.",
    "external_id": "The caller's own key. Retries with it are idempotent whatever else changed.",
    "system": "Slug of the AI system.",
    "environment": "Slug; must be the key's, which is the default.",
    "model_version": "As registered. An unknown one is registered as unverified and flagged.",
    "capability": "Which of the system's functions decided.",
    "occurred_at": "RFC 3339 with an offset, by the caller's clock.",
    "input": "Any JSON, stored byte for byte, erasable.",
    "output": "Any JSON, stored byte for byte, erasable.",
    "outcome": "The decision as a category, in clear and for ever.",
    "confidence": "0 to 1, as the model states it.",
    "explanation": 'Any JSON; best {"summary", "method", "reasons": [{"code", "text", "weight"}]}.',
    "context": "Any JSON: whatever helps to reconstruct.",
    "subject": "Pseudonym of the affected person; erasable, searchable.",
    "labels": f"At most {MAX_LABELS} strings; erasable, searchable.",
    "adverse": "Whether the decision is adverse for the subject.",
    "phase": "`proposed`: the caller asks before acting and will obey the directive.",
    "config_digest": "alg:hex",
    "model_digest": "alg:hex",
    "trace_id": "32 hex digits.",
    "span_id": "16 hex digits.",
    "parent_id": "The decision this one belongs to.",
    "error_type": "A category: failed and refused model calls are decisions too.",
    "source": "One number of a counter; gaps are reported.",
    "control_epoch": "The control state the caller acted under.",
}
ANY_JSON = {"input", "output", "explanation", "context"}
EXAMPLE = {
    "system": "credit-limits",
    "model_version": "2026-11-01",
    "occurred_at": "2026-11-21T09:30:00+01:00",
    "input": {"income": 41000},
    "output": {"limit": 0},
    "outcome": "refused",
    "confidence": 0.83,
}
TEXT = {"type": "string"}
NUMBER = {"type": "integer", "minimum": 0}
DIRECTIVE = {
    "type": "object",
    "required": ["action", "mode", "epoch", "valid_for_s"],
    "properties": {
        "action": {"type": "string", "enum": ["proceed", "hold", "fallback", "stop"]},
        "reason_code": {"type": ["string", "null"]},
        "mode": TEXT,
        "epoch": TEXT,
        "valid_for_s": NUMBER,
        "review_id": {"type": ["string", "null"], "format": "uuid"},
    },
}
PLACE: dict[str, Any] = {
    "status": {"type": "string", "enum": ["accepted", "duplicate"]},
    "id": {"type": "string", "format": "uuid"},
    "log": TEXT | {"description": "Origin of the log."},
    "leaf_index": NUMBER,
    "leaf_hash": TEXT | {"description": "64 hex digits."},
    "directive": DIRECTIVE,
    "warnings": {"type": "array", "items": TEXT},
}
TREE = {"tree_size": NUMBER, "checkpoint": TEXT | {"description": "Signed note (C2SP tlog-checkpoint)."}}
COUNTED = ("accepted", "duplicate", "conflict", "rejected", "retry")
RESULT = {
    "type": "object",
    "required": ["index", "status"],
    "properties": PLACE
    | {
        "index": NUMBER,
        "status": {"type": "string", "enum": list(COUNTED)},
        "problem": {"type": "object", "description": "A problem, with `quarantine_id` where the record was kept."},
    },
}
BATCH_ANSWER = {
    "type": "object",
    "required": ["counts", "logs", "results"],
    "properties": {
        "counts": {"type": "object", "properties": dict.fromkeys(COUNTED, NUMBER)},
        "logs": {"type": "array", "items": {"type": "object", "properties": {"log": TEXT} | TREE}},
        "results": {"type": "array", "items": RESULT},
    },
}


def add_decision_endpoints(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Post-processing hook of drf-spectacular: adds what it cannot find out by itself."""
    _, schemas = msgspec.json.schema_components([DecisionRecord, SourceRef], ref_template=REFERENCE)
    _explain(schemas["DecisionRecord"])
    known = result.setdefault("components", {}).setdefault("schemas", {})
    known |= schemas | {"Problem": PROBLEM_SCHEMA}
    known["Receipt"] = {"type": "object", "required": list(PLACE), "properties": PLACE | TREE}
    known["BatchAnswer"] = BATCH_ANSWER
    paths = result["paths"]
    paths.setdefault("/api/v1/decisions", {})["post"] = _post_one()
    paths.setdefault("/api/v1/decisions/batch", {})["post"] = _post_batch()
    return result


def _explain(record: dict[str, Any]) -> None:
    fields = record["properties"]
    fields |= {name: {} for name in ANY_JSON}
    for name, meaning in MEANINGS.items():
        fields[name] = {"description": meaning} | fields[name]


def _post_one() -> dict[str, Any]:
    receipt = {"application/json": {"schema": _ref("Receipt")}}
    return _operation(
        "record_decision",
        "Record one decision. The answer comes when it is sealed.",
        {"application/json": {"schema": _ref("DecisionRecord"), "example": EXAMPLE}},
        {
            "201": {"description": "Sealed.", "content": receipt},
            "200": {"description": "Was sealed before, with the same content.", "content": receipt},
        },
    )


def _post_batch() -> dict[str, Any]:
    records = {"type": "array", "maxItems": 5_000, "items": _ref("DecisionRecord")}
    answer = {"application/json": {"schema": _ref("BatchAnswer")}}
    operation = _operation(
        "record_decisions",
        "Record up to 5,000 decisions; each gets its own result, in order.",
        {
            "application/json": {"schema": records, "example": [EXAMPLE]},
            "application/x-ndjson": {"schema": {"type": "string", "description": "One record a line."}},
        },
        {"200": {"description": "A result for each.", "content": answer}},
    )
    wanted = {"type": "string", "enum": ["all", "problems"], "default": "all"}
    operation["parameters"] = [{"name": "results", "in": "query", "schema": wanted}]
    return operation


def _operation(name: str, summary: str, content: dict[str, Any], answers: dict[str, Any]) -> dict[str, Any]:
    problems = {code: text for code, text in (EVERYWHERE | WITH_BODY).items() if code not in ("404", "406")}
    refused = {
        code: {"description": text, "content": {MEDIA_TYPE: {"schema": _ref("Problem")}}}
        for code, text in problems.items()
    }
    return {
        "operationId": name,
        "summary": summary,
        "tags": ["decisions"],
        "security": [{"serviceKey": []}],
        "requestBody": {"required": True, "content": content},
        "responses": refused | answers,
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": REFERENCE.format(name=name)}
