"""Persons and what belongs to them, by what it is about."""

from apps.accounts.models.counting import Counted
from apps.accounts.models.factors import Passkey
from apps.accounts.models.governing import SecondHand
from apps.accounts.models.people import (
    Identity,
    Membership,
    Person,
    PersonalToken,
    RoleGrant,
    SetUpCode,
    Team,
    person_actor,
)
from apps.accounts.models.presence import SignIn, WorkingHours

__all__ = [
    "Counted",
    "Identity",
    "Membership",
    "Passkey",
    "Person",
    "PersonalToken",
    "RoleGrant",
    "SecondHand",
    "SetUpCode",
    "SignIn",
    "Team",
    "WorkingHours",
    "person_actor",
]
