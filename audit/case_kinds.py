"""Entry kinds of investigations. They may be about several AI systems, so all stand in the registry log."""

from ledger.kinds import Belongs, Kind

CASE_OPENED = Kind("case.opened", Belongs.REGISTRY, "an investigation began")
CASE_UPDATED = Kind("case.updated", Belongs.REGISTRY, "a case's title, summary or severity changed")
CASE_MOVED = Kind("case.moved", Belongs.REGISTRY, "an investigation reached another state")
CASE_LEAD_ASSIGNED = Kind("case.lead_assigned", Belongs.REGISTRY, "somebody without a part in it leads a case")
CASE_ATTACHED = Kind("case.attached", Belongs.REGISTRY, "decisions were put into a case: how many, and their digest")
CASE_DETACHED = Kind("case.detached", Belongs.REGISTRY, "decisions were taken out of a case, and their digest")
CASE_NOTED = Kind("case.noted", Belongs.REGISTRY, "somebody wrote a note in a case")
FINDING_RECORDED = Kind("case.finding_recorded", Belongs.REGISTRY, "what an investigation found, and its root cause")
ACTION_RECORDED = Kind("case.action_recorded", Belongs.REGISTRY, "a corrective action is planned, done or dropped")

INCIDENT_DECLARED = Kind("incident.declared", Belongs.REGISTRY, "a case is a serious incident: its clock runs")
INCIDENT_UPDATED = Kind("incident.updated", Belongs.REGISTRY, "more is known of an incident, or somebody was told")
INCIDENT_EXTENDED = Kind("incident.extended", Belongs.REGISTRY, "a deadline of an incident moved later, and why")
INCIDENT_SIGNED = Kind("incident.signed_off", Belongs.REGISTRY, "somebody signed what an incident says")
INCIDENT_REPORTED = Kind("incident.reported", Belongs.REGISTRY, "a report went to the authority")

CASE_RECOUNTED = Kind("case.recounted", Belongs.REGISTRY, "the counts of a case were derived anew from what is in it")
CASE_LISTED = Kind("case.listed", Belongs.REGISTRY, "the list of a case's decisions was taken out as a file")

HOLD_PLACED = Kind("hold.placed", Belongs.REGISTRY, "decisions must not be erased, whatever retention says")
HOLD_LIFT_REQUESTED = Kind("hold.lift_requested", Belongs.REGISTRY, "somebody asks to lift a legal hold")
HOLD_LIFT_REFUSED = Kind("hold.lift_refused", Belongs.REGISTRY, "the second person said no: the legal hold stays")
HOLD_LIFTED = Kind("hold.lifted", Belongs.REGISTRY, "two people lifted a legal hold")
