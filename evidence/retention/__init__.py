"""Retention: what holds where, what is past its time, and the purges that take it."""
