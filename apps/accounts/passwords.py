"""What a password may not be, beyond Django's own validators: longer than anybody types, for hashing it costs time."""

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError

LONGEST = 200


class MaximumLength:
    """Refuse a password nobody types."""

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        """Raise ValidationError for one that is too long."""
        del user
        if len(password) > LONGEST:
            raise ValidationError(f"The password has {len(password)} characters. {LONGEST} fit.", code="password_too_long")

    def get_help_text(self) -> str:
        """What to say beside the field."""
        return f"It has {LONGEST} characters at most."
