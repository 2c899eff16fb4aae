"""How the browser's files are stored: named by their content, so that they may be cached for ever."""

from typing import Any

from whitenoise.compress import Compressor
from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFiles(CompressedManifestStaticFilesStorage):
    """With gzip only: brotli takes twenty seconds of processor time at the first start, to save a third once."""

    def create_compressor(self, **options: Any) -> Compressor:
        """The compressor of one collectstatic."""
        return Compressor(use_brotli=False, **options)

    def stored_name(self, name: str) -> str:
        """The name with its digest; the plain one where nothing was collected (a fresh clone, the tests)."""
        return str(super().stored_name(name)) if self.hashed_files else name
