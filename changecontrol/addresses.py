"""Addresses of databases: from a libpq URI to Django's words."""

from psycopg.conninfo import conninfo_to_dict

KNOWN = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}


def database(url: str) -> dict[str, object]:
    """Translate a libpq URI (a unix socket directory is allowed as host) into an entry of DATABASES."""
    parts = conninfo_to_dict(url)
    rest = {key: value for key, value in parts.items() if key not in KNOWN.values()}
    return {
        "ENGINE": "django.db.backends.postgresql",
        **{ours: str(parts.get(theirs) or "") for ours, theirs in KNOWN.items()},
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"application_name": "changecontrol", **rest},
        "TIME_ZONE": None,
    }
