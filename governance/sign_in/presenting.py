"""A passkey that a browser presents: found, verified, counted."""

import structlog
from django.http import HttpRequest

from governance.errors import PasskeyRefused
from governance.models import Passkey, Person
from governance.services.factors import use_passkey
from governance.sign_in.passkeys import presented_id, verified_count

log = structlog.get_logger(__name__)


def present_passkey(request: HttpRequest, credential: str, *, of: Person | None = None) -> Person:
    """Whose passkey it is: of this person, or of anybody active. Errors: `PasskeyRefused` for whatever is wrong."""
    known = Passkey.objects.select_related("person").filter(
        credential_id=presented_id(credential), removed_at=None, person__is_active=True
    )
    passkey = (known.filter(person=of) if of else known).first()
    if passkey is None:
        raise PasskeyRefused()
    try:
        count = verified_count(request, credential, passkey)
    except PasskeyRefused as refusal:
        # a counter that went back, above all: somebody may have copied the key
        log.warning("sign_in.passkey_refused", passkey=str(passkey.pk), reason=type(refusal.__cause__).__name__)
        raise
    use_passkey(passkey=passkey, sign_count=count)
    return passkey.person
