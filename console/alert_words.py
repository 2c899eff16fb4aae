"""What alerts mean, and how the facts of those about controls and reviews are shown."""

from uuid import UUID

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from console.switchboard.places import place_of
from governance.admin.pages import page_link
from governance.models import Person, ServiceAccount
from notices.words import means, moment, shows
from overrides.models import Drill, Review, Switch

means("accountability.gap", "A live AI system has nobody who has accepted to answer for it.")
means("client.not_armed", "Clients did not apply the last probe. They might not hear of a stop either.")
means("control.recovered", "Clients knew a newer state than the database, as after a restore. The stricter one holds.")
means("decision.conflicted", "Another record came under the id of a decision. The first one stands.")
means("drill.not_restored", "A drill is over, and its switch stays: who agreed to its end may not loosen it any more.")
means("drill.overdue", "Nobody has practised stopping this AI system for too long.")
means("effect.failed", "The calling service failed to carry out what was decided.")
means("effect.mismatched", "The calling service carried out something else than what people decided.")
means("ledger.audit_failed", "The self-audit could not look at something. What it could not see, it cannot vouch for.")
means("ledger.discontinued", "A log does not go on from what this host has signed: a restore, or somebody cut it.")
means("ledger.mismatch", "The database does not hold what was sealed. Somebody or something changed it.")
means("review.deadline_missed", "Nobody decided in time. What the rule says for that case was applied.")
means("signin.locked", "Somebody failed to sign in again and again.")
means("source.silent", "A source that reports regularly was not heard of. Its decisions may be missing.")
means("switch.breached", "Decisions took effect although a switch forbade it, and their caller must have known.")
means("switch.emergency_cleared", "One person alone took a stopped AI system back to review. Another must look at it.")
means("switch.unconfirmed", "A minute after a change of a switch, not every client has confirmed it.")


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


@shows("not_to_be_closed_by", "Done by, so another closes this")
def _done_by(value: str) -> SafeString | None:
    row = Person.objects.filter(pk=UUID(value)).first()
    return page_link(row) if row else None


shows("due_at", "Due")(moment)
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
