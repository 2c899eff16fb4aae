"""What files are called. One that is not whole says so in its name."""

from evidence.exports.models import Export
from evidence.exports.questions import name_of

Form = Export.Form
INCOMPLETE = "-INCOMPLETE"
ENDINGS = {Form.NDJSON: ".ndjson", Form.CSV: ".csv", Form.OCSF: ".ocsf.ndjson"}


def file_name(export: Export, *, is_whole: bool) -> str:
    """Of the whole file: letters, digits, dots and hyphens."""
    return f"answerable-{name_of(export)}-{export.form}{'' if is_whole else INCOMPLETE}.zip"


def data_name(export: Export, *, is_whole: bool) -> str:
    """Of the one file of lines inside."""
    return f"decisions{'' if is_whole else INCOMPLETE}{ENDINGS[Form(export.form)]}"
