"""Entries that somebody seals who has the application's rights, of any kind, anything in them, end no verification.

They are sealed, so they are what they are; that nothing comes of them is another matter. What they claim is looked up,
and what is looked up may be anything.
"""

from typing import Any

import pytest
from django.utils import timezone

from config.ids import new_id
from evidence.verification import verify_everything
from evidence.verification.rows import governed_models
from ledger.entries import SERVER, draft_entry
from ledger.kinds import Kind
from ledger.sealing import sealing
from ledger.selectors import registry_log
from tests.evidence.conftest import Organisation

NOTHING: dict[str, Any] = {}
NAMES_SAID = (
    "action after applied before by card cause change changes codes count decision digest export first found key key_id"
    " last link log origin original overlap_until person predecessor previous public_key reason record request review"
    " root_hash secret signature state steps system table terms tree_size with witness witnessed_size confirmed"
    " commitments directive accountable model_version"
)
NAMES = NAMES_SAID.split()
TEXTS: dict[str, Any] = dict.fromkeys(NAMES, "x")
NUMBERS: dict[str, Any] = dict.fromkeys(NAMES, 7)
LISTS: dict[str, Any] = {name: [{"id": "x"}, 7] for name in NAMES}
OBJECTS: dict[str, Any] = {name: {"count": "x", "origin": 7, "id": [1]} for name in NAMES}


def governed(table: str) -> dict[str, Any]:
    return TEXTS | {"table": table, "changes": [{"id": "x"}]}


BODIES = {"nothing": NOTHING, "texts": TEXTS, "numbers": NUMBERS, "lists": LISTS, "objects": OBJECTS}


@pytest.mark.parametrize("about", [True, False])
@pytest.mark.parametrize("said", BODIES)
def test_no_entry_ends_a_verification(organisation: Organisation, said: str, about: bool) -> None:
    before = list(verify_everything())
    for log_id in (organisation.log.id, registry_log().id):
        with sealing() as seal:
            for kind in Kind.declared.values():
                one = new_id() if about else None
                draft = draft_entry(kind=kind, actor=SERVER, at=timezone.now(), body=BODIES[said], about_id=one)
                seal.add(log_id, draft)
    found = list(verify_everything())
    assert before == [] and found, "that there is no such decision, log or checkpoint is found"


def test_no_change_of_any_governed_table_ends_a_verification(organisation: Organisation) -> None:
    kind = Kind.declared["system.updated"]
    with sealing() as seal:
        for table in governed_models():
            for body in (governed(table), governed(table) | {"changes": "x"}):
                for one in (new_id(), None):
                    draft = draft_entry(kind=kind, actor=SERVER, at=timezone.now(), body=body, about_id=one)
                    seal.add(organisation.log.id, draft)
    assert "history-missing" in {each.code for each in verify_everything()}
