"""What has an end of its own, which nobody chooses: for people to read beside what they do choose."""

from audit.services.search_runs import KEPT as SEARCH_KEPT
from evidence.services.letter_drafts import KEPT as DRAFT_KEPT

FIXED: tuple[tuple[str, str], ...] = (
    ("Searches and what they found", f"{SEARCH_KEPT.days} day after somebody last looked"),
    ("Saved searches for somebody", "as long as a payload is left that they are for"),
    ("Drafts of letters", f"{DRAFT_KEPT.days} days after they were last changed; until they are issued"),
    ("Drafts of reviews", "with what they are about"),
    ("Sessions", "an hour after they have expired; at once when somebody leaves"),
    ("Failed attempts to sign in, as keyed hashes", "a day"),
    ("E-mails: kinds, facts by id, addresses that were somebody's", "30 days"),
    ("Deliveries to webhooks: ids and links alone", "30 days"),
    ("Entries of the logs: no names, no texts, no payloads", "as long as their log"),
)
"""What it is, and until when it is kept."""
