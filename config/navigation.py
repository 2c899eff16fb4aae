"""The admin's sidebar. An entry names the view it leads to; it is shown once the floor that has the page is there."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from config.origins import beside


@dataclass(frozen=True, slots=True)
class Entry:
    title: str
    icon: str
    view: str
    in_control: bool = False
    """Served by the control process, which no flood of decisions slows."""


GROUPS: list[tuple[str, list[Entry]]] = [
    (
        "",
        [
            Entry("Overview", "space_dashboard", "admin:index"),
            Entry("Reviews", "inbox", "admin:reviews"),
            Entry("Switchboard", "power_settings_new", "admin:switchboard", in_control=True),
        ],
    ),
    (
        "Control",
        [
            Entry("Parameters", "tune", "admin:overrides_parameter_changelist"),
            Entry("Parameter changes", "published_with_changes", "admin:overrides_parameterversion_changelist"),
            Entry("Fail policy requests", "safety_check", "admin:governance_failpolicyrequest_changelist"),
            Entry("Drills", "fire_extinguisher", "admin:overrides_drill_changelist"),
        ],
    ),
    (
        "Human review",
        [
            Entry("Review rules", "rule", "admin:overrides_reviewrule_changelist"),
            Entry("Rule changes", "published_with_changes", "admin:overrides_rulechange_changelist"),
            Entry("Review queues", "view_list", "admin:overrides_reviewqueue_changelist"),
            Entry("Reviewers' skills", "school", "admin:overrides_reviewerskill_changelist"),
            Entry("Appeals", "gavel", "admin:appeals"),
        ],
    ),
    (
        "Record",
        [
            Entry("AI systems", "neurology", "admin:governance_aisystem_changelist"),
            Entry("Model versions", "deployed_code", "admin:governance_modelversion_changelist"),
            Entry("Decisions", "fact_check", "admin:decisions"),
            Entry("Cases", "folder_open", "admin:audit_case_changelist"),
            Entry("Alerts", "notifications", "admin:notices_alert_changelist"),
            Entry("Exports", "inventory_2", "admin:evidence_export_changelist"),
        ],
    ),
    (
        "Responsibility",
        [
            Entry("Accountability", "assignment_ind", "admin:accountability"),
            Entry("Assignments", "handshake", "admin:governance_assignment_changelist"),
            Entry("People", "group", "admin:governance_person_changelist"),
            Entry("Service accounts", "robot_2", "admin:governance_serviceaccount_changelist"),
            Entry("Service keys", "key", "admin:governance_servicekey_changelist"),
        ],
    ),
    (
        "Telling others",
        [
            Entry("Webhook endpoints", "webhook", "admin:notices_webhookendpoint_changelist"),
            Entry("Deliveries", "outbox", "admin:notices_delivery_changelist"),
            Entry("E-mails", "mail", "admin:notices_message_changelist"),
        ],
    ),
    (
        "Ledger",
        [
            Entry("Logs", "account_tree", "admin:logs"),
            Entry("Quarantine", "report", "admin:intake_quarantinedrecord_changelist"),
            Entry("Sources", "sensors", "admin:intake_source_changelist"),
        ],
    ),
]


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """What unfold draws: groups of items with links."""
    groups = ((title, [_item(request, entry) for entry in entries if is_there(entry)]) for title, entries in GROUPS)
    return [{"title": title, "separator": bool(title), "items": items} for title, items in groups if items]


def is_there(entry: Entry) -> bool:
    try:
        reverse(entry.view)
    except NoReverseMatch:
        return False
    return True


def _item(request: HttpRequest, entry: Entry) -> dict[str, Any]:
    link = beside(request, reverse(entry.view), in_control=entry.in_control)
    return {"title": entry.title, "icon": entry.icon, "link": link}
