"""Acts of custody in words: what each does, how a request stands, the command that carries it out."""

from evidence.models import CustodyRequest

Status, What = CustodyRequest.Status, CustodyRequest.What

ASKS: dict[CustodyRequest.What, tuple[str, str]] = {
    What.CLOSE: (
        "Close logs that lost their tail",
        "The database holds less than was signed, or something else: an older one was restored, or somebody changed "
        "it. Look for what is missing first, in replicas and later backups. Closing states for good what is gone, and "
        "what a witness holds against it; recording goes on in each log's successor. It cannot be undone.",
    ),
    What.CLOSE_UNKNOWN: (
        "Close logs whose tail nobody knows",
        "This host has no head of these logs, so nothing here says what was signed. Close those that may have lost "
        "something: their successors say that nobody knows how much. It cannot be undone.",
    ),
    What.ADOPT: (
        "Adopt the heads of logs that lost nothing",
        "This host has no head of these logs. Adopt them only where the database is the newest there was: a log that "
        "lost something would be signed a second time from there on, and whoever holds an earlier receipt has proof of "
        "it. Each log is verified whole before.",
    ),
    What.BEGIN_ROTATION: (
        "Begin to replace the signing key",
        "A new key is announced in every open log, signed for by the old one. From then on both sign, until the old "
        "one is retired.",
    ),
    What.FINISH_ROTATION: (
        "Retire the old signing key",
        "The new key signs alone from then on. Whoever verifies must have the new verifier keys before.",
    ),
    What.WITHDRAW_KEYS: (
        "Retire a key that was lost",
        "A key was announced that is not in the key file of this host, and of which no copy exists. It is retired; the "
        "one that is there goes on signing.",
    ),
}
STATUS: dict[str, tuple[str, str]] = {
    Status.ASKED: ("Waits for a second administrator", "warn"),
    Status.APPROVED: ("Agreed to, waits to be carried out", "warn"),
    Status.CARRIED_OUT: ("Carried out", "ok"),
    Status.REFUSED: ("Refused", "neutral"),
    Status.WITHDRAWN: ("Withdrawn", "neutral"),
    Status.VOID: ("Expired", "neutral"),
}
DONE = {
    "approve": "Agreed. It is carried out at the host, by the command below.",
    "refuse": "Refused.",
    "withdraw": "Withdrawn.",
}
COMMANDS = {
    What.CLOSE: "close_log",
    What.CLOSE_UNKNOWN: "close_log --tail-unknown",
    What.ADOPT: "adopt_head",
    What.BEGIN_ROTATION: "rotate_signing_key",
    What.FINISH_ROTATION: "rotate_signing_key --finish",
    What.WITHDRAW_KEYS: "rotate_signing_key --withdraw",
}


def command(what: CustodyRequest.What) -> str:
    """What somebody at the host types once two have agreed."""
    return f"python manage.py {COMMANDS[what]} --approved"
