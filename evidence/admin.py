"""How alerts show what the self-audit found. Loaded with the other admin modules."""

from django.apps import apps
from django.utils.safestring import SafeString

from evidence.verification.findings import MEANINGS
from governance.admin.pages import page_link
from governance.models import AISystem
from notices.alert_kinds import LOST_SYSTEM
from notices.words import moment, shows


@shows("code", "Found")
def _finding(code: str) -> str | None:
    """The first finding in words; its code is what `verify_logs` prints."""
    return f"{MEANINGS[code]} ({code})" if code in MEANINGS else None


@shows("table", "Among")
def _table(name: str) -> str | None:
    """What the rows of a table are called."""
    found = (model for model in apps.get_models() if model._meta.db_table == name)
    return next((str(model._meta.verbose_name_plural) for model in found), None)


VERDICTS = {
    "ahead": "A larger tree than this database holds: it was put back to an older state",
    "forked": "Another tree than this database holds at that size: it was rewritten",
}
PROOF = {
    "yes": "Yes: the checkpoint bears this log's own signature. Nothing more is signed for the log",
    "no": "No: it is the witness's word alone",
}
shows("row", "Its first row, or trigger")(str)


@shows(LOST_SYSTEM, "AI system")
def _lost_system(slug: str) -> SafeString | None:
    """Where its row is still there, as a name that leads to it; else it is called what this host knew it as."""
    found = AISystem.objects.filter(slug=slug).first()
    return page_link(found) if found else None


shows("lost_log", "Log")(str)
shows("lost_entries", "Entries of it that were signed")(str)
shows("verdict", "What it has cosigned")(VERDICTS.get)
shows("proven", "Proven")(PROOF.get)
shows("witness", "Witness")(str)
shows("seen_size", "Entries it has cosigned")(str)
shows("exposed", "Entries in all")(str)
shows("logs", "Logs")(str)
shows("exposed_since", "The first sealed")(moment)
shows("how_many", "How many")(str)
shows("stands_since", "The first since")(moment)
