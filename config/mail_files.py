"""E-mails as files, where no mail server is named."""

import os
from pathlib import Path
from typing import Any, cast

from django.conf import settings
from django.core.mail.backends.filebased import EmailBackend


class PrivateFileBackend(EmailBackend):
    """Files that their owner alone may read: links in e-mails sign people in. A folder that is there stays as it is."""

    def __init__(self, *, file_path: str | None = None, **kwargs: Any) -> None:
        folder = Path(file_path or cast("str", settings.EMAIL_FILE_PATH))
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        super().__init__(file_path=str(folder), **kwargs)

    def open(self) -> bool:
        is_new = bool(super().open())
        if is_new:
            os.fchmod(self.stream.fileno(), 0o600)
        return is_new
