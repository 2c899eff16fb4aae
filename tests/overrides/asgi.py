"""The control process with parameters that a test chose, whatever the database says: TEST_PARAMETERS, as JSON."""

import json
import os
import uuid
from collections.abc import Mapping

from config.asgi import application
from overrides import reading
from overrides.standing import ParameterState
from tests.overrides.controls import parameter

Parameters = Mapping[tuple[uuid.UUID, str], tuple[ParameterState, ...]]


def chosen() -> Parameters:
    found: dict[tuple[uuid.UUID, str], tuple[ParameterState, ...]] = {}
    for system_id, name, kind, value in json.loads(os.environ["TEST_PARAMETERS"]):
        place = (uuid.UUID(system_id), "production")
        found[place] = (*found.get(place, ()), parameter(name, value, kind))
    return found


vars(reading)["read_parameters"] = chosen

__all__ = ["application"]
