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
