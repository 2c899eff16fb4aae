"""The register: what decides, which version of it, who answers for it, and which services may speak."""

from governance.models.accounts import KeyAct, ServiceAccount, ServiceKey
from governance.models.cards import CardSave, SystemCard
from governance.models.changes import RegisterChange
from governance.models.configurations import ConfigurationSnapshot
from governance.models.data_sources import DataDependency, DataSource
from governance.models.factors import Passkey, RecoveryCode, TotpFactor
from governance.models.fail_policies import FailPolicyRequest
from governance.models.incidents import UninformedIncident
from governance.models.letter_templates import LetterTemplate
from governance.models.people import AccountabilityGap, AccountabilityNote, Assignment, Person, SetupLink
from governance.models.sign_ins import CredentialChange, ExternalIdentity, SignInThrottle, StaffSession
from governance.models.systems import AISystem, Environment
from governance.models.tokens import PersonToken
from governance.models.versions import ModelVersion, VersionPromotion

__all__ = [
    "AISystem",
    "AccountabilityGap",
    "AccountabilityNote",
    "Assignment",
    "CardSave",
    "ConfigurationSnapshot",
    "CredentialChange",
    "DataDependency",
    "DataSource",
    "Environment",
    "ExternalIdentity",
    "FailPolicyRequest",
    "KeyAct",
    "LetterTemplate",
    "ModelVersion",
    "Passkey",
    "Person",
    "PersonToken",
    "RecoveryCode",
    "RegisterChange",
    "ServiceAccount",
    "ServiceKey",
    "SetupLink",
    "SignInThrottle",
    "StaffSession",
    "SystemCard",
    "TotpFactor",
    "UninformedIncident",
    "VersionPromotion",
]
