"""Where files are kept that the service makes: a folder of this installation, or an S3-compatible store."""

import importlib.util
import re
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

from environs import ValidationError

BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
OPTIONS = ("endpoint", "region", "path_style", "ca_file")
HOW = "s3://BUCKET/PREFIX?endpoint=https://...&region=...&path_style=yes&ca_file=/path, all behind the bucket optional"


def is_storage(text: str) -> None:
    """Of a setting; empty: a folder. Errors: `ValidationError`."""
    if not text:
        return
    found = urlsplit(text)
    given = parse_qs(found.query, keep_blank_values=True)
    problems = [
        (found.scheme != "s3", "It is none of the kinds there are."),
        (not BUCKET.fullmatch(found.netloc), "Behind s3:// stands the name of a bucket, and no key."),
        (not set(given) <= set(OPTIONS) or any(len(values) > 1 for values in given.values()), "An option is unknown."),
        (not _is_endpoint(given.get("endpoint", [""])[0]), "The endpoint is an http or https address."),
    ]
    for is_wrong, words in problems:
        if is_wrong:
            raise ValidationError(f"{words} Write {HOW}.")
    if importlib.util.find_spec("storages") is None or importlib.util.find_spec("boto3") is None:
        raise ValidationError("For S3 the libraries of requirements-s3.lock are needed: run tools/install s3.")


def _is_endpoint(text: str) -> bool:
    found = urlsplit(text)
    return not text or (found.scheme in ("http", "https") and bool(found.netloc))


def storage(text: str, *, folder: Path, keys: tuple[str, str]) -> dict[str, Any]:
    """As Django's `STORAGES` has it. `keys`: access key and secret, empty where they are found otherwise."""
    if not text:
        options = {
            "location": str(folder),
            "base_url": None,
            "file_permissions_mode": 0o600,
            "directory_permissions_mode": 0o700,
            "allow_overwrite": True,
        }
        return {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": options}
    return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": _s3(urlsplit(text), keys)}


def _s3(found: SplitResult, keys: tuple[str, str]) -> dict[str, Any]:
    from boto3.s3.transfer import TransferConfig
    from botocore.config import Config

    given = {name: values[0] for name, values in parse_qs(found.query).items()}
    style = "path" if given.get("path_style") in ("yes", "true", "1") else "auto"
    return {
        "bucket_name": found.netloc,
        "location": found.path.strip("/"),
        "endpoint_url": given.get("endpoint") or None,
        "region_name": given.get("region") or None,
        "access_key": keys[0] or None,
        "secret_key": keys[1] or None,
        "default_acl": None,
        "file_overwrite": True,
        "querystring_auth": True,
        "verify": given.get("ca_file") or None,
        "client_config": Config(
            s3={"addressing_style": style},
            signature_version="s3v4",
            connect_timeout=5,
            read_timeout=30,
            retries={"max_attempts": 3, "mode": "standard"},
            # what is sent is checked by its signature; not every store knows the newer checksums
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
        # one thread: what is read of the file is read by whoever says meanwhile that it goes on
        "transfer_config": TransferConfig(use_threads=False, multipart_chunksize=16 << 20),
    }
