"""Signing in: passwords, authenticator apps, passkeys, lock-out, and proving again that it is you."""
