"""Reading git repositories: plumbing commands alone, bounded in time and size, none of the repository's hooks or programs. Knows no Django."""
