"""E-mails from rows: claimed by moving their next attempt on, sent, tried again, given up. Many at once become one."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from email.utils import parseaddr

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.db import transaction
from django.db.models import Count, Max, QuerySet
from django.utils import timezone

from config.ids import new_id
from governance.locks import hold
from governance.models import Person
from notices.letters import as_html, as_text, digest, letter_for
from notices.models import Message

WINDOW = timedelta(minutes=10)
SINGLE_MAILS = 5
"""In a window a person gets so many e-mails about one thing each, then one about all that has come, then none."""
AT_ONCE = 1000
LEASE = timedelta(minutes=5)
PAUSES = [timedelta(minutes=each) for each in (1, 5, 30, 120, 360, 1440)]
Status = Message.Status
Batch = list[Message]

logger = structlog.get_logger(__name__)


def send_mails() -> int:
    """Send what is due. Returns how many e-mails were handed to the mail server."""
    due = Message.objects.filter(status=Status.WAITING, next_attempt_at__lte=timezone.now())
    lanes = list(due.order_by("-is_urgent").values_list("is_urgent", "person_id", "address").distinct())
    return sum(_send_to(person_id, is_urgent, address) for is_urgent, person_id, address in lanes)


def _send_to(person_id: uuid.UUID, is_urgent: bool, address: str) -> int:
    lane = Message.objects.filter(person_id=person_id, is_urgent=is_urgent, address=address)
    batches = _claim(lane, f"mail:{person_id}")
    to = address or _address_of(person_id)
    if not to:
        _mark([message for batch in batches for message in batch], status=Status.NOBODY)
        return 0
    return sum(_send(to, batch) for batch in batches)


def _address_of(person_id: uuid.UUID) -> str:
    person = Person.objects.filter(pk=person_id, is_active=True).first()
    return (person.email if person else None) or ""


def _claim(lane: QuerySet[Message], name: str) -> list[Batch]:
    """The due messages of a lane, as they go into e-mails, and nobody else's for the time of the lease."""
    now = timezone.now()
    with transaction.atomic():
        hold(name)
        due = lane.filter(status=Status.WAITING, next_attempt_at__lte=now)
        waiting = list(due.order_by("id")[:AT_ONCE])
        recent, quiet_until = _recently(lane, now)
        if quiet_until:
            due.update(next_attempt_at=quiet_until)
            return []
        batches = [waiting] if waiting and recent + len(waiting) > SINGLE_MAILS else [[each] for each in waiting]
        for batch in batches:
            _take(batch, now)
    return batches


def _recently(lane: QuerySet[Message], now: datetime) -> tuple[int, datetime | None]:
    """How many e-mails they got in the window, and until when they are left in peace after one about many things."""
    sent = lane.filter(sent_at__gt=now - WINDOW)
    mails = list(sent.order_by().values("mail_id").annotate(number=Count("pk"), at=Max("sent_at")))
    has_many = len(mails) > SINGLE_MAILS or any(mail["number"] > 1 for mail in mails)
    return len(mails), max(mail["at"] for mail in mails) + WINDOW if has_many else None


def _take(batch: Batch, now: datetime) -> None:
    mail_id = new_id()
    for message in batch:
        message.mail_id, message.next_attempt_at = mail_id, now + LEASE
        message.attempts += 1
    Message.objects.bulk_update(batch, ["mail_id", "next_attempt_at", "attempts"])


def _send(to: str, batch: Batch) -> int:
    try:
        _mail(to, batch).send()
    except Exception as error:  # noqa: BLE001 - a mail server may fail in any way; it is tried again, and given up in the open
        logger.warning("notices.mail_not_sent", mail=str(batch[0].mail_id), exception=type(error).__qualname__)
        for message in batch:
            _postpone(message, type(error).__qualname__)
        return 0
    _mark(batch, status=Status.SENT, sent_at=timezone.now(), last_error="")
    return 1


def _mail(to: str, batch: Batch) -> EmailMultiAlternatives:
    letters = [letter_for(message) for message in batch]
    letter = letters[0] if len(letters) == 1 else digest(letters)
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2]
    mail = EmailMultiAlternatives(
        subject=" ".join(f"[Answerable] {letter.subject}".split()),  # a line break would end the header
        body=as_text(letter),
        to=[to],
        connection=get_connection(),
        # the same for one claim: a mail server that was told twice can see it
        headers={"Message-ID": f"<{batch[0].mail_id}@{domain}>", "Auto-Submitted": "auto-generated"},
    )
    mail.attach_alternative(as_html(letter), "text/html")
    return mail


def _postpone(message: Message, error: str) -> None:
    if message.attempts > len(PAUSES):
        _mark([message], status=Status.GIVEN_UP, last_error=error[:100])
    else:
        _mark([message], next_attempt_at=timezone.now() + PAUSES[message.attempts - 1], last_error=error[:100])


def _mark(batch: Sequence[Message], **columns: object) -> None:
    Message.objects.filter(pk__in=[message.pk for message in batch], status=Status.WAITING).update(**columns)


def send_again(message_id: uuid.UUID) -> bool:
    """Try one that was given up, from the start of its schedule. Returns whether it had been."""
    given_up = Message.objects.filter(pk=message_id, status=Status.GIVEN_UP)
    return bool(given_up.update(status=Status.WAITING, attempts=0, next_attempt_at=timezone.now()))
