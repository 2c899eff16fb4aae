"""The types of events about investigations, for webhook endpoints: ids and states, never what was written.

A case is told of once for each AI system that it is about, and only to endpoints whose owner may know of its cases.
"""

from governance.acts import Act
from notices.event_types import event_type

_CASE = {"case": "2026-0001", "status": "investigating", "severity": "high"}
for _name, _meaning, _example in (
    ("case.opened", "An investigation began.", _CASE | {"status": "open"}),
    ("case.moved", "An investigation reached another state.", _CASE | {"status": "concluded"}),
    ("case.lead_assigned", "Somebody leads an investigation from here on.", _CASE),
    ("incident.declared", "A case is a serious incident: its clock runs.", _CASE | {"due_at": "2026-12-07T08:00:00Z"}),
    ("incident.reported", "A report of an incident to the authority was recorded.", _CASE | {"stage": "initial"}),
):
    event_type(_name, _meaning, about="the case", example=_example, seen_by=Act.CASE_VIEW)
