"""Pages about people: everybody, one person, teams, one's own profile."""
