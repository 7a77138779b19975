"""Column types of PostgreSQL that Django does not have."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import models
from psycopg.types.multirange import Multirange, TimestamptzMultirange
from psycopg.types.range import Range

from apps.schedule.stretches import Stretch


class MomentRanges(models.Field):  # type: ignore[type-arg]  # Field takes no type arguments at run time
    """`tstzmultirange` as a tuple of Stretch: merged and ordered by the database."""

    def db_type(self, connection: Any) -> str:  # noqa: ANN401 - Django's own signature
        """The column type."""
        del connection
        return "tstzmultirange"

    def get_prep_value(self, value: Iterable[Stretch] | None) -> TimestamptzMultirange | None:
        """Write stretches."""
        if value is None:
            return None
        return TimestamptzMultirange([Range(stretch.starts_at, stretch.ends_at, "[)") for stretch in value])

    def from_db_value(self, value: Multirange[datetime] | None, expression: object, connection: object) -> tuple[Stretch, ...] | None:
        """Read stretches; a constraint gives every one of ours two ends."""
        del expression, connection
        return None if value is None else tuple(Stretch(part.lower, part.upper) for part in value if part.lower and part.upper)
