"""The record, and the investigations into it."""

from audit.models.attachments import CaseAttachment, CaseDecision, CaseDetachment, CaseTally
from audit.models.cases import Case, CaseNote, CorrectiveAction, Finding, RootCause, Severity
from audit.models.decisions import Decision, Payload
from audit.models.erasures import (
    ErasureConsent,
    ErasureFind,
    ErasureRequest,
    ErasureScan,
    ErasureStep,
    ErasureTarget,
    ErasureWarrant,
    Restriction,
    TextRestriction,
)
from audit.models.grants import PayloadGrant
from audit.models.holds import LegalHold
from audit.models.incidents import (
    CausalLink,
    Clock,
    Incident,
    IncidentExtension,
    IncidentNotice,
    IncidentReport,
    IncidentSignOff,
    Limb,
    Use,
)
from audit.models.retention import DataKind, Purge, RetentionClass, RetentionRule
from audit.models.searches import SavedFilter, SearchHit, SearchRun
from audit.models.tallies import CardTally, DecisionTally

__all__ = [
    "CardTally",
    "Case",
    "CaseAttachment",
    "CaseDecision",
    "CaseDetachment",
    "CaseNote",
    "CaseTally",
    "CausalLink",
    "Clock",
    "CorrectiveAction",
    "DataKind",
    "Decision",
    "DecisionTally",
    "ErasureConsent",
    "ErasureFind",
    "ErasureRequest",
    "ErasureScan",
    "ErasureStep",
    "ErasureTarget",
    "ErasureWarrant",
    "Finding",
    "Incident",
    "IncidentExtension",
    "IncidentNotice",
    "IncidentReport",
    "IncidentSignOff",
    "LegalHold",
    "Limb",
    "Payload",
    "PayloadGrant",
    "Purge",
    "Restriction",
    "RetentionClass",
    "RetentionRule",
    "RootCause",
    "SavedFilter",
    "SearchHit",
    "SearchRun",
    "Severity",
    "TextRestriction",
    "Use",
]
