"""Where finished exports are kept: a folder of this installation, or an S3-compatible store.

`ANSWERABLE_EXPORT_STORAGE` says which. Through Django's storages (`STORAGES["exports"]`), by names made once for
each export: a file that is put there again takes its own place, so there are never two.
"""

import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from django.core.files import File
from django.core.files.storage import FileSystemStorage, Storage, storages

from evidence.exports import scratch
from evidence.exports.models import Export, ExportWork

PLACE = ".place"
READ_AT_ONCE = 1 << 18
NAMED = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.zip")


class StorageFull(Exception):
    """There is no room."""


class StorageAway(Exception):
    """It cannot be reached, refuses, or lacks the file."""


class StorageElsewhere(StorageAway):
    """The file lies in a folder of another host, or where this one kept files before."""

    def __init__(self) -> None:
        super().__init__(
            "the file is not where this host keeps exports now: with several hosts all share one folder, or a store"
        )


def _storage() -> Storage:
    return storages["exports"]


def name_of(export: Export) -> str:
    return f"{export.pk}.zip"


def place() -> str:
    """Where files are kept from here: hosts that share a folder or a store say the same. Errors: `StorageAway`."""
    storage: Any = _storage()
    if not isinstance(storage, FileSystemStorage):
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"s3://{storage.bucket_name}/{storage.location}"))
    try:
        return scratch.named(Path(storage.location), PLACE)
    except OSError as error:
        raise StorageAway(str(error)) from error


def keeps_versions() -> bool:
    """Whether it is a store that keeps what is deleted in it, or did until somebody suspended that. Errors:
    `StorageAway`, also where it does not let itself be asked."""
    bucket: Any = getattr(_storage(), "bucket", None)
    if bucket is None:
        return False
    with _told():
        return bool(bucket.meta.client.get_bucket_versioning(Bucket=bucket.name).get("Status"))


def is_here(kept_in: str) -> bool:
    """Whether files of that place are within reach. Errors: `StorageAway`."""
    return not kept_in or kept_in == place()


def require_here(export: Export) -> None:
    """Errors: `StorageElsewhere` where its file was kept in another place, and what is not here is not gone."""
    kept_in = ExportWork.objects.filter(export=export).values_list("kept_in", flat=True).first()
    if not is_here(kept_in or ""):
        raise StorageElsewhere()


class _Watched(File):  # type: ignore[type-arg]  # generic in its stubs alone
    """A file on its way to a storage: each piece that is read of it is a sign of life."""

    def __init__(self, file: BinaryIO, name: str, beat: Callable[[], None]) -> None:
        super().__init__(file, name)
        self._source, self._beat = file, beat

    def read(self, size: int = -1) -> bytes:
        self._beat()
        return self._source.read(size)


class _Moved(_Watched):
    """One that a folder on the same disk takes as it is, by its name: at once, however large it is."""

    def __init__(self, file: BinaryIO, name: str, path: Path, beat: Callable[[], None]) -> None:
        super().__init__(file, name, beat)
        self._path = path

    def temporary_file_path(self) -> str:
        return str(self._path)


def put(export: Export, path: Path, beat: Callable[[], None]) -> None:
    """Keep a finished file; the one at `path` may be gone then. Errors: `StorageFull`, `StorageAway`; of `beat`."""
    require_here(export)  # else the one that lies there would be forgotten
    ExportWork.objects.filter(export=export).update(kept_in=place())
    storage, name = _storage(), name_of(export)
    with _told(), path.open("rb") as file:
        if isinstance(storage, FileSystemStorage):
            folder = Path(storage.location)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            is_near = _disk_of(folder) == _disk_of(path)
        else:
            is_near = False
        kept = storage.save(name, _Moved(file, name, path, beat) if is_near else _Watched(file, name, beat))
    if kept != name:
        remove_named(kept)
        raise StorageAway(f"the storage does not take {name} in its own place")


def _disk_of(path: Path) -> int:
    return path.stat().st_dev


def remove(export: Export) -> None:
    """Delete the file of an export, where there is one. Errors: `StorageAway`."""
    require_here(export)
    remove_named(name_of(export))
    ExportWork.objects.filter(export=export).update(kept_in="")


def remove_named(name: str) -> None:
    """Also of an upload in parts whose maker was killed over it: a store keeps those parts, and shows them to nobody
    who asks for the file. Errors: `StorageAway`, also where a store does not let them be listed."""
    storage = _storage()
    with _told():
        storage.delete(name)
        bucket: Any = getattr(storage, "bucket", None)
        for key, upload in _uploads(bucket, storage._normalize_name(name)) if bucket is not None else ():  # type: ignore[attr-defined]
            bucket.meta.client.abort_multipart_upload(Bucket=bucket.name, Key=key, UploadId=upload)


def _uploads(bucket: Any, wanted: str) -> list[tuple[str, str]]:
    """Uploads to a key that were begun and not ended."""
    pages = bucket.meta.client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket.name, Prefix=wanted)
    found = [(each["Key"], each["UploadId"]) for page in pages for each in page.get("Uploads", ())]
    return [(key, upload) for key, upload in found if key == wanted]


def own_names() -> dict[uuid.UUID, str]:
    """The files in a folder of this installation, by their exports' ids; none of a store elsewhere. Errors:
    `StorageAway`."""
    storage = _storage()
    if not isinstance(storage, FileSystemStorage) or not Path(storage.location).exists():
        return {}
    with _told():
        _, names = storage.listdir("")
    return {uuid.UUID(name.removesuffix(".zip")): name for name in names if NAMED.fullmatch(name)}


def is_there(export: Export) -> bool:
    """Errors: `StorageAway`."""
    require_here(export)
    with _told():
        return _storage().exists(name_of(export))


def read(export: Export, first: int, size: int) -> Iterator[bytes]:
    """`size` bytes of the file of an export from `first` on, in pieces. Errors: `StorageAway`, at once or later."""
    storage = _storage()
    bucket: Any = getattr(storage, "bucket", None)
    if bucket is not None:  # a file of the library would be fetched whole before the first byte of it is given
        return _from_bucket(bucket, storage, name_of(export), first, size)
    return _from_file(storage, name_of(export), first, size)


def _from_file(storage: Storage, name: str, first: int, size: int) -> Iterator[bytes]:
    with _told():
        file = storage.open(name)
        file.seek(first)
    return _Pieces(file.read, file.close, size)


class _Pieces(Iterator[bytes]):
    """What is read, piece by piece. Closed by whoever gives it out, also where nothing of it was asked for."""

    def __init__(self, read: Callable[[int], bytes], close: Callable[[], None], size: int) -> None:
        self._read, self.close, self._left = read, close, size

    def __next__(self) -> bytes:
        """Errors: `StorageAway`."""
        if not self._left:
            self.close()
            raise StopIteration
        with _told():
            data = self._read(min(READ_AT_ONCE, self._left))
        if not data:
            self.close()
            raise StorageAway("the file is shorter than it was")
        self._left -= len(data)
        return data


def _from_bucket(bucket: Any, storage: Any, name: str, first: int, size: int) -> Iterator[bytes]:
    key = storage._normalize_name(name)
    if not size:
        return iter(())
    with _told():
        body = bucket.Object(key).get(Range=f"bytes={first}-{first + size - 1}")["Body"]
    return _Pieces(body.read, body.close, size)


NO_ROOM = frozenset({28, 122})
"""ENOSPC, EDQUOT."""


@contextmanager
def _told() -> Iterator[None]:
    """Errors of whatever storage as ours."""
    try:
        yield
    except OSError as error:
        raise (StorageFull if error.errno in NO_ROOM else StorageAway)(str(error)) from error
    except Exception as error:
        if type(error).__module__.split(".")[0] not in ("botocore", "boto3", "s3transfer", "urllib3"):
            raise
        raise StorageAway(str(error)) from error
