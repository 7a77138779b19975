"""Writes the audit stream as a file that the verifier reads."""

import sys
from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from apps.audit.export import write_export


class Command(BaseCommand):
    """`manage.py export_audit --to stream.jsonl`."""

    help = "Writes the audit stream to a file or to standard output. Verify it with apps/audit/verifier.py."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to write."""
        parser.add_argument("--to", type=Path, help="the file to write; it must not exist yet. Standard output when left out")

    def handle(self, *_: object, to: Path | None = None, **__: object) -> None:
        """Write everything or, when that fails, leave no half file behind."""
        if to is None:
            write_export(sys.stdout.buffer)
            return
        try:
            with to.open("xb") as file:
                write_export(file)
        except FileExistsError as error:
            raise CommandError(f"{to} exists. Name another file; an export is never written over.") from error
        except BaseException:
            to.unlink(missing_ok=True)
            raise
        self.stdout.write(f"Written to {to}. Verify it with: python verifier.py {to}")
