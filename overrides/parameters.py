"""Parameters as memory holds them."""

import uuid
from collections.abc import Mapping

from overrides.standing import ParameterState


def read_parameters() -> Mapping[tuple[uuid.UUID, str], tuple[ParameterState, ...]]:
    """Every value in force, by AI system and environment."""
    return {}
