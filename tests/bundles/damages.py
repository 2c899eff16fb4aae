"""All rows of the damage table."""

from tests.bundles import damages_claims, damages_files, damages_keys, damages_logs, damages_time, damages_zip
from tests.bundles.cases import ROWS

__all__ = ["ROWS", "damages_claims", "damages_files", "damages_keys", "damages_logs", "damages_time", "damages_zip"]
