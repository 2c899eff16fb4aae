"""Who must sign in with a second factor, and who has one."""

from django.conf import settings

from governance import rights
from governance.acts import NEEDS_SECOND_FACTOR
from governance.models import Passkey, Person, RecoveryCode, TotpFactor

DEMO_DOMAIN = "@example.org"


def has_factor(person: Person) -> bool:
    """Whether an authenticator app or a passkey of theirs counts."""
    mine = {"person_id": person.pk, "removed_at": None}
    return Passkey.objects.filter(**mine).exists() or TotpFactor.objects.filter(**mine).exists()


def takes_codes(person: Person) -> bool:
    """Whether they can type a code: that of an app, or one for recovery."""
    apps = TotpFactor.objects.filter(person_id=person.pk, removed_at=None)
    return apps.exists() or RecoveryCode.objects.filter(person_id=person.pk, used_at=None).exists()


def has_passkey(person: Person) -> bool:
    return Passkey.objects.filter(person_id=person.pk, removed_at=None).exists()


def role_asks(person: Person) -> bool:
    """Whether a role that they hold asks for a second factor."""
    held = rights.in_force().filter(person_id=person.pk, role__in=NEEDS_SECOND_FACTOR)
    return _is_forced_for(person) and held.exists()


def must_enrol(person: Person) -> bool:
    """Whether they have to add a factor before they do anything else."""
    return role_asks(person) and not has_factor(person)


def _is_forced_for(person: Person) -> bool:
    """Everybody, but for the made-up people of the demonstration."""
    return settings.SECOND_FACTOR_FORCED or (settings.DEMO and not (person.email or "").endswith(DEMO_DOMAIN))
