"""Whoever's way of signing in changed is told by e-mail: it may not have been them."""

from uuid import UUID

from django.db import transaction
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.timezone import localtime

from governance.models import CredentialChange, Person, SignInThrottle
from governance.services.lockouts import LockOut
from ledger.entries import timestamp
from notices.letters import Facts, Letter, letter
from notices.outbox import tell

AT_ONCE = 500
AMISS = "If it was not you, end your other sessions, change your password, and tell an administrator at once."
LAST_ONE = "What comes from here goes to another address from now on. This e-mail is the last to this one."


def tell_credential_changes() -> int:
    """Write to the person of each change that waits. Returns how many there were."""
    with transaction.atomic():
        rows = list(CredentialChange.objects.select_for_update(skip_locked=True).order_by("id")[:AT_ONCE])
        for row in rows:
            _tell(row)
        CredentialChange.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows)


def _tell(row: CredentialChange) -> None:
    facts = {"what": str(row.what), "at": timestamp(row.at), "place": row.place}
    if row.actor_type != "person" or row.actor_id != row.person_id:
        facts["by"] = str(row.actor_id) if row.actor_type == "person" else row.actor_type
    fingerprint = f"credentials.changed:{row.pk}"
    tell(
        person_id=row.person_id,
        kind="credentials.changed",
        fingerprint=fingerprint,
        facts={name: value for name, value in facts.items() if value},
        is_urgent=True,
        address=row.email,
    )


def tell_locked_person(lock_out: LockOut) -> None:
    """Once a day: whoever guesses at an account for hours must not fill its person's mailbox."""
    row, person = lock_out.row, lock_out.person
    if person is None or row.last_failed_at is None:
        return
    what = "second factor" if row.kind == SignInThrottle.Kind.FACTOR else "password"
    tell(
        person_id=person.pk,
        kind="signin.locked_out",
        fingerprint=f"signin.locked_out:{row.kind}:{row.last_failed_at:%Y-%m-%d}",
        facts={"what": what.replace(" ", "_"), "at": timestamp(row.last_failed_at)},
        is_urgent=True,
    )


@letter("credentials.changed")
def _changed(facts: Facts) -> Letter:
    what = CredentialChange.What(facts["what"]).label
    by = facts.get("by", "")
    nowhere = "the command line of the host" if by == "command" else "an address that is not known"
    lines = [f"When: {_moment(facts['at'])}", f"From: {facts.get('place') or nowhere}"]
    if by:
        lines.append(f"By: {_name(by)}")
    if facts["what"] == CredentialChange.What.ADDRESS_CHANGED:
        lines.append(LAST_ONE)
    return Letter(f"Your sign-in: {what}", [*lines, AMISS], reverse("admin:your_sign_in"))


@letter("signin.locked_out")
def _locked_out(facts: Facts) -> Letter:
    lines = [
        f"Your {facts['what'].replace('_', ' ')} was wrong too often, last {_moment(facts['at'])}.",
        "Further attempts are refused for a while, longer each time. A passkey, and a browser that you have signed in "
        "with before, are not locked out. You are told of this once a day.",
        "If it was not you, somebody may be guessing: tell an administrator.",
    ]
    return Letter("Your sign-in: locked for a while", lines, reverse("admin:your_sign_in"))


def _moment(text: str) -> str:
    at = parse_datetime(text)
    return localtime(at).strftime("%Y-%m-%d %H:%M %Z") if at else text


NOT_PEOPLE = {"command": "somebody at the host's command line", "server": "Answerable itself", "service": "a program"}


def _name(by: str) -> str:
    if by in NOT_PEOPLE:
        return NOT_PEOPLE[by]
    person = Person.objects.filter(pk=UUID(by), is_active=True).first()
    return person.name if person else "a former member of staff"
