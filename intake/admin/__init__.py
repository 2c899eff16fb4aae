"""Pages of intake in the web admin."""

from intake.admin.quarantine import QuarantinedRecordAdmin
from intake.admin.sources import SourceAdmin

__all__ = ["QuarantinedRecordAdmin", "SourceAdmin"]
