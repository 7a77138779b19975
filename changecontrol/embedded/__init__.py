"""The embedded mode: a private PostgreSQL, a private Valkey and the supervisor that runs everything.

No Django here: the engines and the supervisor must work before the project can be imported."""
