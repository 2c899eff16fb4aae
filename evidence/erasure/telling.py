"""E-mails about erasures: to whoever agrees, to those who may stop one, to the data protection officers."""

import uuid
from collections.abc import Iterator

from django.urls import reverse
from django.utils.timezone import localtime

from audit.models import ErasureConsent, ErasureRequest
from evidence.erasure.documents import came_since
from evidence.erasure.reading import act_of, place_of
from governance import rights
from governance.models import AISystem, Person
from governance.scopes import ORGANISATION
from notices.approvals import asking
from notices.letters import Facts, Letter, letter
from notices.outbox import tell

WHAT = {
    ErasureRequest.Kind.DECISION: "erase single decisions",
    ErasureRequest.Kind.SUBJECT: "erase what is kept of a person",
    ErasureRequest.Kind.PERSON: "erase the name of a former member of staff",
}


def tell_of_erasure(request: ErasureRequest, kind: str) -> None:
    """Write to data protection officers, and to those who agree to it there. In the transaction of what happened."""
    facts, once = {"request": str(request.pk)}, f"{request.pk}:{request.revision}"
    for person in _told(request):
        tell(person_id=person.pk, kind=kind, fingerprint=f"{kind}:{once}", facts=facts)


def _told(request: ErasureRequest) -> Iterator[Person]:
    found = {person.pk: person for person in rights.holders(act_of(request), ORGANISATION)}
    for consent in request.consents.exclude(status=ErasureConsent.Status.VOID):
        found |= {each.pk: each for each in rights.holders(act_of(request), place_of(consent), approving=True)}
    yield from found.values()


def _page(request: ErasureRequest) -> str:
    return reverse("admin:erasure", args=[request.pk])


def _found(facts: Facts) -> ErasureRequest:
    return ErasureRequest.objects.get(pk=uuid.UUID(facts["request"]))


@letter("erasure.asked")
def _asked(facts: Facts) -> Letter:
    consent = ErasureConsent.objects.select_related("request").get(pk=uuid.UUID(facts["request"]))
    system = AISystem.objects.filter(pk=consent.system_id).first() if consent.system_id else None
    of = f" in {system}" if system else ""
    return asking(
        by=consent.asked_by_id,
        wants=f"{WHAT[ErasureRequest.Kind(consent.request.kind)]}{of}",
        why=[consent.request.get_basis_display()],
        is_open=consent.status == ErasureConsent.Status.WAITING,
        until=None,
        page=_page(consent.request),
    )


@letter("erasure.announced")
def _announced(facts: Facts) -> Letter:
    request = _found(facts)
    at = localtime(request.runs_at).strftime("%Y-%m-%d %H:%M %Z") if request.runs_at else "a time that was taken back"
    lines = [
        f"Two people agreed. It is performed from {at} on, and cannot be undone.",
        "Until then, and while it goes on, you can stop it on its page. What must still be kept is restricted.",
    ]
    return Letter("An erasure is about to be performed", lines, _page(request))


@letter("erasure.held")
def _held(facts: Facts) -> Letter:
    lines = ["Nothing more of it is erased. To go on, it has to be asked for again."]
    return Letter("An erasure was stopped", lines, _page(_found(facts)))


@letter("erasure.refused")
def _refused(facts: Facts) -> Letter:
    return Letter("An erasure was refused", ["Nobody agreed to it, so nothing is erased."], _page(_found(facts)))


@letter("erasure.done")
def _done(facts: Facts) -> Letter:
    request = _found(facts)
    refused = request.consents.filter(status=ErasureConsent.Status.REFUSED)
    kept = sum(refused.values_list("decisions", flat=True))
    lines = ["What two people agreed to is erased. Its receipt, signed, says what went and where."]
    if kept:
        one = "One decision is" if kept == 1 else f"{kept:,} decisions are"
        lines.append(f"{one} kept, since whoever is accountable there refused.")
    if since := came_since(request.pk).words:
        lines.append(f"About the same person came in meanwhile: {since}. They stay until somebody asks for them, too.")
    return Letter("An erasure is done", lines, _page(request))
