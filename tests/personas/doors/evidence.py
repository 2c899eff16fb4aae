"""The doors of evidence: payloads, quarantine, logs and keys."""

from django.utils import timezone

from audit.models import ErasureConsent, ErasureRequest
from evidence.erasure.writing import write_consent, write_erasure
from evidence.kinds import ERASURE_REQUESTED
from evidence.services.custody import adopt_head, close_log
from evidence.services.key_rotation import finish_rotation
from governance.acts import Act
from governance.models import Person
from intake.services.replays import decide_dismissal
from ledger.sealing import sealing
from ledger.selectors import open_log
from tests.factories.erasing import officer
from tests.factories.register import actor_of, make_person
from tests.factories.versions import owner_of
from tests.personas.doors.knocking import AGREE, ASK, Door, after, calls, fills, leads, now, opens, sends, slug
from tests.personas.routes import ROWS
from tests.personas.world import World


def _kept(world: World) -> None:
    """A quarantined record that waits: whoever approves said no."""
    record = ROWS["intake/quarantinedrecord"](world)
    decide_dismissal(actor=actor_of(owner_of(world.system)), record_id=record, approve=False, reason="Look again.")


def decision(world: World) -> str:
    return str(world.decision.id)


def _name_asked(world: World) -> None:
    """The erasure of the name of somebody who has left, as a data protection officer asks for it."""
    asks = officer()
    with sealing() as seal:
        request = ErasureRequest(
            kind="person",
            basis="not_needed",
            person_id=world.staff.operator.pk,
            requested_by_id=asks.pk,
            reason="Gone.",
            status="requested",
            requested_at=timezone.now(),
        )
        write_erasure(seal, actor_of(asks), ERASURE_REQUESTED, request)
        consent = ErasureConsent(request=request, asked_by_id=asks.pk)
        write_consent(seal, actor_of(asks), ERASURE_REQUESTED, consent)


def _second() -> Person:
    return make_person(administrator=True)


QUARANTINED = "/admin/intake/quarantinedrecord/{intake__quarantinedrecord}/change/"
EVIDENCE: list[Door] = [
    Door(
        Act.PAYLOADS_GRANT,
        ASK,
        sends("POST", "/api/v1/payload-grants", system=slug, ends_at=now(days=7), reason="A complaint."),
    ),
    Door(
        Act.EXPORT_PLAIN,
        ASK,
        sends("POST", "/api/v1/exports", question="decision", decision_id=decision, form="csv", reason="A claim."),
        meets={"investigator": leads},
    ),
    Door(
        Act.EXPORT_PAYLOADS,
        ASK,
        sends(
            "POST", "/api/v1/exports", question="range", system=slug, form="bundle", parts=["input"], reason="A claim."
        ),
    ),
    Door(Act.EXPORT_PAYLOADS, AGREE, sends("POST", "/api/v1/exports/{export}/approve")),
    Door(Act.PAYLOADS_GRANT, AGREE, sends("POST", "/api/v1/payload-grants/{audit__payloadgrant}/approve")),
    Door(
        Act.ERASE,
        ASK,
        sends(
            "POST", "/api/v1/erasures", kind="subject", basis="objection", reason="They ask for it.", subject="c-1907"
        ),
    ),
    Door(Act.ERASE, AGREE, sends("POST", "/api/v1/erasure-consents/{erasure_asked}/approve")),
    Door(
        Act.PERSON_ERASE,
        ASK,
        sends(
            "POST",
            "/api/v1/erasures",
            kind="person",
            basis="not_needed",
            reason="Long gone.",
            person_id=lambda world: str(world.staff.operator.pk),
        ),
    ),
    Door(
        Act.PERSON_ERASE,
        AGREE,
        after(_name_asked, sends("POST", "/api/v1/erasure-consents/{name_asked}/approve")),
    ),
    Door(Act.RESTRICTED_READ, ASK, fills("/admin/decisions/{restricted}/payload")),
    Door(
        Act.RETENTION_CHANGE,
        ASK,
        sends("POST", "/api/v1/retention/classes", kind="letters", name="Long", floor_days=365, floor_source="A law."),
    ),
    Door(Act.RETENTION_CHANGE, AGREE, sends("POST", "/api/v1/retention/rules/{rule_asked}/approve")),
    Door(Act.RETENTION_VIEW, ASK, opens("/admin/retention/"), anywhere=True),
    Door(
        Act.QUARANTINE_REPLAY,
        ASK,
        after(_kept, fills(QUARANTINED, step="replay", reason="Once more.")),
    ),
    Door(
        Act.QUARANTINE_DISMISS,
        ASK,
        after(_kept, fills(QUARANTINED, step="request_dismissal", reason="A test.")),
    ),
    Door(Act.QUARANTINE_VIEW, ASK, opens(QUARANTINED)),
    Door(Act.QUARANTINE_DISMISS, AGREE, fills(QUARANTINED, step="approve_dismissal", reason="A test.")),
    Door(
        Act.LOG_CLOSE,
        AGREE,
        calls(
            lambda person, world: close_log(
                actor=actor_of(person), asked_by=_second(), approved_by=person, log=open_log(world.system.pk)
            )
        ),
    ),
    Door(
        Act.LOG_CLOSE,
        ASK,
        calls(
            lambda person, world: close_log(
                actor=actor_of(person), asked_by=person, approved_by=_second(), log=open_log(world.system.pk)
            )
        ),
    ),
    Door(
        Act.HEAD_ADOPT,
        AGREE,
        calls(
            lambda person, world: adopt_head(
                actor=actor_of(person), asked_by=_second(), approved_by=person, log=open_log(world.system.pk)
            )
        ),
    ),
    Door(
        Act.HEAD_ADOPT,
        ASK,
        calls(
            lambda person, world: adopt_head(
                actor=actor_of(person), asked_by=person, approved_by=_second(), log=open_log(world.system.pk)
            )
        ),
    ),
    Door(
        Act.SIGNING_KEY_ROTATE,
        ASK,
        calls(lambda person, world: finish_rotation(actor=actor_of(person), asked_by=person, approved_by=_second())),
    ),
    Door(
        Act.SIGNING_KEY_ROTATE,
        AGREE,
        calls(lambda person, world: finish_rotation(actor=actor_of(person), asked_by=_second(), approved_by=person)),
    ),
    Door(Act.LOG_CLOSE, ASK, fills("/admin/logs/custody/ask/close_logs", reason="The disk failed.")),
    Door(Act.HEAD_ADOPT, ASK, fills("/admin/logs/custody/ask/adopt_heads", reason="A new host.")),
    Door(Act.SIGNING_KEY_ROTATE, ASK, fills("/admin/logs/custody/ask/finish_rotation", reason="A year is over.")),
    Door(Act.SIGNING_KEY_ROTATE, AGREE, fills("/admin/logs/custody/{custody}/approve")),
    Door(Act.LOG_CLOSE, ASK, opens("/admin/logs/custody/{custody}/")),
    Door(Act.LEDGER_VIEW, ASK, opens("/admin/logs/{log}/checkpoint")),
]
