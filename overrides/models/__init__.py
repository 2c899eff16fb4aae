from overrides.models.clock import ControlClock
from overrides.models.unknown_flags import UnknownFlag

__all__ = ["ControlClock", "UnknownFlag"]
