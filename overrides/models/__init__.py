from overrides.models.clock import ControlClock

__all__ = ["ControlClock"]
