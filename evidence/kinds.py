"""Entry kinds of the evidence floor."""

from ledger.kinds import Belongs, Kind

ERASURE_PREPARED = Kind("erasure.prepared", Belongs.SCOPE, "somebody prepares an erasure: nothing is asked for yet")
ERASURE_REQUESTED = Kind("erasure.requested", Belongs.SCOPE, "somebody asks to erase: what, by count and digest")
ERASURE_APPROVED = Kind("erasure.approved", Belongs.SCOPE, "a second person agreed to an erasure, as it was asked for")
ERASURE_REFUSED = Kind("erasure.refused", Belongs.SCOPE, "the second person said no: nothing is erased")
ERASURE_WITHDRAWN = Kind("erasure.withdrawn", Belongs.SCOPE, "whoever asked for an erasure took it back")
ERASURE_ANNOUNCED = Kind("erasure.announced", Belongs.SCOPE, "those who may stop it were told when an erasure runs")
ERASURE_RESTRICTED = Kind(
    "erasure.restricted", Belongs.SYSTEM, "a data protection officer alone reads these, until then"
)
ERASURE_TEXTS_RESTRICTED = Kind(
    "erasure.texts_restricted", Belongs.SCOPE, "a data protection officer alone reads these texts, until then"
)
ERASURE_SCHEDULED = Kind("erasure.scheduled", Belongs.SCOPE, "what cannot be erased yet waits for its day")
ERASURE_STARTED = Kind("erasure.started", Belongs.SCOPE, "the day of an erasure has come: from here on it is performed")
ERASURE_HELD = Kind("erasure.held", Belongs.SCOPE, "somebody who was told of an erasure stopped it")
ERASURE_COMPLETED = Kind(
    "erasure.completed", Belongs.SCOPE, "all that a request asked for is erased; its own words too"
)
PERSON_ERASED = Kind("person.erased", Belongs.REGISTRY, "the name of somebody who has left is nowhere any more")
RETENTION_CLASS_REGISTERED = Kind("retention_class.registered", Belongs.REGISTRY, "a floor and a ceiling, with reasons")
RETENTION_CLASS_ARCHIVED = Kind("retention_class.archived", Belongs.REGISTRY, "a class of retention is chosen no more")
RETENTION_RULE_REQUESTED = Kind("retention_rule.requested", Belongs.SCOPE, "somebody asks that a class hold there")
RETENTION_RULE_APPROVED = Kind("retention_rule.approved", Belongs.SCOPE, "a second person put a class in force there")
RETENTION_RULE_REFUSED = Kind("retention_rule.refused", Belongs.SCOPE, "the second person said no: as it was before")
RETENTION_RULE_WITHDRAWN = Kind("retention_rule.withdrawn", Belongs.SCOPE, "whoever asked for a class took it back")
RETENTION_RULE_SUPERSEDED = Kind("retention_rule.superseded", Belongs.SCOPE, "another class took its place there")
RETENTION_ANNOUNCED = Kind("retention.announced", Belongs.REGISTRY, "a purge was announced: what goes, and when")
RETENTION_HELD = Kind("retention.held", Belongs.REGISTRY, "somebody who was told of a purge stopped it")
RETENTION_PART_HELD = Kind(
    "retention.part_held", Belongs.REGISTRY, "whoever answers for AI systems kept them out of a purge"
)
RETENTION_STARTED = Kind("retention.started", Belongs.REGISTRY, "a purge began, at the time that was told")
RETENTION_PURGED = Kind("retention.purged", Belongs.SCOPE, "what was past its time was erased: how many, their digest")
RETENTION_CONCLUDED = Kind("retention.concluded", Belongs.REGISTRY, "a purge is over: counts by AI system, the digest")
BACKUP_MADE = Kind("backup.made", Belongs.REGISTRY, "a backup of the installation was made: the digest of its manifest")
CUSTODY_ASKED = Kind("custody.asked", Belongs.REGISTRY, "an administrator asked for an act of custody")
CUSTODY_APPROVED = Kind("custody.approved", Belongs.REGISTRY, "a second administrator agreed to an act of custody")
CUSTODY_CARRIED_OUT = Kind("custody.carried_out", Belongs.REGISTRY, "an act of custody that two agreed to was done")
CUSTODY_REFUSED = Kind("custody.refused", Belongs.REGISTRY, "a second administrator said no to an act of custody")
CUSTODY_WITHDRAWN = Kind("custody.withdrawn", Belongs.REGISTRY, "an act of custody is asked for no more")
CUSTODY_VOIDED = Kind("custody.voided", Belongs.REGISTRY, "an act of custody was not carried out in time")
ERASURE_PERFORMED = Kind("erasure.performed", Belongs.SCOPE, "what is erasable in the row it is about was erased")
CHECKPOINT_CONTRADICTED = Kind(
    "checkpoint.contradicted",
    Belongs.REGISTRY,
    "somebody outside holds a signed checkpoint that the database contradicts",
)
HEAD_ADOPTED = Kind(
    "head.adopted", Belongs.SCOPE, "a host took a log's head as its own: by two administrators, or from witnesses"
)
LETTER_ISSUED = Kind(
    "letter.issued", Belongs.SYSTEM, "a person explained a decision to somebody it is about, in writing"
)
LETTER_WITHDRAWN = Kind("letter.withdrawn", Belongs.SYSTEM, "an explanation letter does not stand any more")
LOG_CLOSED = Kind("log.closed", Belongs.REGISTRY, "two administrators closed a log whose tail was lost")

EXPORT_REQUESTED = Kind("export.requested", Belongs.REGISTRY, "somebody asks for an export of the record")
EXPORT_APPROVED = Kind("export.approved", Belongs.REGISTRY, "a second person agreed to an export with contents")
EXPORT_REFUSED = Kind("export.refused", Belongs.REGISTRY, "a second person said no: nothing is exported")
EXPORT_WITHDRAWN = Kind("export.withdrawn", Belongs.REGISTRY, "whoever asked for an export took it back")
EXPORT_FINISHED = Kind(
    "export.finished", Belongs.SCOPE, "an export was made: what is in it, and the digest of its file"
)
EXPORT_FAILED = Kind("export.failed", Belongs.SCOPE, "an export could not be made")
EXPORT_CANCELLED = Kind("export.cancelled", Belongs.SCOPE, "an export was given up while it was being made")
EXPORT_EXPIRED = Kind("export.expired", Belongs.SCOPE, "the file of an export was deleted: its time was over")
EXPORT_DOWNLOADED = Kind("export.downloaded", Belongs.SCOPE, "somebody fetched the file of an export")
