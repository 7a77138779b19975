"""What every shape that is sent to the API has in common: text is text, a moment has its zone, and nothing is overlooked."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from rest_framework import serializers


class Sent(serializers.Serializer[object]):
    """Members and parameters by name; one that nobody reads is refused, so that a slip of the pen is not taken for a wish."""

    answered: ClassVar[frozenset[str]] = frozenset()  # members of an answer that may come back; they say nothing

    def to_internal_value(self, data: Any) -> Any:  # noqa: ANN401 - REST framework's own signature
        """Refuse what nobody reads, each by its name."""
        if isinstance(data, Mapping):
            known = sorted(name for name, field in self.fields.items() if not field.read_only)
            if unread := [name for name in data if name not in known and name not in self.answered]:
                said = serializers.ErrorDetail(f"Nothing is called that here. There is {', '.join(known)}.", code="unknown")
                raise serializers.ValidationError({str(name)[:100]: [said] for name in unread})
        return super().to_internal_value(data)


class MomentField(serializers.DateTimeField):
    """A moment with its zone: without one it would mean another moment to each reader."""

    def enforce_timezone(self, value: datetime) -> datetime:
        """Refuse a moment that does not say its zone."""
        if value.tzinfo is None:
            raise serializers.ValidationError("This moment has no time zone. Write it like 2026-11-20T16:30:00Z.", code="no_zone")
        return super().enforce_timezone(value)


class TextField(serializers.CharField):
    """Text and nothing else: a number or a truth value is not turned into words."""

    def to_internal_value(self, data: object) -> str:
        """Refuse what is no text."""
        if not isinstance(data, str):
            raise serializers.ValidationError("Write text.", code="no_text")
        return super().to_internal_value(data)


def text(*, default: str = "", help_text: str | None = None) -> serializers.CharField:
    """A text that may be left out or empty."""
    return TextField(required=False, allow_blank=True, default=default, help_text=help_text)


def texts() -> serializers.ListField:
    """A list of texts that may be left out."""
    return serializers.ListField(child=TextField(allow_blank=True), required=False, default=list)
