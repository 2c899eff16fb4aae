"""Entry kinds of the evidence floor."""

from ledger.kinds import Belongs, Kind

ERASURE_PERFORMED = Kind("erasure.performed", Belongs.SCOPE, "what is erasable in the row it is about was erased")
HEAD_ADOPTED = Kind("head.adopted", Belongs.SCOPE, "two administrators made this host take a log's head as its own")
LOG_CLOSED = Kind("log.closed", Belongs.REGISTRY, "two administrators closed a log whose tail was lost")
