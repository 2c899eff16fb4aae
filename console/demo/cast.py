"""Who and what the demonstration consists of. People are named for their role; addresses are at example.org."""

from dataclasses import dataclass
from typing import Any

import orjson

from governance.acts import Role
from governance.models import AISystem, Assignment
from governance.services.configurations import digest_of

DOMAIN = "example.org"


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody on the demonstration's staff."""

    name: str
    mailbox: str
    everywhere: tuple[Assignment.Role, ...] = ()
    """Roles in the whole organisation."""
    on_each_system: tuple[Assignment.Role, ...] = ()
    may: str = ""
    """What one signs in as them for."""

    @property
    def email(self) -> str:
        return f"{self.mailbox}@{DOMAIN}"


@dataclass(frozen=True, slots=True)
class System:
    """One AI system of the demonstration, ready to go live."""

    slug: str
    name: str
    accountable: str
    described: dict[str, Any]
    versions: tuple[dict[str, Any], ...]


ADMINISTRATOR = Member(
    "Demo Administrator",
    "demo",
    on_each_system=(Role.DEPUTY, Role.OPERATOR, Role.REVIEWER),
    everywhere=(Role.VIEWER,),
    may="a bit of everything: administrator, deputy, operator, reviewer",
)
SECOND_ADMINISTRATOR = Member(
    "Demo Second Administrator", "demo-second-administrator", may="administrator alone: people and keys, no decisions"
)
STAFF = (
    Member("Demo Head of Consumer Credit", "demo-head-of-credit", may="accountable for credit-limits"),
    Member("Demo Head of Recruiting", "demo-head-of-recruiting", may="accountable for cv-triage"),
    Member("Demo Head of Support", "demo-head-of-support", may="accountable for support-drafts"),
    Member(
        "Demo Deputy",
        "demo-deputy",
        on_each_system=(Role.DEPUTY,),
        may="deputy of all three: stops, overrides, reads payloads",
    ),
    Member(
        "Demo Machine Learning Engineer",
        "demo-engineer",
        on_each_system=(Role.TECHNICAL_OWNER,),
        may="technical owner: versions, quarantine",
    ),
    Member("Demo Operator", "demo-operator", on_each_system=(Role.OPERATOR,), may="stops, and asks to resume"),
    Member("Demo Change Approver", "demo-approver", everywhere=(Role.APPROVER,), may="approves what others loosen"),
    Member("Demo Case Reviewer", "demo-reviewer", on_each_system=(Role.REVIEWER,), may="decides what was held"),
    Member(
        "Demo Second Reviewer",
        "demo-second-reviewer",
        on_each_system=(Role.REVIEWER,),
        may="the second pair of eyes, and appeals",
    ),
    Member(
        "Demo Busy Colleague",
        "demo-colleague",
        on_each_system=(Role.REVIEWER,),
        may="simulated: decides what has waited for 8 minutes",
    ),
    Member("Demo Investigator", "demo-investigator", everywhere=(Role.INVESTIGATOR,), may="cases, holds"),
    Member("Demo Internal Auditor", "demo-auditor", everywhere=(Role.AUDITOR,), may="sees the record, exports it"),
    Member("Demo Data Protection Officer", "demo-dpo", everywhere=(Role.DPO,), may="payloads, erasure"),
    Member("Demo Viewer", "demo-viewer", everywhere=(Role.VIEWER,), may="sees decisions without payloads"),
    Member("Demo Stranger", "demo-stranger", may="no role: what refusals look like"),
)
EVERYBODY = (ADMINISTRATOR, SECOND_ADMINISTRATOR, *STAFF)
ENGINEER, OPERATOR, DEPUTY = "demo-engineer", "demo-operator", "demo-deputy"
INVESTIGATOR = "demo-investigator"
OFFICER = "demo-dpo"
REVIEWERS = ("demo-reviewer", "demo-second-reviewer")
COLLEAGUE = "demo-colleague"

SYSTEMS = (
    System(
        slug="credit-limits",
        name="Credit limit decisions",
        accountable="demo-head-of-credit",
        described={
            "intended_purpose": "Decides applications of existing customers for a higher credit card limit, up to "
            "10,000. Not for new customers, businesses or mortgages.",
            "provider": "In-house",
            "risk_class": AISystem.RiskClass.HIGH,
            "safe_state": "Applications wait in the branch queue; current limits stay as they are.",
            "shutdown_steps": "1. Stop the switch. 2. Check that the card platform confirms. 3. Open the branch queue.",
            "shutdown_contacts": "Credit duty desk, card platform on-call, customer information desk.",
            "max_staleness_s": 60,
            "safe_mode": AISystem.SafeMode.STOP,
            "fallback_kind": AISystem.FallbackKind.PROCESS,
            "fallback": "branch-queue",
        },
        versions=(
            {
                "version": "limits-gbm-4.1",
                "model_digest": "sha256:26436fff4d367274633cf911f605a6a7351c979f27f4626651a66b1fd81509cd",
                "name": "Gradient boosting, 4.1",
                "provider": "In-house",
                "configuration": {"threshold": 0.5, "max_limit": 10000, "features": 6},
                "notes": "Trained on applications of the last three years.",
            },
            {
                "version": "limits-gbm-4.2",
                "model_digest": "sha256:51fc30e16c0d8fef6cda793375a7edcff6fee8b00398e3358a4adca9a0b6b27e",
                "name": "Gradient boosting, 4.2",
                "provider": "In-house",
                "configuration": {"threshold": 0.52, "max_limit": 10000, "features": 6},
                "notes": "As 4.1, with the newest quarter.",
            },
        ),
    ),
    System(
        slug="cv-triage",
        name="CV screening triage",
        accountable="demo-head-of-recruiting",
        described={
            "intended_purpose": "Sorts incoming applications into shortlist, recruiter review and decline proposals. A "
            "recruiter confirms every decline.",
            "provider": "In-house, on a licensed language model",
            "risk_class": AISystem.RiskClass.HIGH,
            "safe_state": "All applications go to recruiters in order of arrival.",
            "shutdown_steps": "1. Stop the switch. 2. Turn proposals off in the applicant tracker. 3. Tell team leads.",
            "shutdown_contacts": "Recruiting operations, works council liaison.",
        },
        versions=(
            {
                "version": "triage-2026.10",
                "model_digest": "sha256:df1ada2c86a27d12ccd493a54e91cfad8fb187543cf862293f93e1b7784de81b",
                "name": "Triage, October",
                "provider": "In-house",
                "base_model": "reading-small-2",
                "configuration": {"shortlist_from": 0.7, "decline_below": 0.25},
            },
        ),
    ),
    System(
        slug="support-drafts",
        name="Support answer drafting",
        accountable="demo-head-of-support",
        described={
            "intended_purpose": "Drafts answers to customers' questions from the help pages; an agent sends them.",
            "provider": "Hosted language model",
            "risk_class": AISystem.RiskClass.LIMITED,
            "safe_state": "Agents write answers themselves.",
            "shutdown_steps": "1. Stop the switch. 2. The help desk hides the draft panel within a minute.",
            "shutdown_contacts": "Support shift lead.",
        },
        versions=(
            {
                "version": "drafts-7",
                "name": "Drafting pipeline 7",
                "provider": "Hosted",
                "base_model": "drafting-large-3",
                "configuration": {"temperature": 0.2, "retrieved_pages": 4, "prompt": "drafts-7.3"},
            },
        ),
    ),
)


def written(configuration: dict[str, Any]) -> bytes:
    """A configuration as its file stands: the bytes that a digest is of."""
    return orjson.dumps(configuration, option=orjson.OPT_INDENT_2)


WHAT_RUNS: dict[str, dict[str, str]] = {
    each["version"]: {
        "model_version": each["version"],
        "config_digest": digest_of(written(each["configuration"])),
        **({"model_digest": each["model_digest"]} if "model_digest" in each else {}),
    }
    for system in SYSTEMS
    for each in system.versions
}
"""What a service says of the model in its records, by version."""
