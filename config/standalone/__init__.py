"""The one-machine default: a private PostgreSQL, a private Valkey, one command that runs all processes."""
