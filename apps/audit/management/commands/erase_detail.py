"""Erases one text of one entry; two administrators give their passwords."""

from argparse import ArgumentParser
from getpass import getpass
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from apps.audit.erasure import administrator, erase_detail
from apps.core.refusals import Refused


class Command(BaseCommand):
    """`manage.py erase_detail ENTRY FIELD --first EMAIL --second EMAIL --reason TEXT`."""

    help = "Erases a text of an audit entry for good. The stream then verifies as before and says: erased."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What to erase, who agrees, and why."""
        parser.add_argument("entry", type=UUID, help="the id of the entry")
        parser.add_argument("field", help="which text: reason, name, …")
        parser.add_argument("--first", required=True, help="the e-mail of an administrator")
        parser.add_argument("--second", required=True, help="the e-mail of another administrator")
        parser.add_argument("--reason", required=True, help="why; it stays in the stream")

    def handle(self, *_: object, entry: UUID, field: str, first: str, second: str, reason: str, **__: object) -> None:
        """Ask both for their passwords, then erase."""
        try:
            one, other = (administrator(name, password=getpass(f"Password of {name}: ")) for name in (first, second))
            erase_detail(entry, field=field, first=one, second=other, reason=reason)
        except Refused as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Erased: {field} of entry {entry}. Copies in backups are erased when those expire.")
