"""The admin's sidebar: to each person what their roles have to do with. It curates; the pages themselves decide rights.

An entry names the view it leads to; it is shown once the floor that has the page is there.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from config.origins import beside
from governance.acts import Act
from governance.models import Person
from governance.rights import Held, held_by

EVERYBODY: tuple[Act, ...] = ()
LOOKS_ON = (Act.OVERSIGHT_VIEW,)
PARAMETERS = (Act.PARAMETER_DEFINE, Act.PARAMETER_TIGHTEN, Act.PARAMETER_LOOSEN, *LOOKS_ON)
RULE_CHANGES = (Act.REVIEW_RULE_TIGHTEN, Act.REVIEW_RULE_LOOSEN, *LOOKS_ON)
QUEUES = (Act.REVIEW_QUEUE_MANAGE, Act.REVIEW_QUEUE_LOOSEN, *LOOKS_ON)
REVIEWS = (Act.DECISION_OVERRIDE, *LOOKS_ON)
DATA = (Act.DATA_SOURCE_MANAGE, Act.VERSION_PROMOTE, *LOOKS_ON)
PEOPLE = (Act.PEOPLE_MANAGE, Act.ROLE_ASSIGN, Act.PRIVILEGED_ROLE_ASSIGN, *LOOKS_ON)
QUARANTINE = (Act.QUARANTINE_VIEW, Act.QUARANTINE_DISMISS)


@dataclass(frozen=True, slots=True)
class Entry:
    title: str
    icon: str
    view: str
    acts: tuple[Act, ...] = EVERYBODY
    """It is of use to who asks for one of these, or agrees to it."""
    in_control: bool = False
    """Served by the control process, which no flood of decisions slows."""


GROUPS: list[tuple[str, list[Entry]]] = [
    (
        "",
        [
            Entry("Overview", "space_dashboard", "admin:index"),
            Entry("My work", "assignment_turned_in", "admin:mine"),
            Entry("Reviews", "inbox", "admin:reviews", REVIEWS),
            Entry("Switchboard", "power_settings_new", "admin:switchboard", (Act.SYSTEM_VIEW,), in_control=True),
        ],
    ),
    (
        "Control",
        [
            Entry("Parameters", "tune", "admin:overrides_parameter_changelist", PARAMETERS),
            Entry(
                "Parameter changes", "published_with_changes", "admin:overrides_parameterversion_changelist", PARAMETERS
            ),
            Entry(
                "Fail policy requests",
                "safety_check",
                "admin:governance_failpolicyrequest_changelist",
                (Act.FAIL_POLICY_LOOSEN, *LOOKS_ON),
            ),
            Entry(
                "Drills",
                "fire_extinguisher",
                "admin:overrides_drill_changelist",
                (Act.DRILL_PLAN, Act.DRILL_RUN_LIVE, *LOOKS_ON),
            ),
        ],
    ),
    (
        "Human review",
        [
            Entry("Review rules", "rule", "admin:overrides_reviewrule_changelist", RULE_CHANGES),
            Entry("Rule changes", "published_with_changes", "admin:overrides_rulechange_changelist", RULE_CHANGES),
            Entry("Review queues", "view_list", "admin:overrides_reviewqueue_changelist", QUEUES),
            Entry("Reviewers' skills", "school", "admin:overrides_reviewerskill_changelist", QUEUES),
            Entry("Appeals", "gavel", "admin:appeals", (Act.APPEAL_DECIDE, *REVIEWS)),
        ],
    ),
    (
        "Record",
        [
            Entry("AI systems", "neurology", "admin:governance_aisystem_changelist", (Act.SYSTEM_VIEW,)),
            Entry("Model versions", "deployed_code", "admin:governance_modelversion_changelist", (Act.SYSTEM_VIEW,)),
            Entry("Data sources", "database", "admin:governance_datasource_changelist", DATA),
            Entry("Decisions", "fact_check", "admin:decisions", (Act.DECISION_VIEW,)),
            Entry("Cases", "folder_open", "admin:cases", (Act.CASE_VIEW,)),
            Entry("Legal holds", "lock_clock", "admin:holds", (Act.HOLD_PLACE, Act.HOLD_LIFT, Act.CASE_READ)),
            Entry("Erasures", "delete_forever", "admin:erasures", (Act.ERASE, Act.PERSON_ERASE)),
            Entry("Retention", "hourglass_bottom", "admin:retention", (Act.RETENTION_VIEW,)),
            Entry("Payload grants", "lock_open", "admin:audit_payloadgrant_changelist", (Act.PAYLOADS_GRANT,)),
            Entry(
                "Alerts",
                "notifications",
                "admin:notices_alert_changelist",
                (Act.ALERT_VIEW, Act.CASE_OPEN, *LOOKS_ON),
            ),
            Entry("Exports", "inventory_2", "admin:exports", (Act.EXPORT_PLAIN, Act.EXPORT_PAYLOADS)),
        ],
    ),
    (
        "Responsibility",
        [
            Entry("Accountability", "assignment_ind", "admin:accountability", (Act.SYSTEM_VIEW,)),
            Entry("Assignments", "handshake", "admin:governance_assignment_changelist", PEOPLE),
            Entry("People", "group", "admin:governance_person_changelist", PEOPLE),
            Entry("Service accounts", "robot_2", "admin:governance_serviceaccount_changelist", (Act.ACCOUNTS_MANAGE,)),
            Entry("Service keys", "key", "admin:governance_servicekey_changelist", (Act.ACCOUNTS_MANAGE,)),
        ],
    ),
    (
        "Telling others",
        [
            Entry("Webhook endpoints", "webhook", "admin:notices_webhookendpoint_changelist", (Act.WEBHOOK_MANAGE,)),
            Entry("Deliveries", "outbox", "admin:notices_delivery_changelist", (Act.WEBHOOK_MANAGE,)),
            Entry("E-mails", "mail", "admin:notices_message_changelist", (Act.SETTINGS_MANAGE,)),
        ],
    ),
    (
        "Ledger",
        [
            Entry("Logs", "account_tree", "admin:logs", (Act.LEDGER_VIEW,)),
            Entry("Witnesses", "visibility", "admin:witnesses", (Act.LEDGER_VIEW,)),
            Entry("Custody", "key_vertical", "admin:custody", (Act.LOG_CLOSE, Act.HEAD_ADOPT, Act.SIGNING_KEY_ROTATE)),
            Entry("Quarantine", "report", "admin:intake_quarantinedrecord_changelist", QUARANTINE),
            Entry("Sources", "sensors", "admin:intake_source_changelist", (Act.DECISION_VIEW,)),
        ],
    ),
]


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """What unfold draws: groups of items with links."""
    person = request.user if isinstance(request.user, Person) else None
    held = held_by(person) if person else None
    groups = [(title, [_item(request, each) for each in entries if _is_for(held, each)]) for title, entries in GROUPS]
    shown = [{"title": title, "separator": bool(title), "items": items} for title, items in groups if items]
    _mark_where_they_are(request.path, [item for _, items in groups for item in items])
    return shown


def _mark_where_they_are(path: str, items: list[dict[str, Any]]) -> None:
    """One entry at most: that of the page, or of the page nearest above it. Some lie below one another."""
    index = reverse("admin:index")
    paths = {item["title"]: urlsplit(item["link"]).path for item in items}
    above = [each for each in paths.values() if path == each or (each != index and path.startswith(each))]
    nearest = max(above, key=len, default=None)
    for item in items:
        item["active"] = paths[item["title"]] == nearest


def _is_for(held: Held | None, entry: Entry) -> bool:
    return held is not None and is_there(entry) and (not entry.acts or held.has_part_in(*entry.acts))


def is_there(entry: Entry) -> bool:
    try:
        reverse(entry.view)
    except NoReverseMatch:
        return False
    return True


def _item(request: HttpRequest, entry: Entry) -> dict[str, Any]:
    link = beside(request, reverse(entry.view), in_control=entry.in_control)
    return {"title": entry.title, "icon": entry.icon, "link": link}
