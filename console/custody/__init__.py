"""Asking for an act of custody: its form, and its words."""
