"""Erasing everywhere: the places where something of a decision, a subject or a person stands, and how it goes there."""
