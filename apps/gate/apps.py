"""Registers the app, its checks, and makes partitions and functions whenever migrations have run."""

from importlib import import_module

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate

from apps.gate.functions import make_functions


class Gate(AppConfig):
    """One question: may this version go there now? Facts, rules, verdict, tickets."""

    name = "apps.gate"

    def ready(self) -> None:
        """Register what Django calls."""
        import_module("apps.gate.checks")  # registering is what importing it does
        post_migrate.connect(make_ahead, sender=self)


def make_ahead(*, using: str, **_: object) -> None:
    """An installation that was down for months has partitions before the first question, a new release its functions."""
    with connections[using].cursor() as cursor:
        cursor.execute("select to_regproc('gate_make_partitions') is not null")
        if cursor.fetchone() != (True,):
            return
        cursor.execute("select gate_make_partitions(3)")
    make_functions(using=using)
