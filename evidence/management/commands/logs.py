"""`manage.py logs`: how each log stands on this host, and what is to be done where one does not go on."""

import sys
from typing import Any

from django.core.management.base import BaseCommand
from django.template.defaultfilters import pluralize

from config.errors import ServiceError
from evidence.log_standing import LogStanding, Standing, log_standings, logs_lost_whole
from governance.models import AISystem

EXIT_LOOK = 3
LOST = """
{count} lost entries that were signed. Look for them first: in replicas, in later backups, on the disk that failed.
What is found is restored in the place of this database. What is gone for good is stated: one administrator asks,
another agrees, and the logs are closed; each one's successor says what is missing, and recording goes on there.

  manage.py close_log --by EMAIL
"""
FORKED = """
Of {count} two histories were signed: a witness holds a tree with this log's own signature that this database does not
continue, though it is no larger. An older state was restored and went on, or it was rewritten by somebody who had the
key. Keep this database as it is until you know which (docs/witnessing.md). Nothing is recorded there until two
administrators close it; recording goes on in its successor, which says what was held against it.

  manage.py close_log --by EMAIL
"""
UNKNOWN = """
Of {count} this host has no head: there was no head store here, or another one. If one survived anywhere, stop the
service and put it there. If not, two administrators decide, log by log:

  manage.py adopt_head LOG --by EMAIL                  it lost nothing: the database is the newest there was
  manage.py close_log LOG --tail-unknown --by EMAIL    it may have lost something: its successor says that nobody knows

`all` in the place of LOG means each of them.
"""


class Command(BaseCommand):
    help = (
        "Compare each open log with what this host signed last, and say what is to be done. Exit code 0: all go on."
        " 3: people have to look. It compares heads and roots; `verify_logs` derives everything anew."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            standings, lost = log_standings(), logs_lost_whole()
        except ServiceError as error:
            self.stderr.write(self.style.ERROR(f"{error.title}: {error.detail}"))
            sys.exit(EXIT_LOOK)
        names = AISystem.objects.in_bulk([each.log.system_id for each in standings if each.log.system_id])
        for each in standings:
            system = names.get(each.log.system_id) if each.log.system_id else None
            self.stdout.write(f"{each.log.origin}{f' ({system.slug})' if system else ''}: {_line(each)}")
        for gone in lost:
            said = f"log {gone.log_id} of {gone.words}: gone; {gone.signed.tree_size:,} entries of it were signed"
            self.stdout.write(said)
        self._say_what_next(standings, len(lost))

    def _say_what_next(self, standings: list[LogStanding], lost: int) -> None:
        troubled = sum(each.standing in (Standing.BEHIND, Standing.REWRITTEN) for each in standings)
        forked = sum(each.standing is Standing.FORKED for each in standings)
        unknown = sum(each.standing is Standing.NO_HEAD for each in standings)
        if troubled:
            self.stdout.write(LOST.format(count=_logs(troubled)).rstrip())
        if forked:
            self.stdout.write(FORKED.format(count=_logs(forked)).rstrip())
        if unknown:
            self.stdout.write(UNKNOWN.format(count=_logs(unknown)).rstrip())
        if lost and not troubled:
            self.stdout.write("\nThe registry log does not say that a log is gone; `verify_logs` may say more.")
        if troubled or forked or unknown or lost:
            sys.exit(EXIT_LOOK)


def _line(each: LogStanding) -> str:
    held = f"{_entries(each.found.tree_size)}, {each.standing.value}"
    first, end = each.missing
    if first < end:
        held += f": {_entries(end - first)} ({first:,} to {end - 1:,}) were signed and are not here"
    for outside in each.contradicted:
        held += f"; contradicted: {outside.witness} holds a signed tree of {_entries(outside.tree_size)}"
    return held


def _entries(count: int) -> str:
    return f"{count:,} entr{pluralize(count, 'y,ies')}"


def _logs(number: int) -> str:
    return "1 log" if number == 1 else f"{number} logs"
