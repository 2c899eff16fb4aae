"""A witness for somebody's logs (C2SP tlog-witness): keeps the largest tree it saw of each, cosigns what extends it.

Runs on its own, on another machine than the logs: `python -m ledger.witness` or `manage.py witness`. Needs the standard
library and `cryptography`; no database server, no settings, nothing of the installation that it watches.

    folder    the folder with its key, its memory and the list of logs
    watched   which logs, by which keys
    memory    what it has cosigned: one SQLite file, written before it answers
    judging   what is answered to `add-checkpoint`
    server    HTTP
    fetching  a log's checkpoint and tiles, asked for over HTTP
    watching  looking at logs by itself: forks and rollbacks
    command   the command line
"""
