"""`manage.py restore`: a backup where there is no database, and how the logs stand there."""

import os
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings

from evidence.backup_commands import BackupCommand
from evidence.backups.checking import check_backup
from evidence.backups.keys import known_keys
from evidence.backups.manifest import EXIT_LOOK, read_manifest
from evidence.backups.places import Heads
from evidence.backups.restoring import restored


class Command(BackupCommand):
    help = (
        "Restore a backup into the data folder (ANSWERABLE_DATA_DIR), or into the empty database of"
        " ANSWERABLE_ADMIN_DATABASE_URL. A head store and control.json that survived there are kept: they know what"
        " came after the backup. Exit code 0: restored, and every log goes on. 1: nothing was restored. 3: restored,"
        " and people have to look before anything is recorded; it says what they do."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("backup", type=Path, help="the folder of one backup")
        parser.add_argument(
            "--heads",
            choices=[Heads.BACKUP, Heads.NONE],
            help="where no head store survived; without it the command says what each would mean",
        )
        parser.add_argument("--keys-from", type=Path, metavar="FOLDER", help="the keys of a backup without")
        parser.add_argument(
            "--keys", choices=["backup"], help="put other keys that lie there aside, and the backup's in their place"
        )
        parser.add_argument("--no-verify", action="store_true", help="do not verify every log now (it takes a while)")
        self.add_vkey(parser)

    def act(self, options: dict[str, Any]) -> None:
        backup = options["backup"].absolute()
        manifest, _ = read_manifest(backup)
        # of a key that lies here and is another one it says more below (--keys)
        keys = known_keys(options["vkey"], manifest, may_be_others=True)
        checked = check_backup(backup, known_keys=keys, progress=self.progress)
        with restored(
            backup,
            checked,
            heads=options["heads"],
            keys_from=options["keys_from"],
            replace_keys=options["keys"] == "backup",
            progress=self.progress,
        ) as done:
            self.end_progress()
            made = f"{manifest.made_at:%Y-%m-%d %H:%M} UTC"
            self.stdout.write(f"Restored: the database as it was on {made}, {manifest.entries:,} entries.")
            self.stdout.write(checked.whose_word(named=bool(options["vkey"])))
            for line in done.said:
                self.stdout.write(line)
            # first the witnesses: what they hold against a log is shown with it
            well = [self._shown("check_witnesses")] if settings.WITNESS_POLICY_FILE else []
            well += [self._shown("logs"), options["no_verify"] or self._shown("verify_logs", "--quiet")]
            well.append(self._shown("after_restore"))
        self._say_next(options["no_verify"])
        if not all(well):
            sys.exit(EXIT_LOOK)

    def _shown(self, *arguments: str) -> bool:
        """Whether a command of manage.py found all well; what it says is shown."""
        self.stdout.flush()
        # setup_database has just checked all that there is to check
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments, "--skip-checks"]
        # what is logged is said in the commands' own words as well
        env = {"ANSWERABLE_LOG_LEVEL": "CRITICAL"} | os.environ
        done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.stdout.write(f"\n$ manage.py {' '.join(arguments)}\n{done.stdout}{done.stderr}".rstrip())
        return done.returncode == 0

    def _say_next(self, is_unverified: bool) -> None:
        verify = ", then run `manage.py verify_logs`" if is_unverified else ""
        start = f"make run DATA_DIR={settings.DATA_DIR}" if settings.DATABASE_URL is None else "the service"
        self.stdout.write(f"\nNext: start {start}{verify}. Switches: look at them, a stop that was lifted is back.")
