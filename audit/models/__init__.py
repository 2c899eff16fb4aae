"""The record."""

from audit.models.decisions import Decision, Payload
from audit.models.tallies import DecisionTally

__all__ = ["Decision", "DecisionTally", "Payload"]
