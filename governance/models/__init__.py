"""The register: what decides, which version of it, who answers for it, and which services may speak."""

from governance.models.accounts import KeyAct, ServiceAccount, ServiceKey
from governance.models.changes import RegisterChange
from governance.models.factors import Passkey, RecoveryCode, TotpFactor
from governance.models.fail_policies import FailPolicyRequest
from governance.models.people import Assignment, Person, SetupLink
from governance.models.sign_ins import CredentialChange, SignInThrottle, StaffSession
from governance.models.systems import AISystem, Environment
from governance.models.tokens import PersonToken
from governance.models.versions import ModelVersion

__all__ = [
    "AISystem",
    "Assignment",
    "CredentialChange",
    "Environment",
    "FailPolicyRequest",
    "KeyAct",
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
    "TotpFactor",
]
