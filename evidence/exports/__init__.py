"""Exports: what leaves the record as a file, proven or at least counted, and never without an entry that says so.

models        the export (a governed row), its work, its places, its downloads
questions     what an export is about, and its words
access        who asks, who agrees, who fetches
requesting    asked for, agreed to, refused, taken back, given up
planning      once, when it begins: which trees prove it, which range answers it, which entries are in it
running       made piece by piece; gone on with after a worker's death
writing       the zip file on its way, and the journal by which it is gone on with
bundle        the evidence bundle (docs/bundle-format.md)
tables        NDJSON, CSV and OCSF lines
storage       where finished files are kept
fetching      downloads, whole or in part
"""
