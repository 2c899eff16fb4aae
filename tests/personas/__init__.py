"""Everybody that a right could be about, in scope and out of it."""
