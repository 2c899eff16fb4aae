"""All rows of the damage table."""

from tests.bundles import (
    damages_chains,
    damages_claims,
    damages_contents,
    damages_files,
    damages_heads,
    damages_keys,
    damages_logs,
    damages_notes,
    damages_time,
    damages_zip,
)
from tests.bundles.cases import ROWS

__all__ = [
    "ROWS", "damages_chains", "damages_claims", "damages_contents", "damages_files", "damages_heads", "damages_keys",
    "damages_logs", "damages_notes", "damages_time", "damages_zip",
]  # fmt: skip
