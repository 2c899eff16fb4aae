"""What intake can find remarkable about a decision that it records all the same."""

import enum


class Flag(enum.StrEnum):
    """The names stand in entries for ever: never renamed, never reused."""

    NO_ACCOUNTABLE = "no_accountable"
    UNACCEPTED_ACCOUNTABLE = "unaccepted_accountable"
    NOT_LIVE = "not_live"
    UNKNOWN_ENVIRONMENT = "unknown_environment"
    UNVERIFIED_MODEL_VERSION = "unverified_model_version"
    UNAPPROVED_MODEL_VERSION = "unapproved_model_version"
    """A live AI system ran a version that nobody had approved."""
    RETIRED_MODEL_VERSION = "retired_model_version"
    UNREGISTERED_MODEL_VERSION = "unregistered_model_version"
    UNREGISTERED_SOURCE = "unregistered_source"
    LATE_OVER_24H = "late_over_24h"
    CLOCK_AHEAD = "clock_ahead"
    OUTSIDE_SCOPE = "outside_scope"
    """Its input is outside what the system card in force declares."""
    REPLAYED = "replayed"
    BREACH = "breach"
    """It took effect against a switch that its caller knew of, or must have known of."""
    LATE = "late"
    """It took effect against a switch, and its caller need not have known: it came before, or arrived late."""
