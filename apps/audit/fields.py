"""Column types and functions of PostgreSQL that Django does not have."""

from typing import Any

from django.db import models


class TransactionId(models.Field):  # type: ignore[type-arg]  # not subscriptable at run time
    """A transaction id of 64 bits (`xid8`), read as text."""

    def db_type(self, connection: Any) -> str:  # noqa: ANN401 - Django's own signature
        """The column type."""
        del connection
        return "xid8"


class CurrentTransactionId(models.Func):
    """`pg_current_xact_id()`: the id of the inserting transaction, the outermost one."""

    function = "pg_current_xact_id"
    template = "%(function)s()"
    output_field = TransactionId()


class Octets(models.Func):
    """The length of bytes; `Length` counts characters and has no meaning for them."""

    function = "octet_length"
    output_field = models.IntegerField()
