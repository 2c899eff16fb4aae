"""How alerts show what the self-audit found. Loaded with the other admin modules."""

from django.apps import apps

from evidence.verification.findings import MEANINGS
from notices.words import shows


@shows("code", "Found")
def _finding(code: str) -> str | None:
    """The first finding in words; its code is what `verify_logs` prints."""
    return f"{MEANINGS[code]} ({code})" if code in MEANINGS else None


@shows("table", "Among")
def _table(name: str) -> str | None:
    """What the rows of a table are called."""
    found = (model for model in apps.get_models() if model._meta.db_table == name)
    return next((str(model._meta.verbose_name_plural) for model in found), None)
