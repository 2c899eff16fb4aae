"""The API describes itself: every endpoint, with its problems, valid OpenAPI 3.1."""

from typing import Any

import pytest
from django.test import Client
from drf_spectacular.validation import validate_schema


@pytest.fixture
def schema(client: Client) -> Any:
    return client.get("/api/schema").json()


def test_the_description_is_valid_openapi_3_1(schema: Any) -> None:
    assert schema["openapi"] == "3.1.0"
    validate_schema(schema)  # type: ignore[no-untyped-call]


def test_the_decision_endpoints_describe_the_record_field_by_field(schema: Any) -> None:
    record = schema["components"]["schemas"]["DecisionRecord"]
    assert sorted(record["required"]) == ["input", "model_version", "occurred_at", "outcome", "output", "system"]
    assert record["properties"]["input"].keys() == {"description"}
    assert {"201", "200", "409", "422", "503"} <= schema["paths"]["/api/v1/decisions"]["post"]["responses"].keys()


def test_every_operation_names_its_problems(schema: Any) -> None:
    operations = [operation for path in schema["paths"].values() for operation in path.values()]
    assert len(operations) >= 8
    for operation in operations:
        refused = operation["responses"]["401"]["content"]
        assert refused.keys() == {"application/problem+json"}, operation["operationId"]
