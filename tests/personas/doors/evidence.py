"""The doors of evidence: payloads, quarantine, logs and keys."""

from evidence.services.custody import adopt_head, close_log
from evidence.services.key_rotation import finish_rotation
from governance.acts import Act
from governance.models import Person
from intake.services.replays import decide_dismissal
from ledger.selectors import open_log
from tests.factories.register import actor_of, make_person
from tests.factories.versions import owner_of
from tests.personas.doors.knocking import AGREE, ASK, Door, after, calls, fills, now, opens, sends, slug
from tests.personas.routes import ROWS
from tests.personas.world import World


def _kept(world: World) -> None:
    """A quarantined record that waits: whoever approves said no."""
    record = ROWS["intake/quarantinedrecord"](world)
    decide_dismissal(actor=actor_of(owner_of(world.system)), record_id=record, approve=False, reason="Look again.")


def _second() -> Person:
    return make_person(administrator=True)


QUARANTINED = "/admin/intake/quarantinedrecord/{intake__quarantinedrecord}/change/"
EVIDENCE: list[Door] = [
    Door(
        Act.PAYLOADS_GRANT,
        ASK,
        sends("POST", "/api/v1/payload-grants", system=slug, ends_at=now(days=7), reason="A complaint."),
    ),
    Door(Act.PAYLOADS_GRANT, AGREE, sends("POST", "/api/v1/payload-grants/{audit__payloadgrant}/approve")),
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
