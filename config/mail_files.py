"""E-mails as files, where no mail server is named."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from django.conf import settings
from django.core.mail.backends.filebased import EmailBackend


class PrivateFileBackend(EmailBackend):
    """Files that their owner alone may read: links in e-mails sign people in. A folder that is there stays as it is."""

    def __init__(self, *, file_path: str | None = None, **kwargs: Any) -> None:
        folder = Path(file_path or cast("str", settings.EMAIL_FILE_PATH))
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        super().__init__(file_path=str(folder), **kwargs)

    def open(self) -> bool:
        if getattr(self, "stream", None):
            return False
        # made with its mode: others must not open it in between and read it later
        path = Path(self.file_path) / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid4()}.log"
        file: Any = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self.stream = file
        return True
