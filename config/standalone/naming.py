"""The name an installation goes by, held against the one its logs were born with."""

import psycopg

from config.standalone import layout
from config.standalone.options import Options
from config.standalone.processes import StandaloneError
from config.standalone.terminal import say

REGISTRY = "SELECT origin FROM ledger_log WHERE kind = 'registry' ORDER BY sequence DESC LIMIT 1"


def agree_on_origin(options: Options) -> None:
    """Take the name of the logs in the database where ours was only made up; refuse to start where it was chosen.

    A log keeps the origin it was born with. Under another name, systems registered from now on would get logs that do
    not belong to this installation's registry, for good. Errors: `StandaloneError`.
    """
    born = _name_of_logs(options)
    name = options.origin or layout.origin(options.data_dir)
    if born is None or born == name:
        return
    if options.origin is None and layout.MADE_UP_ORIGIN.fullmatch(name):
        layout.keep_origin(options.data_dir, born)
        say(f"The logs in the database are those of {born}, so this installation goes by that name again.")
        return
    where = "ANSWERABLE_ORIGIN" if options.origin else f"{options.data_dir / 'origin'}"
    raise StandaloneError(
        f"The logs in the database are those of {born}, but {where} says {name}.\n"
        f"An installation keeps the name it was born with: set {where} to {born}, or start on an empty database."
    )


def _name_of_logs(options: Options) -> str | None:
    """What the newest registry log's origin starts with; None where there is none yet."""
    url = options.database_url or layout.database_url(options.data_dir, role="app")
    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            row = connection.execute(REGISTRY).fetchone()
    except psycopg.errors.UndefinedTable:  # a database of your own that nobody has set up; readiness says so
        return None
    except psycopg.OperationalError as error:
        raise StandaloneError(f"The database does not answer as `app`: {error}") from None
    return str(row[0]).rpartition("/logs/")[0] if row else None
