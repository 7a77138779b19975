"""Verifies the stream: an export, or this database with everything that can be compared in it."""

from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from django.core.management.base import BaseCommand, CommandError

from apps.audit.comparison import differences
from apps.audit.export import export_file
from apps.audit.keys import public_key
from apps.audit.seal import CannotSeal, seal_now
from apps.audit.verifier import DoesNotHold, UnreadableExport, sentences, verify


class Command(BaseCommand):
    """`manage.py verify_audit [stream.jsonl]`. Exit codes: 0 verified, 1 does not hold, 2 cannot be read."""

    help = "Verifies an export, or without a file: seals, exports and verifies this database, and compares columns with bytes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The export, and heads that were noted elsewhere."""
        parser.add_argument("export", nargs="?", type=Path, help="a file that export_audit wrote; this database when left out")
        parser.add_argument("--head", action="append", default=[], help="the head of a seal, noted elsewhere; may be repeated")
        parser.add_argument("--key", action="append", default=[], help="the id of a key whose sign-offs are believed, and no other")

    def handle(self, *_: object, export: Path | None = None, head: list[str], key: list[str], **__: object) -> None:
        """Verify, then say how far."""
        try:
            with self._opened(export) as file:
                report = verify(file, heads=head, keys=key)
        except DoesNotHold as error:
            raise CommandError(f"does not hold: {error}", returncode=1) from error
        except (UnreadableExport, OSError) as error:
            raise CommandError(f"cannot be read: {error}", returncode=2) from error
        self.stdout.write("\n".join(sentences(report)))
        if export is None:
            self._compare()
            self._name_strangers(report.keys)

    def _opened(self, export: Path | None) -> IO[bytes]:
        if export is not None:
            return export.open("rb")
        try:
            seal_now()
        except CannotSeal as error:
            self.stdout.write(f"not sealed before: {error}")
        return export_file()

    def _compare(self) -> None:
        for difference in differences():
            raise CommandError(f"does not hold: {difference}", returncode=1)
        self.stdout.write("columns and places in this database say what the bytes say")

    def _name_strangers(self, key_ids: Iterable[str]) -> None:
        for key_id in key_ids:
            if public_key(key_id) is None:
                self.stdout.write(f"key {key_id} is neither this host's nor in ACCEPTED_KEYS: what it signed does not count at the gate")
