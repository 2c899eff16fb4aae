"""Which witnesses and time-stamp authorities the operator has named, in two files. Read again when one has changed.

`ANSWERABLE_WITNESS_POLICY_FILE` is a trust policy (C2SP tlog-policy). `ANSWERABLE_TIMESTAMP_AUTHORITIES_FILE` has a
line for each authority, `authority <name> <url> <file>`; the file, beside this one unless its path is absolute, has its
certificates in PEM: the root, those in between, and where only one certificate may stamp, that one.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from django.conf import settings

from ledger.tlog import MalformedPolicy, Policy, Verifier, parse_policy
from notices.webhooks.addresses import AddressRefused, Rules, parse

NAME = re.compile(r"[A-Za-z0-9._-]{1,60}")
LONGEST_VKEY = 400


class Misconfigured(Exception):
    """A file cannot be used; the message names file and line."""


@dataclass(frozen=True, slots=True)
class Witness:
    """One to ask. `url` is its submission prefix, without a slash at the end; it is monitored there as well."""

    name: str
    verifier: Verifier
    url: str

    @property
    def identity(self) -> str:
        """Under another key it is another witness, whatever it is called."""
        return hashlib.sha256(self.verifier.vkey.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Authority:
    """One to ask. `signer`: the only certificate that may stamp, where the operator pinned one."""

    name: str
    url: str
    roots: tuple[x509.Certificate, ...]
    intermediates: tuple[x509.Certificate, ...] = ()
    signer: x509.Certificate | None = None

    @property
    def identity(self) -> str:
        """Under another address, or with other certificates, it is another authority."""
        every = [*self.roots, *self.intermediates, *([self.signer] if self.signer else [])]
        known = b"".join(each.public_bytes(Encoding.DER) for each in every)
        return hashlib.sha256(self.url.encode() + b"\n" + known).hexdigest()


@dataclass(frozen=True, slots=True)
class Configured:
    """What both files say."""

    policy: Policy = field(default_factory=Policy)
    has_policy: bool = False
    witnesses: tuple[Witness, ...] = ()
    authorities: tuple[Authority, ...] = ()

    @property
    def is_any(self) -> bool:
        """Whether anybody is asked at all."""
        return bool(self.witnesses or self.authorities)


_Stamp = tuple[int, int, int]
_Files = dict[Path, _Stamp]
"""What was read, each as it was found just before: what is replaced in between is read again next time."""


@dataclass(frozen=True, slots=True)
class _Known:
    settings: tuple[object, ...]
    files: _Files
    found: Configured


_known: _Known | None = None


def rules() -> Rules:
    """Where they may be. The operator has written their addresses, so plain http is theirs to choose: what matters of
    the answers is signed."""
    networks = tuple(settings.ANCHOR_NETWORKS)
    return Rules(networks, proxy=settings.ANCHOR_PROXY, ca_file=settings.ANCHOR_CA_FILE, plain_http=True)


def configured() -> Configured:
    """What is configured now. Errors: `Misconfigured`."""
    global _known
    asked = (settings.WITNESS_POLICY_FILE, settings.TIMESTAMP_AUTHORITIES_FILE, rules())
    known = _known
    if known is None or known.settings != asked or any(_stamp(each) != known.files[each] for each in known.files):
        files: _Files = {}
        known = _known = _Known(asked, files, _read(files))
    return known.found


def _read(files: _Files) -> Configured:
    policy = Policy()
    if settings.WITNESS_POLICY_FILE:
        policy = read_policy(_noted(files, Path(settings.WITNESS_POLICY_FILE)))
    asked = [each for each in policy.witnesses.values() if each.url]
    witnesses = tuple(Witness(each.name, each.verifier, each.url.rstrip("/")) for each in asked)
    authorities: tuple[Authority, ...] = ()
    if settings.TIMESTAMP_AUTHORITIES_FILE:
        authorities = read_authorities(Path(settings.TIMESTAMP_AUTHORITIES_FILE), files)
    return Configured(policy, bool(settings.WITNESS_POLICY_FILE), witnesses, authorities)


def _noted(files: _Files, file: Path) -> Path:
    files[file] = _stamp(file)
    return file


def _stamp(file: Path) -> _Stamp:
    try:
        found = file.stat()
    except OSError:
        return 0, 0, 0
    return found.st_ino, found.st_mtime_ns, found.st_size


def read_policy(file: Path) -> Policy:
    """The trust policy in a file, whose addresses may be asked. Errors: `Misconfigured`."""
    try:
        policy = parse_policy(file.read_bytes())
    except (MalformedPolicy, OSError) as error:
        raise Misconfigured(f"{file.name}: {_said(error)}") from error
    for witness in policy.witnesses.values():
        if not _is_storable(witness.name) or len(witness.verifier.vkey) > LONGEST_VKEY:
            raise Misconfigured(f"{file.name}: the name of a witness, or of its key, is too long or no UTF-8")
        if witness.url:
            _require_address(file, witness.name, witness.url)
    return policy


def _is_storable(name: str) -> bool:
    return len(name) <= 100 and not any("\ud800" <= char <= "\udfff" for char in name)


def _require_address(file: Path, name: str, url: str) -> None:
    try:
        parse(url, rules())
    except AddressRefused as error:
        raise Misconfigured(f"{file.name}: the address of {name}: {error}") from error


def read_authorities(file: Path, files: _Files | None = None) -> tuple[Authority, ...]:
    """The authorities in a file; every file that was read is added to `files`. Errors: `Misconfigured`."""
    noted = {} if files is None else files
    return tuple(_authorities(_noted(noted, file), noted))


def _authorities(file: Path, files: _Files) -> Iterator[Authority]:
    names: set[str] = set()
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{file.name}: {_said(error)}") from error
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 4 or words[0] != "authority" or not NAME.fullmatch(words[1]) or words[1] in names:
            what = "is not `authority <name> <url> <file of certificates>`, or has the name of another one"
            raise Misconfigured(f"{file.name}: line {number} {what}")
        _, name, url, certificates = words
        names.add(name)
        _require_address(file, name, url)
        yield _with_certificates(name, url, _noted(files, file.parent / certificates))


def _with_certificates(name: str, url: str, file: Path) -> Authority:
    try:
        found = list(dict.fromkeys(x509.load_pem_x509_certificates(file.read_bytes())))
    except (OSError, ValueError) as error:
        raise Misconfigured(f"{file.name}, the certificates of {name}: {_said(error)}") from error
    roots = tuple(each for each in found if each.issuer == each.subject)
    others = [each for each in found if each not in roots]
    signers = [each for each in others if _may_stamp(each)]
    if not roots:
        raise Misconfigured(f"{file.name}, the certificates of {name}: none of them is a root")
    if len(signers) > 1:
        raise Misconfigured(f"{file.name}, the certificates of {name}: more than one may stamp; leave one, or none")
    between = tuple(each for each in others if each not in signers)
    return Authority(name, url, roots, between, signers[0] if signers else None)


def _may_stamp(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    return ExtendedKeyUsageOID.TIME_STAMPING in usage and not _is_authority(certificate)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def _said(error: Exception) -> str:
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else str(error)
