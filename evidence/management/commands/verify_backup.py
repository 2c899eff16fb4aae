"""`manage.py verify_backup`: whether a backup is what it says it is; asked to, whether it can be restored."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from evidence.backup_commands import BackupCommand
from evidence.backups.checking import check_backup
from evidence.backups.keys import known_keys
from evidence.backups.manifest import read_manifest
from evidence.backups.trying import try_backup


class Command(BackupCommand):
    help = (
        "Read every file of a backup and hold it against its manifest and signature. With --restore, restore it into a"
        " PostgreSQL of its own that is thrown away afterwards, and verify every log there. Exit code 0: it fits."
        " 1: it does not."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("backup", type=Path, help="the folder of one backup")
        parser.add_argument("--restore", action="store_true", help="restore it somewhere else, and verify it there")
        parser.add_argument("--in", type=Path, metavar="FOLDER", dest="room", help="where there is room to restore it")
        parser.add_argument("--keys-from", type=Path, metavar="FOLDER", help="the keys of a backup without (--restore)")
        self.add_vkey(parser)

    def act(self, options: dict[str, Any]) -> None:
        backup = options["backup"].absolute()
        manifest, _ = read_manifest(backup)
        checked = check_backup(backup, known_keys=known_keys(options["vkey"], manifest), progress=self.progress)
        self.end_progress()
        self.stdout.write(
            f"Made {manifest.made_at:%Y-%m-%d %H:%M} UTC of {manifest.origin}: {len(manifest.logs)} logs,"
            f" {manifest.entries:,} entries. Every file is as it was backed up."
        )
        self.stdout.write(checked.whose_word(named=bool(options["vkey"])))
        for mark in manifest.troubled:
            self.stdout.write(f"When it was made, {mark.origin} was in trouble: {mark.trouble}")
        if options["restore"]:
            try_backup(backup, keys_from=options["keys_from"], room=options["room"], progress=self.progress)
            self.end_progress()
            self.stdout.write(self.style.SUCCESS("It was restored, every log verified, and thrown away again."))
