"""Entry kinds of the evidence floor."""

from ledger.kinds import Belongs, Kind

BACKUP_MADE = Kind("backup.made", Belongs.REGISTRY, "a backup of the installation was made: the digest of its manifest")
CUSTODY_ASKED = Kind("custody.asked", Belongs.REGISTRY, "an administrator asked for an act of custody")
CUSTODY_APPROVED = Kind("custody.approved", Belongs.REGISTRY, "a second administrator agreed to an act of custody")
CUSTODY_CARRIED_OUT = Kind("custody.carried_out", Belongs.REGISTRY, "an act of custody that two agreed to was done")
CUSTODY_REFUSED = Kind("custody.refused", Belongs.REGISTRY, "a second administrator said no to an act of custody")
CUSTODY_WITHDRAWN = Kind("custody.withdrawn", Belongs.REGISTRY, "an act of custody is asked for no more")
CUSTODY_VOIDED = Kind("custody.voided", Belongs.REGISTRY, "an act of custody was not carried out in time")
ERASURE_PERFORMED = Kind("erasure.performed", Belongs.SCOPE, "what is erasable in the row it is about was erased")
HEAD_ADOPTED = Kind("head.adopted", Belongs.SCOPE, "two administrators made this host take a log's head as its own")
LETTER_ISSUED = Kind(
    "letter.issued", Belongs.SYSTEM, "a person explained a decision to somebody it is about, in writing"
)
LETTER_WITHDRAWN = Kind("letter.withdrawn", Belongs.SYSTEM, "an explanation letter does not stand any more")
LOG_CLOSED = Kind("log.closed", Belongs.REGISTRY, "two administrators closed a log whose tail was lost")
