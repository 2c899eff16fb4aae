"""The self-audit: everything the database holds about a log, derived again from the bytes that were sealed.

findings    what can be found, in words
trees       entries, leaf hashes, tiles and heads of one log
records     decisions and payloads against their entries
reviews     reviews against the entries of their decisions
quarantine  quarantined records against the entries that counted them
searches    the terms of searches against the entries that commit to them
credentials secrets, recovery codes and set-up links against the entries of their making
documents   receipts of erasures and reports of purges against the keys that signed them
rows        governed rows, their history and particulars against their entries
engine      a whole log in slices; the whole database
"""

from evidence.verification.engine import LogVerification, verify_everything
from evidence.verification.findings import Finding

__all__ = ["Finding", "LogVerification", "verify_everything"]
