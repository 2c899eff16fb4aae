"""Tables of the ledger. All but `Particulars` are append-only: triggers refuse every UPDATE, DELETE and TRUNCATE."""

from django.db import models
from django.db.models.functions import Now

from config.database import Access
from config.ids import new_id


class Log(models.Model):
    """One append-only Merkle log: an AI system's, or the organisation's registry."""

    class Kind(models.TextChoices):
        REGISTRY = "registry"
        SYSTEM = "system"

    DB_ACCESS = Access.APPEND | Access.LOCK

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    origin = models.CharField(max_length=255, unique=True)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    # No constraint: the AI system's row lives on a higher floor.
    system_id = models.UUIDField(null=True, blank=True)
    sequence = models.PositiveIntegerField(default=0)
    predecessor = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="successors")
    created_at = models.DateTimeField(db_default=Now())
    # FOR UPDATE asks for the UPDATE right on some column; nothing is ever written here.
    lock = models.SmallIntegerField(db_default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint("system_id", "sequence", name="log_sequence_once", nulls_distinct=False),
            models.CheckConstraint(
                condition=models.Q(kind="registry", system_id__isnull=True)
                | models.Q(kind="system", system_id__isnull=False),
                name="log_kind_matches_system",
            ),
        ]

    def __str__(self) -> str:
        return self.origin


class LogClosure(models.Model):
    """A log that takes no more entries; its successor's entry 0 tells why."""

    DB_ACCESS = Access.APPEND

    log = models.OneToOneField(Log, models.PROTECT, primary_key=True, related_name="closure")
    tree_size = models.BigIntegerField()
    root_hash = models.BinaryField()
    entry_id = models.UUIDField()
    closed_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.log_id} closed at {self.tree_size}"


class Entry(models.Model):
    """One item of a log: the exact bytes that are hashed, and their place."""

    DB_ACCESS = Access.APPEND

    pk = models.CompositePrimaryKey("log_id", "leaf_index")
    log = models.ForeignKey(Log, models.PROTECT, db_index=False, db_constraint=False, related_name="entries")
    leaf_index = models.BigIntegerField()
    id = models.UUIDField()
    kind = models.CharField(max_length=60)
    # What the entry is about (a governed row, a decision), where it is not the entry's own id.
    about_id = models.UUIDField(null=True)
    data = models.BinaryField()
    leaf_hash = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint("id", name="entry_id_once")]
        indexes = [
            models.Index("about_id", condition=models.Q(about_id__isnull=False), name="entry_about"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class Tile(models.Model):
    """A full tile of 256 hashes (C2SP tlog-tiles). Partial ones are cut from leaf hashes and the roots of full ones."""

    DB_ACCESS = Access.APPEND

    pk = models.CompositePrimaryKey("log_id", "level", "index")
    log = models.ForeignKey(Log, models.PROTECT, db_index=False, db_constraint=False, related_name="tiles")
    level = models.SmallIntegerField()
    index = models.BigIntegerField()
    data = models.BinaryField()
    root = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.log_id} tile {self.level}/{self.index}"


class Head(models.Model):
    """The state of a log after one commit. Only ever inserted: an UPDATE of one row rots under a long snapshot."""

    DB_ACCESS = Access.APPEND

    pk = models.CompositePrimaryKey("log_id", "tree_size")
    log = models.ForeignKey(Log, models.PROTECT, db_index=False, db_constraint=False, related_name="heads")
    tree_size = models.BigIntegerField()
    root_hash = models.BinaryField()
    frontier = models.BinaryField()
    recorded_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.log_id} at {self.tree_size}"


class Checkpoint(models.Model):
    """A signed checkpoint that was anchored, bundled or put in the registry log; others are signed on demand.

    The id of one that was put in the registry log is that of the entry that says so; of others nothing is sealed.
    """

    class Purpose(models.TextChoices):
        RECORDED = "recorded"
        ANCHORED = "anchored"
        BUNDLED = "bundled"

    DB_ACCESS = Access.APPEND

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    log = models.ForeignKey(Log, models.PROTECT, related_name="checkpoints")
    tree_size = models.BigIntegerField()
    root_hash = models.BinaryField()
    note = models.TextField()
    purpose = models.CharField(max_length=16, choices=Purpose.choices, db_default=Purpose.RECORDED)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["log", "tree_size"], name="checkpoint_by_size")]

    def __str__(self) -> str:
        return f"{self.log_id} checkpoint {self.tree_size}"


class Contradiction(models.Model):
    """A checkpoint of a log that bears its own signature, is in somebody else's hands, and does not fit the database.

    Either the database was put back to an older state, or two histories were signed. While one stands, nothing is
    sealed in the log and nothing signed for it; two administrators close it.
    """

    DB_ACCESS = Access.APPEND

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    log = models.ForeignKey(Log, models.PROTECT, related_name="contradictions")
    tree_size = models.BigIntegerField()
    root_hash = models.BinaryField()
    note = models.TextField()
    """The signed note, as it was found: the evidence."""
    witness = models.CharField(max_length=255)
    """The name of the key of whoever had it."""
    found_size = models.BigIntegerField()
    """How large the log was in the database then."""
    found_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint("log", "tree_size", "root_hash", name="contradiction_once")]

    def __str__(self) -> str:
        return f"{self.log_id} contradicted at {self.tree_size}"


class Particulars(models.Model):
    """One version of what is personal or free text in a governed row, or of a reason given for an act.

    Entries and state bytes carry only a salted commitment to `data`. Erasing sets `data` and `secret` to NULL
    together; every proof stays valid.
    """

    DB_ACCESS = Access.ERASABLE
    ERASED_TOGETHER = ("secret", "data")

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    row_id = models.UUIDField(db_index=True)
    part = models.CharField(max_length=40)
    secret = models.BinaryField(null=True)
    data = models.BinaryField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "particulars"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(secret__isnull=True, data__isnull=True)
                | models.Q(secret__isnull=False, data__isnull=False),
                name="particulars_erased_together",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.part} of {self.row_id}"


class Erasure(models.Model):
    """Permission, within one transaction, to erase what is erasable in one row; stays as the record that it happened.

    `transaction` is set by a trigger, so that a permission cannot be written for later. Functions of the database write
    them, after they have looked whether the row may be erased (docs/retention.md).
    """

    DB_ACCESS = Access.FUNCTIONS_ONLY

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    row_id = models.UUIDField(db_index=True)
    entry_id = models.UUIDField()
    transaction = models.BigIntegerField(default=0)
    erased_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"erasure of {self.row_id}"
