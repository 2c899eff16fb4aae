"""Entry kinds of the evidence floor."""

from ledger.kinds import Belongs, Kind

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
