"""How the facts of alerts about controls and reviews are shown."""

from uuid import UUID

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from audit.models import Case, Clock
from console.switchboard.places import place_of
from evidence.models import CustodyRequest
from governance.admin.pages import page_link
from governance.models import Person, ServiceAccount
from notices.words import moment, shows
from overrides.models import Drill, Review, Switch


@shows("switch", "Switch")
def _switch(value: str) -> SafeString | None:
    row = Switch.objects.filter(pk=value).first()
    if row is None:
        return None
    return format_html('<a href="{}">{}</a>', reverse("admin:switchboard_switch", args=[row.pk]), place_of(row.node))


@shows("review", "Review")
def _review(value: str) -> SafeString | None:
    row = Review.objects.filter(pk=value).first()
    if row is None:
        return None
    page = reverse("admin:decision", args=[row.decision_id])
    return format_html('<a href="{}">of this decision</a>, {}', page, row.get_status_display())


@shows("drill", "Drill")
def _drill(value: str) -> SafeString | None:
    row = Drill.objects.filter(pk=value).first()
    return page_link(row) if row else None


@shows("account", "Service account")
def _account(value: str) -> SafeString | None:
    row = ServiceAccount.objects.filter(pk=value).first()
    return page_link(row) if row else None


def _person(value: str) -> SafeString | None:
    row = Person.objects.filter(pk=UUID(value)).first()
    return page_link(row) if row else None


shows("not_to_be_closed_by", "Done by, so another closes this")(_person)
shows("asked_by", "Asked by")(_person)
shows("approved_by", "Agreed to by")(_person)
shows("custody", "What was done")(lambda value: str(CustodyRequest.What(value).label))
shows("returned", "Things that are back")(str)
shows("erasures", "Of erasures that were performed")(str)
shows("due_at", "Due")(moment)
shows("clock", "What is due")(lambda value: str(Clock(value).label))
shows("epoch", "Epoch of the change")(str)
shows("known", "Epoch that was known")(str)
shows("mode", "Mode")(str)
shows("expected", "Expected to confirm")(str)
shows("confirmed", "Have confirmed")(str)
shows("seen", "Have seen it, and cannot confirm")(str)
shows("silent", "Silent")(str)
shows("ungoverned", "Out of reach: they never ask")(str)
shows("reading", "They read the controls, and do not confirm")(str)
shows("not_armed", "Did not apply the probe")(str)
shows("instances", "Of instances")(str)
shows("instance", "One of them")(str)
shows("reinstated", "Switches set again")(str)
shows("queue", "Queue")(str)
shows("effect", "What was done")(lambda value: "see the decision")


@shows("case", "Case")
def _case(value: str) -> SafeString | None:
    row = Case.objects.filter(pk=UUID(value)).first()
    return format_html('<a href="{}">{}</a>', reverse("admin:case", args=[row.pk]), row.reference) if row else None
