"""The table of acts: who asks, and who approves. Every act stands here from the start; it counts once it is built."""

import enum
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from governance.models import Assignment, ServiceKey

Role = Assignment.Role
KeyScope = ServiceKey.Scope


class Act(enum.StrEnum):
    # control
    SWITCH_TIGHTEN = "switch.tighten"
    SWITCH_LOOSEN = "switch.loosen"
    SWITCH_EMERGENCY_CLEAR = "switch.emergency_clear"
    FAIL_POLICY_LOOSEN = "fail_policy.loosen"
    DRILL_PLAN = "drill.plan"
    DRILL_RUN_LIVE = "drill.run_live"
    PARAMETER_DEFINE = "parameter.define"
    PARAMETER_LOOSEN = "parameter.loosen"
    PARAMETER_TIGHTEN = "parameter.tighten"
    CARD_EDIT = "card.edit"
    CARD_PUBLISH = "card.publish"
    LETTER_TEMPLATE_EDIT = "letter_template.edit"
    LETTER_TEMPLATE_PUBLISH = "letter_template.publish"
    VERSION_PROMOTE = "version.promote"
    VERSION_RELEASE = "version.release"
    DATA_SOURCE_MANAGE = "data_source.manage"
    DATA_SOURCE_CHANGE = "data_source.change"
    # human decisions
    DECISION_OVERRIDE = "decision.override"
    DECISION_CONFIRM = "decision.confirm"
    APPEAL_DECIDE = "appeal.decide"
    APPEAL_OPEN = "appeal.open"
    LETTER_ISSUE = "letter.issue"
    OVERRIDE_REPORT = "override.report"
    EFFECT_CONFIRM = "effect.confirm"
    EXECUTION_CLAIM = "execution.claim"
    OUTCOME_REPORT = "outcome.report"
    REVIEW_QUEUE_MANAGE = "review_queue.manage"
    REVIEW_QUEUE_LOOSEN = "review_queue.loosen"
    REVIEW_RULE_TIGHTEN = "review_rule.tighten"
    REVIEW_RULE_LOOSEN = "review_rule.loosen"
    OVERSIGHT_VIEW = "oversight.view"
    # investigation
    CASE_OPEN = "case.open"
    CASE_VIEW = "case.view"
    CASE_READ = "case.read"
    CASE_WORK = "case.work"
    CASE_LEAD = "case.lead"
    CASE_LEAD_ASSIGN = "case.lead_assign"
    HOLD_PLACE = "hold.place"
    # evidence
    EXPORT_PLAIN = "export.plain"
    EXPORT_PAYLOADS = "export.payloads"
    PAYLOADS_GRANT = "payloads.grant"
    ERASE = "erase"
    PERSON_ERASE = "person.erase"
    RESTRICTED_READ = "restricted.read"
    RETENTION_CHANGE = "retention.change"
    RETENTION_VIEW = "retention.view"
    HOLD_LIFT = "hold.lift"
    QUARANTINE_DISMISS = "quarantine.dismiss"
    QUARANTINE_REPLAY = "quarantine.replay"
    LOG_CLOSE = "log.close"
    HEAD_ADOPT = "head.adopt"
    SIGNING_KEY_ROTATE = "signing_key.rotate"
    # people and the register
    PRIVILEGED_ROLE_ASSIGN = "privileged_role.assign"
    ROLE_ASSIGN = "role.assign"
    PEOPLE_MANAGE = "people.manage"
    ACCOUNTS_MANAGE = "accounts.manage"
    SETTINGS_MANAGE = "settings.manage"
    SYSTEM_REGISTER = "system.register"
    SYSTEM_EDIT = "system.edit"
    SYSTEM_GO_LIVE = "system.go_live"
    SYSTEM_RETIRE = "system.retire"
    ENVIRONMENT_REGISTER = "environment.register"
    VERSION_REGISTER = "version.register"
    VERSION_REGISTER_UNVERIFIED = "version.register_unverified"
    ALERT_VIEW = "alert.view"
    ALERT_HANDLE = "alert.handle"
    WEBHOOK_MANAGE = "webhook.manage"
    # looking
    SYSTEM_VIEW = "system.view"
    DECISION_VIEW = "decision.view"
    DECISION_SEARCH = "decision.search"
    PAYLOAD_READ = "payload.read"
    PEOPLE_VIEW = "people.view"
    LEDGER_VIEW = "ledger.view"
    QUARANTINE_VIEW = "quarantine.view"


class Condition(enum.StrEnum):
    """What the floor that knows about it must have found before a role counts for an act."""

    CLAIMED_ITEM = "claimed_item"
    OWN_CASE = "own_case"
    DATED_GRANT = "dated_grant"
    NO_PART_IN_IT = "no_part_in_it"
    SECOND_REVIEW_ASKED = "second_review_asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row of the table. `only_if` lists roles that count under a condition alone: one of these must hold."""

    asks: frozenset[Assignment.Role]
    approves: frozenset[Assignment.Role] = frozenset()
    only_if: Mapping[Assignment.Role, frozenset[Condition]] = field(default_factory=dict)
    approves_if: Condition | None = None
    by_key: frozenset[str] = frozenset()
    """A service account may, with a key of one of these scopes. Never an act that needs a signed-in person."""
    by_command: bool = False
    """Somebody at the host's command line may; the entry says so."""
    nobody_by_default: bool = False
    """That nobody can do it is how an installation begins, and no gap."""
    is_built: bool = True

    @property
    def needs_approval(self) -> bool:
        return bool(self.approves) and self.approves_if is None


def _rule(
    *asks: Assignment.Role,
    approves: tuple[Assignment.Role, ...] = (),
    approves_if: Condition | None = None,
    only_if: Mapping[Assignment.Role, Condition | frozenset[Condition]] | None = None,
    by_key: tuple[str, ...] = (),
    by_command: bool = False,
    nobody_by_default: bool = False,
    is_built: bool = True,
) -> Rule:
    return Rule(
        asks=frozenset(asks),
        approves=frozenset(approves),
        approves_if=approves_if,
        only_if={role: frozenset({on}) if isinstance(on, Condition) else on for role, on in (only_if or {}).items()},
        by_key=frozenset(by_key),
        by_command=by_command,
        nobody_by_default=nobody_by_default,
        is_built=is_built,
    )


def role_names(roles: Collection[Assignment.Role]) -> str:
    """Roles in words, in the order of the list of roles."""
    return ", ".join(str(role.label) for role in Role if role in roles)


PRIVILEGED = frozenset(
    {Role.ADMINISTRATOR, Role.APPROVER, Role.EMERGENCY_OPERATOR, Role.DPO, Role.AUDITOR, Role.INVESTIGATOR}
)
"""Roles that a second administrator must agree to."""
NEEDS_SECOND_FACTOR = PRIVILEGED | {Role.ACCOUNTABLE, Role.OPERATOR}
"""Roles whose holders sign in with a second factor."""
OWNERS = (Role.ACCOUNTABLE, Role.DEPUTY)
EVERY_ROLE = tuple(Role)
SEE_DECISIONS = tuple(role for role in Role if role is not Role.ADMINISTRATOR)

_human = _rule(
    Role.REVIEWER,
    *OWNERS,
    only_if={Role.REVIEWER: Condition.CLAIMED_ITEM},
    approves=(Role.REVIEWER,),
    approves_if=Condition.SECOND_REVIEW_ASKED,
)
_custody = _rule(Role.ADMINISTRATOR, approves=(Role.ADMINISTRATOR,))
_loosen = _rule(Role.OPERATOR, approves=(Role.APPROVER,))
_tighten = _rule(Role.OPERATOR, *OWNERS, by_key=(KeyScope.CONTROL_TIGHTEN,), by_command=True)
_alerted = (
    Role.ADMINISTRATOR,
    Role.TECHNICAL_OWNER,
    Role.OPERATOR,
    Role.APPROVER,
    Role.EMERGENCY_OPERATOR,
    *OWNERS,
)
_publish = _rule(Role.TECHNICAL_OWNER, approves=(Role.ACCOUNTABLE,))
_payloads = _rule(Role.AUDITOR, Role.INVESTIGATOR, approves=(Role.DPO,))

RULES: dict[Act, Rule] = {
    Act.SWITCH_TIGHTEN: _tighten,
    Act.PARAMETER_TIGHTEN: _tighten,
    Act.SWITCH_LOOSEN: _loosen,
    Act.SWITCH_EMERGENCY_CLEAR: _rule(Role.EMERGENCY_OPERATOR, nobody_by_default=True),
    Act.PARAMETER_LOOSEN: _loosen,
    Act.FAIL_POLICY_LOOSEN: _rule(Role.TECHNICAL_OWNER, Role.ACCOUNTABLE, approves=(Role.APPROVER,)),
    Act.DRILL_PLAN: _rule(Role.OPERATOR, Role.TECHNICAL_OWNER, *OWNERS),
    Act.DRILL_RUN_LIVE: _loosen,
    Act.PARAMETER_DEFINE: _rule(Role.TECHNICAL_OWNER, Role.ACCOUNTABLE),
    Act.CARD_EDIT: _rule(Role.TECHNICAL_OWNER, *OWNERS),
    Act.CARD_PUBLISH: _publish,
    Act.LETTER_TEMPLATE_EDIT: _rule(Role.TECHNICAL_OWNER, *OWNERS),
    Act.LETTER_TEMPLATE_PUBLISH: _rule(Role.TECHNICAL_OWNER, *OWNERS, approves=(Role.ACCOUNTABLE, Role.DPO)),
    Act.VERSION_PROMOTE: _publish,
    Act.VERSION_RELEASE: _rule(Role.TECHNICAL_OWNER, Role.ACCOUNTABLE),
    Act.DATA_SOURCE_MANAGE: _rule(
        Role.ADMINISTRATOR,
        Role.TECHNICAL_OWNER,
        Role.ACCOUNTABLE,
        by_key=(KeyScope.REGISTER_WRITE,),
        by_command=True,
    ),
    Act.DATA_SOURCE_CHANGE: _rule(Role.ADMINISTRATOR, by_command=True),
    Act.DECISION_OVERRIDE: _human,
    Act.DECISION_CONFIRM: _human,
    Act.APPEAL_DECIDE: _rule(Role.REVIEWER, only_if={Role.REVIEWER: Condition.NO_PART_IN_IT}),
    Act.APPEAL_OPEN: _rule(*SEE_DECISIONS, by_key=(KeyScope.FEEDBACK_WRITE,)),
    Act.LETTER_ISSUE: _rule(*OWNERS, Role.DPO, Role.INVESTIGATOR, only_if={Role.INVESTIGATOR: Condition.OWN_CASE}),
    Act.OVERRIDE_REPORT: _rule(by_key=(KeyScope.FEEDBACK_WRITE,)),
    Act.EFFECT_CONFIRM: _rule(by_key=(KeyScope.DECISIONS_WRITE,)),
    Act.EXECUTION_CLAIM: _rule(by_key=(KeyScope.DECISIONS_WRITE,)),
    Act.OUTCOME_REPORT: _rule(Role.REVIEWER, Role.TECHNICAL_OWNER, *OWNERS, by_key=(KeyScope.FEEDBACK_WRITE,)),
    Act.REVIEW_QUEUE_MANAGE: _rule(Role.ADMINISTRATOR, *OWNERS),
    Act.REVIEW_QUEUE_LOOSEN: _rule(Role.ADMINISTRATOR, *OWNERS, approves=(Role.APPROVER,)),
    Act.REVIEW_RULE_TIGHTEN: _rule(Role.OPERATOR, *OWNERS),
    Act.REVIEW_RULE_LOOSEN: _rule(Role.OPERATOR, *OWNERS, approves=(Role.APPROVER,)),
    Act.OVERSIGHT_VIEW: _rule(*OWNERS, Role.AUDITOR, Role.INVESTIGATOR, Role.DPO),
    Act.CASE_OPEN: _rule(Role.INVESTIGATOR, *OWNERS),
    Act.CASE_VIEW: _rule(Role.INVESTIGATOR, *OWNERS, Role.AUDITOR, Role.DPO),
    Act.CASE_READ: _rule(Role.INVESTIGATOR, Role.AUDITOR, Role.DPO, only_if={Role.INVESTIGATOR: Condition.OWN_CASE}),
    Act.CASE_WORK: _rule(Role.INVESTIGATOR, only_if={Role.INVESTIGATOR: Condition.OWN_CASE}),
    Act.CASE_LEAD: _rule(
        Role.INVESTIGATOR,
        only_if={Role.INVESTIGATOR: Condition.NO_PART_IN_IT},
        approves=(Role.INVESTIGATOR, Role.DPO),
    ),
    Act.CASE_LEAD_ASSIGN: _rule(Role.INVESTIGATOR, Role.DPO),
    Act.HOLD_PLACE: _rule(Role.INVESTIGATOR, Role.DPO),
    Act.EXPORT_PLAIN: _rule(
        Role.AUDITOR,
        Role.ACCOUNTABLE,
        Role.INVESTIGATOR,
        only_if={Role.INVESTIGATOR: Condition.OWN_CASE},
    ),
    Act.EXPORT_PAYLOADS: _payloads,
    Act.PAYLOADS_GRANT: _payloads,
    Act.ERASE: _rule(Role.DPO, approves=(Role.ACCOUNTABLE,)),
    Act.PERSON_ERASE: _rule(Role.DPO, approves=(Role.ADMINISTRATOR,)),
    Act.RESTRICTED_READ: _rule(Role.DPO),
    Act.RETENTION_CHANGE: _rule(Role.DPO, approves=(Role.ACCOUNTABLE,)),
    Act.RETENTION_VIEW: _rule(*OWNERS, Role.DPO, Role.AUDITOR, Role.INVESTIGATOR, Role.TECHNICAL_OWNER),
    Act.HOLD_LIFT: _rule(Role.INVESTIGATOR, approves=(Role.DPO,)),
    Act.QUARANTINE_DISMISS: _rule(Role.TECHNICAL_OWNER, approves=(Role.ACCOUNTABLE,)),
    Act.QUARANTINE_REPLAY: _rule(Role.TECHNICAL_OWNER, *OWNERS),
    Act.LOG_CLOSE: _custody,
    Act.HEAD_ADOPT: _custody,
    Act.SIGNING_KEY_ROTATE: _custody,
    Act.PRIVILEGED_ROLE_ASSIGN: _rule(Role.ADMINISTRATOR, approves=(Role.ADMINISTRATOR,), by_command=True),
    Act.ROLE_ASSIGN: _rule(Role.ADMINISTRATOR, Role.ACCOUNTABLE, by_command=True),
    Act.PEOPLE_MANAGE: _rule(Role.ADMINISTRATOR, by_command=True),
    Act.ACCOUNTS_MANAGE: _rule(Role.ADMINISTRATOR, by_command=True),
    Act.SETTINGS_MANAGE: _rule(Role.ADMINISTRATOR, by_command=True),
    Act.SYSTEM_REGISTER: _rule(Role.ADMINISTRATOR, by_key=(KeyScope.REGISTER_WRITE,), by_command=True),
    Act.SYSTEM_EDIT: _rule(Role.ADMINISTRATOR, Role.ACCOUNTABLE, Role.TECHNICAL_OWNER, by_command=True),
    Act.SYSTEM_GO_LIVE: _rule(Role.ACCOUNTABLE),
    Act.SYSTEM_RETIRE: _rule(Role.ACCOUNTABLE),
    Act.ENVIRONMENT_REGISTER: _rule(
        Role.ADMINISTRATOR, Role.TECHNICAL_OWNER, by_key=(KeyScope.REGISTER_WRITE,), by_command=True
    ),
    Act.VERSION_REGISTER: _rule(
        Role.ADMINISTRATOR, Role.TECHNICAL_OWNER, by_key=(KeyScope.REGISTER_WRITE,), by_command=True
    ),
    Act.VERSION_REGISTER_UNVERIFIED: _rule(by_key=(KeyScope.DECISIONS_WRITE,)),
    Act.WEBHOOK_MANAGE: _rule(Role.ADMINISTRATOR, Role.TECHNICAL_OWNER),
    Act.ALERT_VIEW: _rule(*_alerted, Role.INVESTIGATOR),
    Act.ALERT_HANDLE: _rule(*_alerted),
    Act.SYSTEM_VIEW: _rule(*EVERY_ROLE),
    Act.DECISION_VIEW: _rule(*SEE_DECISIONS, by_key=(KeyScope.DECISIONS_READ,)),
    Act.DECISION_SEARCH: _rule(*OWNERS, Role.DPO, Role.INVESTIGATOR, Role.AUDITOR, by_key=(KeyScope.PAYLOADS_READ,)),
    Act.PAYLOAD_READ: _rule(
        *OWNERS,
        Role.DPO,
        Role.REVIEWER,
        Role.INVESTIGATOR,
        Role.AUDITOR,
        only_if={
            Role.REVIEWER: Condition.CLAIMED_ITEM,
            Role.INVESTIGATOR: frozenset({Condition.OWN_CASE, Condition.DATED_GRANT}),
            Role.AUDITOR: Condition.DATED_GRANT,
        },
        by_key=(KeyScope.PAYLOADS_READ,),
    ),
    Act.PEOPLE_VIEW: _rule(*EVERY_ROLE),
    Act.LEDGER_VIEW: _rule(*EVERY_ROLE),
    Act.QUARANTINE_VIEW: _rule(Role.TECHNICAL_OWNER, *OWNERS, Role.DPO),
}
LOOKS = frozenset(
    {
        *(Act.PAYLOAD_READ, Act.RESTRICTED_READ, Act.DECISION_SEARCH, Act.CASE_READ),
        *(act for act in Act if act.endswith(".view")),
    }
)
"""They change nothing, so nothing waits for somebody who may."""
OF_THE_ORGANISATION = frozenset(
    {
        Act.LOG_CLOSE,
        Act.HEAD_ADOPT,
        Act.SIGNING_KEY_ROTATE,
        Act.PRIVILEGED_ROLE_ASSIGN,
        Act.ROLE_ASSIGN,
        Act.PEOPLE_MANAGE,
        Act.ACCOUNTS_MANAGE,
        Act.SETTINGS_MANAGE,
        Act.SYSTEM_REGISTER,
    }
)
"""They are needed before there is any AI system."""
