"""People: persons, identities, teams, roles, sign-in, personal tokens."""
