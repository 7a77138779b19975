"""Passwords that nobody types are refused before they are hashed."""

import pytest
from django.contrib.auth.password_validation import password_validators_help_texts, validate_password
from django.core.exceptions import ValidationError

from apps.accounts.passwords import LONGEST


def test_password_of_the_longest_length_is_taken():
    validate_password("correct horse " * 14 + "x" * (LONGEST - 14 * 14))


def test_longer_password_is_refused_with_both_lengths():
    with pytest.raises(ValidationError) as refused:
        validate_password("x" * (LONGEST + 1))

    assert refused.value.messages == [f"The password has {LONGEST + 1} characters. {LONGEST} fit."]
    assert f"It has {LONGEST} characters at most." in password_validators_help_texts()
