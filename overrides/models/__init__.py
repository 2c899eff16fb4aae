from overrides.models.clock import ControlClock
from overrides.models.parameters import Parameter, ParameterVersion

__all__ = ["ControlClock", "Parameter", "ParameterVersion"]
