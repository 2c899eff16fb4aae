"""Configurations: kept as they were sent, under the digest that decisions name."""

import hashlib

import pytest

from config.errors import Forbidden
from governance.models import AISystem, ConfigurationSnapshot
from governance.services.configurations import MAX_BYTES, digest_of, store_configuration
from governance.version_errors import ConfigurationUnreadable
from ledger.entries import COMMAND
from ledger.models import Entry
from tests.factories.register import actor_of, make_person, make_system
from tests.factories.versions import engineer_of

pytestmark = pytest.mark.django_db
CONTENT = b'{"threshold":  0.52, "name": "gr\xc3\xbcn"}'


@pytest.fixture
def system() -> AISystem:
    return make_system()


def test_kept_byte_for_byte_under_the_digest_of_its_bytes(system: AISystem) -> None:
    kept = store_configuration(actor=COMMAND, system_id=system.pk, content=CONTENT)
    kept.refresh_from_db()
    assert kept.digest == f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
    assert (kept.content.encode(), kept.size) == (CONTENT, len(CONTENT))
    assert store_configuration(actor=COMMAND, system_id=system.pk, content=CONTENT).pk == kept.pk
    assert Entry.objects.filter(kind="configuration.stored").count() == 1


def test_each_system_has_its_own(system: AISystem) -> None:
    for each in (system, make_system()):
        store_configuration(actor=COMMAND, system_id=each.pk, content=CONTENT)
    assert ConfigurationSnapshot.objects.count() == 2


def test_a_long_digest_is_kept_whole(system: AISystem) -> None:
    kept = store_configuration(actor=COMMAND, system_id=system.pk, content=CONTENT, algorithm="sha512")
    assert kept.digest == digest_of(CONTENT, "sha512")
    assert len(kept.digest) > 100


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1]", b'"text"', b"\xff{}", b'{"a": "\xed\xa0\x80"}', b'{"a": "' + b"x" * MAX_BYTES + b'"}'],
)
def test_what_is_no_json_object_is_refused_and_nothing_is_kept(system: AISystem, content: bytes) -> None:
    with pytest.raises(ConfigurationUnreadable):
        store_configuration(actor=COMMAND, system_id=system.pk, content=content)
    assert not ConfigurationSnapshot.objects.exists()


def test_stored_by_who_registers_versions(system: AISystem) -> None:
    store_configuration(actor=actor_of(engineer_of(system)), system_id=system.pk, content=CONTENT)
    for other in (make_person(viewer=system), engineer_of(make_system())):
        with pytest.raises(Forbidden):
            store_configuration(actor=actor_of(other), system_id=system.pk, content=CONTENT)
