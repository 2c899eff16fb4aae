"""The logs' own rollback alarm: whatever a witness has cosigned must be in this database.

A restored database and a restored head store agree with each other. A witness remembers what neither does, and what it
shows bears the log's own signature: that is no claim of the witness, but evidence.
"""

import enum
import time
import uuid
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import structlog
from django.conf import settings
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from config.errors import ServiceError, name_of
from evidence.errors import HeadAlreadyKnown, NotWitnessed, VerificationFailed
from evidence.kinds import CHECKPOINT_CONTRADICTED, HEAD_ADOPTED
from evidence.models import Anchor, AnchorKind, Outcome
from evidence.services.anchoring import AHEAD, ensure_anchors, parties
from evidence.witnessing.asking import NoAnswer
from evidence.witnessing.configured import Witness
from evidence.witnessing.witnesses import Shown, last_shown
from ledger.entries import CLEAR, Actor, draft_entry
from ledger.errors import CANNOT_SEAL_NOW, HeadPresent, SigningKeyUnavailable
from ledger.heads import StoredHead, head_store
from ledger.key_file import read_seeds
from ledger.key_history import LogKeys
from ledger.models import Contradiction, Entry, Log
from ledger.sealing import sealing
from ledger.selectors import had_tree, latest_head, registry_log
from ledger.signing import signer_of
from ledger.tlog import Verifier
from notices.models import Alert
from notices.services import open_alert

AGAIN = timedelta(seconds=60)
"""After a witness did not answer."""
NOBODY_THERE = (
    Outcome.UNREACHABLE,
    Outcome.UNKNOWN_HOST,
    Outcome.BAD_ADDRESS,
    Outcome.TLS_FAILED,
    Outcome.TIMED_OUT,
    Outcome.BROKEN_OFF,
)
"""After these a witness that answers is back, and need not wait for its turn in the schedule."""

logger = structlog.get_logger(__name__)


class Verdict(enum.Enum):
    """What a witness's last checkpoint says of this database."""

    NONE = "it shows nothing of this log"
    FITS = "it is in the database"
    UNANSWERED = "it could not be asked"
    AHEAD = "it is larger than the log is here"
    FORKED = "the log has another root here at that size"

    @property
    def contradicts(self) -> bool:
        return self in (Verdict.AHEAD, Verdict.FORKED)


CLAIMS: dict[str, Verdict] = {Outcome.AHEAD: Verdict.AHEAD, Outcome.CONTRADICTS: Verdict.FORKED}
"""What a refusal says, in the terms of a look."""


@dataclass(frozen=True, slots=True)
class Look:
    """One witness's last checkpoint of one log, compared."""

    log: Log
    witness: Witness
    verdict: Verdict
    size: int | None = None
    detail: str = ""
    is_silent: bool = False
    """Nothing at all came back: about another log nothing would either."""


def due_witnesses() -> list[str]:
    """The names of witnesses that are to be looked at now, for some log or other."""
    found = parties()
    ensure_anchors(found)
    due = Anchor.objects.filter(_is_due(), kind=AnchorKind.WITNESS, log__closure=None)
    names = set(due.values_list("name", flat=True))
    return [each.name for each in found.witnesses if each.name in names]


def _is_due() -> Q:
    """It is the log's turn; or its turn was set by a clock that has been put right since."""
    now = timezone.now()
    longest = timedelta(seconds=settings.WITNESS_LOOK_SECONDS) + AHEAD
    return Q(next_look_at__lte=now) | Q(next_look_at__gt=now + longest)


def look_at_due(*, actor: Actor, name: str, seconds: float = 60.0) -> list[Look]:
    """Look at one witness, for about `seconds`, for every log whose turn it is. No answer: it is left for a minute."""
    until = time.monotonic() + seconds
    witness = next((each for each in parties().witnesses if each.name == name), None)
    looks: list[Look] = []
    if witness is None:
        return looks
    for anchor_id in _due(witness):
        # claimed before it is asked: of two workers the second finds it not due
        mine = Anchor.objects.filter(_is_due(), pk=anchor_id)
        if not mine.update(next_look_at=timezone.now() + timedelta(seconds=settings.WITNESS_LOOK_SECONDS)):
            continue
        look = look_now(actor=actor, anchor=Anchor.objects.select_related("log").get(pk=anchor_id), witness=witness)
        looks.append(look)
        if look.verdict == Verdict.UNANSWERED:
            Anchor.objects.filter(pk=anchor_id).update(next_look_at=timezone.now() + AGAIN)
        if (look.verdict == Verdict.UNANSWERED and look.size is None) or time.monotonic() > until:
            break
    return looks


def _due(witness: Witness) -> list[uuid.UUID]:
    mine = Anchor.objects.filter(kind=AnchorKind.WITNESS, name=witness.name, identity=witness.identity)
    due = mine.filter(_is_due(), log__closure=None)
    return list(due.order_by("next_look_at", "pk").values_list("pk", flat=True))


def look_now(*, actor: Actor, anchor: Anchor, witness: Witness) -> Look:
    """Ask a witness what it cosigned last of a log. What contradicts the database is recorded, sealed and alerted."""
    log, keys = anchor.log, _Keys(anchor.log)
    try:
        shown = last_shown(witness, log.origin, keys.verifiers)
    except NoAnswer as error:
        detail = f"{error.outcome.label}. {error.detail}".strip()
        return Look(log, witness, Verdict.UNANSWERED, detail=detail, is_silent=error.outcome in NOBODY_THERE)
    if shown is None:
        _seen(anchor, None)
        return Look(log, witness, Verdict.NONE)
    size = shown.checkpoint.tree_size
    _seen(anchor, size)
    if not keys.count(shown):
        return Look(log, witness, Verdict.UNANSWERED, size, "It bears the signature of a key that does not count.")
    verdict = compare(log, size, shown.checkpoint.root_hash)
    if verdict.contradicts:
        _record(actor, log, witness, shown, verdict)
    return Look(log, witness, verdict, size)


def _seen(anchor: Anchor, size: int | None) -> None:
    now, mine = timezone.now(), Anchor.objects.filter(pk=anchor.pk)
    mine.update(looked_at=now, seen_size=size)
    mine.filter(outcome__in=NOBODY_THERE, next_attempt_at__gt=now).update(next_attempt_at=now)


def compare(log: Log, tree_size: int, root_hash: bytes) -> Verdict:
    """Whether the database holds a tree. To be asked after the tree was seen: logs only grow."""
    if tree_size > latest_head(log.id).tree_size:
        return Verdict.AHEAD
    return Verdict.FITS if had_tree(log.id, tree_size, root_hash) else Verdict.FORKED


class _Keys:
    """The keys that sign a log: as the database has them, and those in the key file, of which it may not know yet."""

    def __init__(self, log: Log) -> None:
        self._known = LogKeys.of(log)
        self._known_ids = {each.key_id for each in self._known.verifiers}
        by_vkey = {each.vkey: each for each in self._known.verifiers}
        try:
            seeds = read_seeds(Path(settings.SIGNING_KEY_FILE))
        except SigningKeyUnavailable:
            seeds = ()  # whoever wants to sign is told; what others signed is verified by what is announced
        for verifier in (signer_of(log.origin, seed).verifier for seed in seeds):
            by_vkey[verifier.vkey] = verifier
        self.verifiers: list[Verifier] = list(by_vkey.values())

    def count(self, shown: Shown) -> bool:
        """Whether one of the log's signatures is by a key that was in force: a retired one could be anybody's."""
        size = shown.checkpoint.tree_size
        ids = [each.key_id for each in shown.opened.log_signatures]
        return any(each not in self._known_ids or self._known.in_force(each, size) for each in ids)


def follow_up(*, actor: Actor, anchor: Anchor) -> Look | None:
    """After a witness has refused a checkpoint as contradicting what it saw: look for the proof, and alert without too.

    None where it refused nothing of the kind.
    """
    verdict = CLAIMS.get(anchor.outcome)
    witness = next((each for each in parties().witnesses if each.identity == anchor.identity), None)
    if verdict is None or witness is None:
        return None
    look = look_now(actor=actor, anchor=anchor, witness=witness)
    if not look.verdict.contradicts:
        alert_contradiction(
            actor=actor, log=anchor.log, witness=witness, verdict=verdict, seen=look.size, is_proven=False
        )
    return look


# --- what contradicts -------------------------------------------------------------------------------------------------
def _record(actor: Actor, log: Log, witness: Witness, shown: Shown, verdict: Verdict) -> None:
    found = latest_head(log.id)
    checkpoint = shown.checkpoint
    _, is_new = Contradiction.objects.get_or_create(
        log=log,
        tree_size=checkpoint.tree_size,
        root_hash=checkpoint.root_hash,
        defaults={"note": shown.opened.note, "witness": witness.verifier.name, "found_size": found.tree_size},
    )
    if is_new:
        logger.error("evidence.log_contradicted", log_id=str(log.id), witness=witness.name, verdict=verdict.name)
    if verdict == Verdict.AHEAD:
        _tell_head_store(log, checkpoint.tree_size, checkpoint.root_hash)
    alert_contradiction(
        actor=actor, log=log, witness=witness, verdict=verdict, seen=checkpoint.tree_size, is_proven=True
    )
    seal_contradictions(actor=actor)


def _tell_head_store(log: Log, tree_size: int, root_hash: bytes) -> None:
    """This host learns what it had signed once: another restore of the same backup is then known at once."""
    try:
        head_store().advance(log.id, tree_size, root_hash)
    except ServiceError as error:
        logger.error("evidence.head_not_advanced", log_id=str(log.id), error=name_of(error))


def alert_contradiction(
    *, actor: Actor, log: Log, witness: Witness, verdict: Verdict, seen: int | None, is_proven: bool
) -> Alert:
    """Alert, once while it stands: of what is proven by the log; of a mere claim by log and witness."""
    claim = "" if is_proven else f":{witness.identity[:16]}"
    return open_alert(
        actor=actor,
        kind="ledger.witness_contradicts",
        severity=Alert.Severity.CRITICAL,
        fingerprint=f"ledger.witness_contradicts:{log.id}{claim}",
        system_id=log.system_id,
        about_id=log.id,
        facts={
            "verdict": verdict.name.lower(),
            "proven": "yes" if is_proven else "no",
            "witness": clear_name(witness.verifier),
            "seen_size": seen,
            "entries": latest_head(log.id).tree_size,
        },
        occurrences=1,  # one state of affairs, however often it is looked at
    )


def clear_name(verifier: Verifier) -> str:
    """A witness as entries and facts name it: by its key's name, or by the key's id where that has other characters."""
    return verifier.name if CLEAR.fullmatch(verifier.name) else verifier.key_id.hex()


def seal_contradictions(*, actor: Actor) -> int:
    """Put into the registry log what contradictions it does not know of. Returns how many could be sealed."""
    sealed = 0
    told = Entry.objects.filter(about_id=OuterRef("pk"), kind=CHECKPOINT_CONTRADICTED.name)
    for each in Contradiction.objects.filter(~Exists(told)).select_related("log").order_by("id"):
        body = {
            "log": str(each.log_id),
            "origin": each.log.origin,
            "tree_size": each.tree_size,
            "root_hash": bytes(each.root_hash).hex(),
            "found": each.found_size,
        }
        if CLEAR.fullmatch(each.witness):
            body["witness"] = each.witness
        try:
            with sealing() as seal:
                draft = draft_entry(
                    kind=CHECKPOINT_CONTRADICTED, actor=actor, at=timezone.now(), body=body, about_id=each.pk
                )
                seal.add(registry_log().id, draft)
            sealed += 1
        except CANNOT_SEAL_NOW as error:
            # it may be the registry log itself: then its successor is told
            logger.warning("evidence.contradiction_not_sealed", log_id=str(each.log_id), error=name_of(error))
    return sealed


# --- a host that has lost its head store ------------------------------------------------------------------------------
def adopt_witnessed_head(*, actor: Actor, log: Log) -> StoredHead:
    """Give this host, which has no head of a log, the largest that the witnesses show: a lower bound, as a head is.

    The quorum of the policy must show one, each with its cosignature, and the database must hold all of them. The
    entry that says so is sealed first, as with `adopt_head`. Errors: `HeadAlreadyKnown`, `NotWitnessed`,
    `VerificationFailed`.
    """
    if head_store().head(log.id) is not None:
        raise HeadAlreadyKnown(log.origin)
    shown = _shown_by_quorum(actor, log)
    newest = max((each.checkpoint for each in shown.values()), key=lambda each: each.tree_size)
    with sealing() as seal:
        try:
            opened = seal.lock_without_head(log.id)
        except HeadPresent as error:
            raise HeadAlreadyKnown(log.origin) from error
        if not had_tree(log.id, newest.tree_size, newest.root_hash):
            raise VerificationFailed(f"{log.origin} does not hold the tree that witnesses have cosigned")
        head = StoredHead(opened.frontier.size, opened.frontier.root())
        facts = {
            "tree_size": head.tree_size,
            "root_hash": head.root_hash.hex(),
            "witnessed_size": newest.tree_size,
            "witnesses": sorted(clear_name(witness.verifier) for witness in shown),
        }
        seal.add(log.id, draft_entry(kind=HEAD_ADOPTED, actor=actor, at=timezone.now(), body=facts, about_id=log.id))
    return head


def _shown_by_quorum(actor: Actor, log: Log) -> dict[Witness, Shown]:
    """What the witnesses show of a log, once they are enough and nothing of it contradicts the database."""
    found, keys, shown = parties(), _Keys(log), {}
    for witness in found.witnesses:
        try:
            each = last_shown(witness, log.origin, keys.verifiers)
        except NoAnswer as error:
            logger.warning("evidence.witness_unanswered", witness=witness.name, outcome=str(error.outcome))
            continue
        if each is None or not keys.count(each):
            continue
        verdict = compare(log, each.checkpoint.tree_size, each.checkpoint.root_hash)
        if verdict.contradicts:
            _record(actor, log, witness, each, verdict)
            raise VerificationFailed(f"{log.origin}: of what {witness.name} has cosigned, {verdict.value}")
        shown[witness] = each
    if not shown or not found.policy.is_met_by([witness.name for witness in shown]):
        raise NotWitnessed(f"{log.origin}: {len(shown)} of {len(found.witnesses)} witnesses show one")
    return shown
