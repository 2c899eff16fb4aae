"""Witnesses and time-stamp authorities: which there are, what they are asked, whether their answers are to be believed.

Nothing here opens a transaction or writes a row: it waits for other people's servers. `evidence.services.anchoring` has
the rows.
"""
