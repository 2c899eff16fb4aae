"""Backups of an installation: made while it runs, checked, and restored.

manifest    what a backup says of itself
folders     one backup is one folder: written whole or not at all; older ones go
dumping     PostgreSQL's own programs, and the address they use
keys        the keys that belong to a database, and whether these are the ones
making      a new backup
checking    whether a backup is what its manifest says
restoring   a backup into a place without a database
trying      a backup restored into a throw-away cluster, and verified there
"""
