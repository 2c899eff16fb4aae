"""What alerts are called and what they mean, for pages and e-mails: those of the floors above too, in words alone."""

from typing import NamedTuple

from notices.kinds import kind_words


class AlertKind(NamedTuple):
    title: str
    meaning: str
    """For whoever sees one for the first time."""


LOST_SYSTEM = "lost_system"
"""The fact that says whose a lost log was, as people call the AI system: its row may be gone as well."""
ALERT_KINDS = {
    "accountability.ending": AlertKind(
        "Responsibility ends soon",
        "Whoever answers for a live AI system does so for a few days more, and nobody has accepted to follow.",
    ),
    "accountability.gap": AlertKind(
        "Nobody answers for it",
        "A live AI system has nobody who has accepted to answer for it.",
    ),
    "card.day_passed": AlertKind(
        "A day of the system card has passed",
        "The card in force names a day for its next review, or for the planned retirement, and it is over.",
    ),
    "case.lead_conflict": AlertKind(
        "An investigator had a part in it",
        "Whoever leads an investigation, or was appointed to it, answers for what it is about by now, or had a part in "
        "one of its decisions.",
    ),
    "case.lead_without_role": AlertKind(
        "The lead is no investigator any more",
        "Whoever leads an investigation lost the role that it takes. The case waits for another lead.",
    ),
    "client.not_armed": AlertKind(
        "Clients not armed",
        "Clients did not apply the last probe. They might not hear of a stop either.",
    ),
    "control.recovered": AlertKind(
        "Controls were set back",
        "Clients knew a newer state than the database, as after a restore. The stricter one holds.",
    ),
    "custody.by_passwords": AlertKind(
        "Two passwords at the host's terminal",
        "Somebody at the host typed the passwords of two administrators to close a log, adopt a head or replace the "
        "signing key, without either of them signing in. Ask both whether they did.",
    ),
    "decision.conflicted": AlertKind(
        "Two records under one id",
        "Another record came under the id of a decision. The first one stands.",
    ),
    "drill.not_restored": AlertKind(
        "Drill over, switch not restored",
        "A drill is over, and its switch stays: who agreed to its end may not loosen it any more.",
    ),
    "drill.overdue": AlertKind(
        "Drill overdue",
        "Nobody has practised stopping this AI system for too long.",
    ),
    "effect.failed": AlertKind(
        "Not carried out",
        "The calling service failed to carry out what was decided.",
    ),
    "effect.mismatched": AlertKind(
        "Carried out otherwise than decided",
        "The calling service carried out something else than what people decided.",
    ),
    "erasure.blocked": AlertKind(
        "The database refused an erasure",
        "What was to be erased is not what two people agreed to, or must be kept. Nothing of it was erased.",
    ),
    "erasure.not_remembered": AlertKind(
        "What is erased is not remembered",
        "The file beside the head store that remembers what was erased (erased.sqlite3) cannot be read or written on a "
        "host with a worker. If an older database were restored now, nobody would know what to erase again.",
    ),
    "erasure.undone": AlertKind(
        "What was erased is back",
        "The database holds what was erased before, as after a restore of an older one. A data protection officer has "
        "it erased again: Erasures.",
    ),
    "erasure.standing_still": AlertKind(
        "An erasure stands still",
        "Its time has come, and for three hours nothing of it was erased: no worker is there, or an export that holds "
        "some of it cannot be deleted. The log of the worker says which.",
    ),
    "export.failing": AlertKind(
        "Exports fail",
        "Exports could not be made, or are tried again and again. Their pages and the log of the exports worker say "
        "why: no room, a storage that is away, a fault.",
    ),
    "export.not_deleted": AlertKind(
        "Exports past their time are still kept",
        "Their files could not be deleted for an hour: where they are kept is away, or lies on another host. Nobody "
        "is given them meanwhile.",
    ),
    "export.not_made": AlertKind(
        "Nobody makes exports",
        "Exports wait, and for ten minutes no worker was at any of them. Is the exports worker running?",
    ),
    "incident.due": AlertKind(
        "A deadline of an incident is near",
        "Something has to be reported or told because of a serious incident, and it was not recorded yet.",
    ),
    "incident.overdue": AlertKind(
        "A deadline of an incident is over",
        "Something had to be reported or told because of a serious incident, and it was not recorded in time.",
    ),
    "ledger.audit_failed": AlertKind(
        "Self-audit failed",
        "The self-audit could not look at something. What it could not see, it cannot vouch for.",
    ),
    "ledger.discontinued": AlertKind(
        "Log does not go on from what was signed",
        "A log does not go on from what this host has signed: a restore, or somebody cut it.",
    ),
    "ledger.log_lost": AlertKind(
        "A whole log is gone",
        "A log that this host has signed for is not in the database at all: an older database was restored, or "
        "somebody deleted it. Look for it in replicas and later backups; the page Custody says what can be done.",
    ),
    "ledger.mismatch": AlertKind(
        "Changed after it was sealed",
        "The database does not hold what was sealed. Somebody or something changed it.",
    ),
    "ledger.not_anchored": AlertKind(
        "Not seen by anybody outside",
        "Neither witnesses nor time-stamp authorities have seen what was sealed, for longer than it should take. Until "
        "they have, somebody with database, key and head store could rewrite it.",
    ),
    "ledger.witness_contradicts": AlertKind(
        "A witness remembers another history",
        "A witness has cosigned a tree of this log that the database does not continue: an older database was "
        "restored, or two histories were signed.",
    ),
    "purge.standing_still": AlertKind(
        "A purge stands still",
        "Its time has come, and for three hours nothing of it went: no worker is there, the database refuses, or an "
        "export that holds some of it cannot be deleted. The log of the worker says which.",
    ),
    "review.deadline_missed": AlertKind(
        "Review deadline missed",
        "Nobody decided in time. What the rule says for that case was applied.",
    ),
    "signin.locked": AlertKind(
        "Sign-in locked",
        "Somebody failed to sign in again and again.",
    ),
    "source.silent": AlertKind(
        "Source silent",
        "A source that reports regularly was not heard of. Its decisions may be missing.",
    ),
    "switch.breached": AlertKind(
        "Switch disobeyed",
        "Decisions took effect although a switch forbade it, and their caller must have known.",
    ),
    "switch.emergency_cleared": AlertKind(
        "Emergency clearing by one person",
        "One person alone took a stopped AI system back to review. Another must look at it.",
    ),
    "switch.unconfirmed": AlertKind(
        "Not confirmed by every client",
        "A minute after a change of a switch, not every client has confirmed it.",
    ),
}


def alert_title(kind: str) -> str:
    """What alerts of a kind are called."""
    return ALERT_KINDS[kind].title if kind in ALERT_KINDS else kind_words(kind)
