"""`manage.py check_witnesses`: compare the logs with what witnesses have cosigned of them, now."""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from config.errors import ServiceError
from evidence.models import Anchor, AnchorKind
from evidence.services.anchoring import ensure_anchors
from evidence.services.witness_heads import Look, Verdict, adopt_witnessed_head, look_now
from evidence.witnessing.configured import Misconfigured, Witness, configured
from ledger.entries import COMMAND
from ledger.heads import head_store
from ledger.models import Log
from ledger.selectors import latest_head

CONTRADICTED, UNSEEN = 1, 3
AT_ONCE = 8
LONGEST_AT_START = 20.0


class Command(BaseCommand):
    help = (
        "Ask every witness of the trust policy what it has cosigned last of every open log, and whether this database"
        " holds it. Run it after a restore, before the service starts: a restored database and a restored head store"
        " agree with each other, and only somebody else remembers more. Exit codes: 0 all fits, 1 a witness holds a"
        " signed checkpoint that this database does not continue (it is recorded, sealed, alerted, and nothing more is"
        " signed for that log), 3 a witness could not be asked."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--adopt",
            action="store_true",
            help="give this host the heads that it has none of, where the policy's quorum of witnesses shows one",
        )
        parser.add_argument(
            "--at-start",
            action="store_true",
            help=f"for {LONGEST_AT_START:.0f} seconds at most, saying only what is wrong, with exit code 0",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = configured()
        except Misconfigured as error:
            raise CommandError(str(error)) from error
        if not found.witnesses:
            self.stdout.write("No witness is configured (ANSWERABLE_WITNESS_POLICY_FILE).")
            return
        ensure_anchors(found)
        if options["adopt"]:
            self._adopt()
        looks = self._look(found.witnesses, LONGEST_AT_START if options["at_start"] else None)
        for look in looks:
            if not options["at_start"] or look.verdict.contradicts or look.verdict == Verdict.UNANSWERED:
                self._say(look)
        verdicts = {look.verdict for look in looks}
        if options["at_start"] or not verdicts & {Verdict.AHEAD, Verdict.FORKED, Verdict.UNANSWERED}:
            return
        sys.exit(CONTRADICTED if any(each.contradicts for each in verdicts) else UNSEEN)

    def _adopt(self) -> None:
        """Those that need it: a log that has entries, and of which this host has no head."""
        for log in Log.objects.filter(closure=None).order_by("kind", "id"):
            if head_store().head(log.id) is not None or not latest_head(log.id).tree_size:
                continue
            try:
                head = adopt_witnessed_head(actor=COMMAND, log=log)
                self.stdout.write(f"{log.origin}: adopted a head of {head.tree_size:,} entries from its witnesses")
            except ServiceError as error:
                self.stdout.write(f"{log.origin}: not adopted. {error.title}: {error.detail}")

    def _look(self, witnesses: Sequence[Witness], seconds: float | None) -> list[Look]:
        by_name = {each.name: each for each in witnesses}
        mine = Anchor.objects.filter(kind=AnchorKind.WITNESS, name__in=by_name, log__closure=None)
        anchors = list(mine.select_related("log").order_by("log__kind", "log_id", "name"))
        pool = ThreadPoolExecutor(AT_ONCE)
        asked = {pool.submit(_look, anchor, by_name[anchor.name]): anchor for anchor in anchors}
        wait(asked, timeout=seconds)
        pool.shutdown(wait=seconds is None, cancel_futures=True)
        return [_result(future, anchor, by_name[anchor.name]) for future, anchor in asked.items()]

    def _say(self, look: Look) -> None:
        size = f" ({look.size:,} entries)" if look.size is not None else ""
        words = f"{look.log.origin}: {look.witness.name}: {look.verdict.value}{size}. {look.detail}".strip()
        if look.verdict.contradicts:
            words = f"CONTRADICTED {words} Nothing more is signed for it: docs/witnessing.md says what to do."
        self.stdout.write(words)


def _look(anchor: Anchor, witness: Witness) -> Look:
    try:
        return look_now(actor=COMMAND, anchor=anchor, witness=witness)
    finally:
        connection.close()


def _result(future: "Future[Look]", anchor: Anchor, witness: Witness) -> Look:
    if not future.done() or future.cancelled():
        return Look(anchor.log, witness, Verdict.UNANSWERED, detail="Not in time.")
    return future.result()
