"""The way back in: makes an administrator from the host, where whoever can run this owns the installation anyway."""

from getpass import getpass
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts.actions import create_administrator
from apps.accounts.links import one_time_link
from apps.core.actors import system
from apps.core.refusals import BadContent, Refused


class Command(BaseCommand):
    """Make a person an active administrator, new or known."""

    help = "Make an administrator, recorded in the audit stream. Prints a one-time link to set a password, unless a password is given."

    def add_arguments(self, parser: CommandParser) -> None:
        """Who, and how the password comes."""
        parser.add_argument("email", help="the address to sign in with; a known person is brought back")
        parser.add_argument("--name", default="", help="the printed name, needed for a new person")
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--password-file", help="read the password from the first line of this file")
        how.add_argument("--ask-password", action="store_true", help="ask for the password here")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's own signature
        """Run the verb and say what comes next."""
        del args
        password = self._password(options)
        try:
            person = create_administrator(email=options["email"], name=options["name"], password=password, by=system("console"))
        except (Refused, BadContent) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{person.name} ({person.email}) is an administrator.")
        if password is None:
            self.stdout.write("Set the password here. The link works once and for three days:")
            self.stdout.write(one_time_link(person))

    def _password(self, options: dict[str, Any]) -> str | None:
        if options["ask_password"]:
            return getpass("Password: ")
        if not options["password_file"]:
            return None
        try:
            lines = Path(options["password_file"]).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"The password file cannot be read: {error}") from error
        if not lines or not lines[0]:
            raise CommandError("The first line of the password file is empty. Write the password there.")
        return lines[0]
