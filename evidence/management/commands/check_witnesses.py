"""`manage.py check_witnesses`: compare the logs with what witnesses have cosigned of them, now."""

import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.template.defaultfilters import pluralize

from config.errors import ServiceError
from evidence.models import Anchor, AnchorKind
from evidence.services.anchoring import ensure_anchors
from evidence.services.witness_heads import Look, Verdict, adopt_witnessed_head, look_now
from evidence.witnessing.configured import Misconfigured, Witness, configured
from ledger.entries import COMMAND
from ledger.heads import head_store
from ledger.models import Log
from ledger.selectors import latest_head

CONTRADICTED, MISCONFIGURED, UNSEEN = 1, 2, 3
AT_ONCE = 8
LONGEST_AT_START = 20.0


class Command(BaseCommand):
    help = (
        "Ask every witness of the trust policy what it has cosigned last of every open log, and whether this database"
        " holds it. Run it after a restore, before the service starts: a restored database and a restored head store"
        " agree with each other, and only somebody else remembers more. Exit codes: 0 all fits, 1 a witness holds a"
        " signed checkpoint that this database does not continue (it is recorded, sealed, alerted, and nothing more is"
        " signed for that log), 2 the policy or the authorities cannot be read, 3 a witness could not be asked."
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
            raise CommandError(str(error), returncode=MISCONFIGURED) from error
        if not found.witnesses:
            self.stdout.write("No witness is configured (ANSWERABLE_WITNESS_POLICY_FILE).")
            return
        ensure_anchors(found)
        if options["adopt"]:
            self._adopt()
        looks = self._look(found.witnesses, LONGEST_AT_START if options["at_start"] else None)
        for look in looks:
            if look.verdict.contradicts or not (options["at_start"] or look.verdict == Verdict.UNANSWERED):
                self._say(look)
        self._say_unanswered([look for look in looks if look.verdict == Verdict.UNANSWERED])
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
        """Threads of its own for each witness: one that is not there takes none from those that are."""
        until = time.monotonic() + seconds if seconds is not None else None
        asked = [_Asked(witness, max(1, AT_ONCE // len(witnesses))) for witness in witnesses]
        return [look for each in asked for look in each.results(until)]

    def _say_unanswered(self, looks: Sequence[Look]) -> None:
        """One line for each witness and reason, about however many logs."""
        alike: dict[tuple[str, str], list[Look]] = {}
        for look in looks:
            alike.setdefault((look.witness.name, look.detail), []).append(look)
        for (name, detail), found in alike.items():
            if len(found) == 1:
                self._say(found[0])
            else:
                self.stdout.write(f"{name}: {Verdict.UNANSWERED.value}. {detail} ({len(found):,} logs)")

    def _say(self, look: Look) -> None:
        size = f" ({look.size:,} entr{pluralize(look.size, 'y,ies')})" if look.size is not None else ""
        words = f"{look.log.origin}: {look.witness.name}: {look.verdict.value}{size}. {look.detail}".strip()
        if look.verdict.contradicts:
            words = f"CONTRADICTED {words} Nothing more is signed for it: docs/witnessing.md says what to do."
        self.stdout.write(words)


class _Asked:
    """What one witness is asked about all open logs. Once it is silent about one, it is not asked about the others."""

    def __init__(self, witness: Witness, at_once: int) -> None:
        self.witness = witness
        self.silent: Look | None = None
        mine = Anchor.objects.filter(kind=AnchorKind.WITNESS, name=witness.name, log__closure=None)
        anchors = mine.select_related("log").order_by("log__kind", "log_id")
        self.pool = ThreadPoolExecutor(at_once)
        self.asked = [(self.pool.submit(self._look, anchor), anchor) for anchor in anchors]

    def results(self, until: float | None) -> list[Look]:
        """All of them; what was not answered until then is unanswered."""
        left = max(0.0, until - time.monotonic()) if until is not None else None
        wait([future for future, _ in self.asked], timeout=left)
        self.pool.shutdown(wait=until is None, cancel_futures=True)
        return [self._result(future, anchor) for future, anchor in self.asked]

    def _look(self, anchor: Anchor) -> Look:
        if self.silent is not None:
            return replace(self.silent, log=anchor.log)
        try:
            look = look_now(actor=COMMAND, anchor=anchor, witness=self.witness)
        finally:
            connection.close()
        if look.is_silent:
            self.silent = look
        return look

    def _result(self, future: "Future[Look]", anchor: Anchor) -> Look:
        if not future.done() or future.cancelled():
            return Look(anchor.log, self.witness, Verdict.UNANSWERED, detail="Not in time.")
        return future.result()
