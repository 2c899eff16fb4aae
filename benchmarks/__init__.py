"""The service level, measured: `make bench`, `make bench-full`. See docs/performance.md.

options        what was asked for
installation   PostgreSQL and the web server on a temporary data folder
settings, urls, noop   the product's settings with one endpoint more, the reference of single posts
workload       decisions as callers send them
senders        HTTP load from one thread
reference      plain COPY of the same rows into the same tables
controlled     AI systems with controls, and the people who may touch them
children, fleet, evaluating, flood   processes that act as callers: SDK clients, and senders who never stop
intake, holds, flags, stops, reviewing, growth, reading, verification   the rows of the table
report, markdown   the table, the machine, the JSON file
"""
