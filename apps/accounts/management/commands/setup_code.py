"""Prints the one-time code that the first page asks for; nothing once an administrator exists."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from apps.accounts.steps import make_set_up_code
from apps.core.locks import database_now


class Command(BaseCommand):
    """Make a new set-up code in place of the old one."""

    help = "Print a new one-time set-up code, as long as nobody is an administrator. The code printed before stops working."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's own signature
        """Print the code alone, so that a script can read it."""
        del args, options
        with transaction.atomic():
            code = make_set_up_code(at=database_now())
        if code:
            self.stdout.write(code)
