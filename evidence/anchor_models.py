"""Anchors: what witnesses and time-stamp authorities have said of checkpoints, and how it stands with each of them.

`Cosignature` and `Timestamp` are evidence, and only grow. `Anchor` and `AnchorTarget` are work: made anew where lost.
"""

from django.db import models
from django.db.models.functions import Now

from config.database import Access
from config.ids import new_id
from ledger.models import Checkpoint, Log


class AnchorKind(models.TextChoices):
    WITNESS = "witness"
    AUTHORITY = "authority", "Time-stamp authority"


class Outcome(models.TextChoices):
    """What became of asking a witness or an authority; each in words that an operator can act on."""

    WAITING = "waiting", "Not asked yet"
    ANCHORED = "anchored", "Given, and verified"
    # nothing readable came back
    UNREACHABLE = "unreachable", "No connection"
    UNKNOWN_HOST = "unknown_host", "The name resolves to nothing"
    BAD_ADDRESS = "bad_address", "Leads to an address that is not allowed"
    TLS_FAILED = "tls_failed", "Its certificate is not valid"
    TIMED_OUT = "timed_out", "No answer in time"
    BROKEN_OFF = "broken_off", "Broken off, or longer than an answer may be"
    REDIRECTED = "redirected", "Redirected: never followed"
    THROTTLED = "throttled", "Told to wait"
    REFUSED = "refused", "Refused"
    # what a witness says
    MALFORMED = "malformed", "It cannot read what was sent (400)"
    KEY_UNKNOWN = "key_unknown", "It does not know the log's key (403)"
    LOG_UNKNOWN = "log_unknown", "It does not know this log (404)"
    BEHIND = "behind", "It has cosigned another size (409) and keeps saying so"
    AHEAD = "ahead", "It has cosigned a larger tree than this database holds (409)"
    CONTRADICTS = "contradicts", "It has cosigned a tree that this one does not continue (422)"
    UNCOSIGNED = "uncosigned", "Its answer holds no valid cosignature by its key"
    # what an authority says
    NOT_GRANTED = "not_granted", "It granted no time-stamp"
    UNVERIFIED = "unverified", "Its time-stamp does not verify under the certificates given for it"
    UNREADABLE = "unreadable", "Its answer is no time-stamp response"
    # ours
    NOT_SIGNED = "not_signed", "Not asked: no checkpoint is signed for this log now"
    OUR_FAULT = "our_fault", "Failed on our side: the log of the outgoing worker says how"


class Anchor(models.Model):
    """How it stands between one log and one witness or authority."""

    DB_ACCESS = Access.WORK

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    log = models.ForeignKey(Log, models.PROTECT, related_name="anchors")
    kind = models.CharField(max_length=16, choices=AnchorKind.choices)
    name = models.CharField(max_length=255)
    """As the operator's file names it."""
    identity = models.CharField(max_length=64)
    """Digest of its key, or of its address and certificates: under another one it is somebody else."""
    known_size = models.BigIntegerField(default=0)
    """What a witness cosigned last, as far as we know: where the next proof begins."""
    tree_size = models.BigIntegerField(default=0)
    """The largest tree that it anchored, and whose cosignature or time-stamp is kept."""
    outcome = models.CharField(max_length=16, choices=Outcome.choices, default=Outcome.WAITING)
    """Of the last attempt."""
    detail = models.CharField(max_length=300, blank=True)
    """More about it, in our words."""
    failures = models.PositiveIntegerField(default=0)
    """Failed attempts since the last that succeeded: its place in the schedule."""
    attempted_at = models.DateTimeField(null=True)
    succeeded_at = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(db_default=Now())
    seen_size = models.BigIntegerField(null=True)
    """The size it shows to monitors, when it was looked at last."""
    looked_at = models.DateTimeField(null=True)
    next_look_at = models.DateTimeField(db_default=Now())
    lease = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)
    """Somebody is asking it. A killed worker's lease runs out, and it is asked again."""

    class Meta:
        constraints = [
            models.UniqueConstraint("log", "kind", "name", name="anchor_once"),
            models.CheckConstraint(
                condition=models.Q(lease=None, leased_until=None)
                | models.Q(lease__isnull=False, leased_until__isnull=False),
                name="anchor_lease_ends",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} on {self.log_id}"

    @property
    def is_well(self) -> bool:
        return self.outcome in (Outcome.ANCHORED, Outcome.WAITING)


class AnchorTarget(models.Model):
    """The checkpoint of a log that is sent about now. One for all of a sort: a quorum is of one and the same tree."""

    DB_ACCESS = Access.WORK

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    log = models.ForeignKey(Log, models.PROTECT, related_name="+")
    kind = models.CharField(max_length=16, choices=AnchorKind.choices)
    checkpoint = models.ForeignKey(Checkpoint, models.PROTECT, related_name="+")
    chosen_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint("log", "kind", name="anchor_target_once")]

    def __str__(self) -> str:
        return f"{self.log_id} {self.kind} {self.checkpoint_id}"


class Cosignature(models.Model):
    """A witness's line under a checkpoint, verified before it was stored.

    It signs the note's text: so it stands under every note of the same tree, whichever keys of ours signed that.
    """

    DB_ACCESS = Access.APPEND

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    checkpoint = models.ForeignKey(Checkpoint, models.PROTECT, related_name="cosignatures")
    log = models.ForeignKey(Log, models.PROTECT, db_index=False, related_name="cosignatures")
    tree_size = models.BigIntegerField()
    """As the checkpoint has them: what is looked for is the newest of a log."""
    witness = models.CharField(max_length=255)
    """As the policy named it then."""
    vkey = models.CharField(max_length=400)
    line = models.TextField()
    cosigned_at = models.DateTimeField()
    """By the witness's clock."""
    received_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint("checkpoint", "vkey", name="cosignature_once")]
        indexes = [models.Index(fields=["log", "tree_size"], name="cosignature_by_size")]

    def __str__(self) -> str:
        return f"{self.witness} on {self.checkpoint_id}"


class Timestamp(models.Model):
    """An RFC 3161 time-stamp over a checkpoint's note text, verified before it was stored."""

    DB_ACCESS = Access.APPEND

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    checkpoint = models.ForeignKey(Checkpoint, models.PROTECT, related_name="timestamps")
    log = models.ForeignKey(Log, models.PROTECT, db_index=False, related_name="timestamps")
    tree_size = models.BigIntegerField()
    authority = models.CharField(max_length=255)
    token = models.BinaryField()
    """The whole TimeStampResp, in DER: what `openssl ts -verify -in` reads."""
    stamped_at = models.DateTimeField()
    """By the authority's clock (genTime)."""
    received_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint("checkpoint", "authority", name="timestamp_once")]
        indexes = [models.Index(fields=["log", "tree_size"], name="timestamp_by_size")]

    def __str__(self) -> str:
        return f"{self.authority} on {self.checkpoint_id}"
