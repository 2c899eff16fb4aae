"""Whatever stands in the logs and whatever is asked of them: a bundle of the product's own making verifies."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from audit.selectors import SealedDecision
from config.ids import new_id
from evidence.exports.contents import PARTS
from evidence.exports.models import Export
from evidence.services.checkpoints import record_checkpoints
from evidence.services.custody import close_log
from evidence.services.key_rotation import begin_rotation, finish_rotation
from governance.models import AISystem, Person
from ledger.entries import COMMAND, SERVER
from ledger.heads import head_store
from ledger.selectors import open_log
from overrides.services.overriding import override_decision
from tests.evidence.exports.verifying import verdict_of
from tests.factories.cases import make_led_case
from tests.factories.erasing import agreed, erase
from tests.factories.exports import export_of, old_system
from tests.factories.record import record_decision, record_many
from tests.factories.register import actor_of, make_person
from tests.factories.versions import owner_of

pytestmark = [pytest.mark.committing, pytest.mark.usefixtures("key_file")]
HOUR = timedelta(hours=1)
MAYBE_PARTS = st.lists(st.sampled_from(PARTS), unique=True, max_size=4)
SENT = {"input": {"income": 3000}, "output": {"limit": "0 \u2713"}, "explanation": None, "context": [1.5, "\u0000"]}


@dataclass
class World:
    """Two AI systems and an auditor. Of the first one decisions are erased, of the second restricted."""

    draw: Callable[..., Any]
    auditor: Person
    began: datetime = field(default_factory=timezone.now)
    systems: list[AISystem] = field(default_factory=list)
    decisions: list[SealedDecision] = field(default_factory=list)
    source: Any = field(default_factory=new_id)
    subject: str = field(default_factory=lambda: f"subject {new_id()}")
    number: int = 0
    overridden: set[Any] = field(default_factory=set)
    gone: set[Any] = field(default_factory=set)
    """Decisions that were erased, or restricted."""
    has_lost: bool = False

    def __post_init__(self) -> None:
        self.systems = [old_system(accountable=make_person()) for _ in range(2)]
        for system in self.systems:
            self.decide(system)

    def act(self, name: str) -> None:
        getattr(self, name)()

    def _one_of(self, index: int) -> SealedDecision | None:
        """A decision of that AI system whose contents are there."""
        found = [
            each for each in self.decisions if each.system_id == self.systems[index].pk and each.id not in self.gone
        ]
        return self.draw(st.sampled_from(found)) if found else None

    def decide(self, system: AISystem | None = None) -> None:
        sent = self.draw(st.sets(st.sampled_from(sorted(SENT)), min_size=1))
        step = self.draw(st.integers(-1, 3))
        self.number = max(0, self.number + step)
        made = record_decision(
            system or self.draw(st.sampled_from(self.systems)),
            at=self.began - self.draw(st.integers(1, 20)) * HOUR,
            subject=self.subject if self.draw(st.booleans()) else None,
            parts={name: SENT[name] for name in sorted(sent)},
            outcome=self.draw(st.sampled_from(["approved", "refused"])),
            source_id=self.source if step else None,
            source_seq=self.number if step else None,
        )
        self.decisions.append(made)

    def decide_many(self) -> None:
        record_many(self.systems[0], self.draw(st.sampled_from([1, 30, 256])))

    def sign(self) -> None:
        record_checkpoints(actor=SERVER)

    def override(self) -> None:
        system = self.draw(st.integers(0, 1))
        decision = self._one_of(system)
        if decision is None or decision.id in self.overridden:
            return
        self.overridden.add(decision.id)
        owner = actor_of(owner_of(self.systems[system]))
        override_decision(actor=owner, decision_id=decision.id, outcome="no", reason_code="other", note="Not so.")

    def erase(self) -> None:
        if decision := self._one_of(0):
            self.gone.add(decision.id)
            erase(decision.id)

    def restrict(self) -> None:
        if decision := self._one_of(1):
            self.gone.add(decision.id)
            agreed(kind="decision", decision_ids=[decision.id])

    def close(self) -> None:
        """Of the first one's log what was signed last is not in the database."""
        log = open_log(self.systems[0].pk)
        head = head_store().head(log.id)
        assert head is not None
        head_store().advance(log.id, head.tree_size + 7, bytes(32))
        people = [make_person(administrator=True) for _ in range(2)]
        close_log(actor=COMMAND, asked_by=people[0], approved_by=people[1], log=log)
        self.has_lost = True

    def rotate(self) -> None:
        asks, agrees = (make_person(administrator=True) for _ in range(2))
        begin_rotation(actor=COMMAND, asked_by=asks, approved_by=agrees)
        finish_rotation(actor=COMMAND, asked_by=asks, approved_by=agrees)

    # --- what is asked ------------------------------------------------------------------------------------------------
    def export(self) -> Export:
        parts = self.draw(MAYBE_PARTS)
        match self.draw(st.sampled_from(["range", "range", "decision", "subject", "case"])):
            case "range":
                return export_of(self.auditor, self.draw(st.sampled_from(self.systems)), parts=parts, **self._times())
            case "decision":
                asked = self.draw(st.sampled_from(self.decisions))
                return export_of(self.auditor, question="decision", decision_id=asked.id, parts=parts)
            case "subject":
                return export_of(self.auditor, question="subject", subject=self.subject, parts=parts)
        some = self.draw(st.lists(st.sampled_from(self.decisions), min_size=1, unique_by=lambda each: each.id))
        case, lead = make_led_case(self.systems[0], decisions=some)
        return export_of(lead, question="case", case_id=case.pk, parts=parts)

    def _times(self) -> dict[str, datetime]:
        first, last = sorted(self.draw(st.lists(st.integers(0, 42), min_size=2, max_size=2, unique=True)))
        times = {"since": self.began - last * HOUR / 2, "until": self.began - first * HOUR / 2}
        return {name: times[name] for name in self.draw(st.sets(st.sampled_from(sorted(times))))}


LOST, LEFT_OUT = {"entries-lost"}, {"not-whole", "log-left-out"}
"""What the verifier says of what the log itself lost, and of what the exporter said it left out."""
ACTS = ["decide", "decide", "decide", "decide_many", "sign", "override", "erase", "restrict", "close"]


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    max_examples=12,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],  # worlds are small, and each takes seconds to make
)
@given(data=st.data(), acts=st.lists(st.sampled_from([*ACTS, "rotate"]), min_size=1, max_size=7))
def test_it_verifies_and_is_whole_where_the_exporter_says_so(
    data: st.DataObject, acts: list[str], tmp_path: Path
) -> None:
    world = World(data.draw, make_person(auditor=True))
    for act in acts:
        world.act(act)
    made = world.export()
    report = verdict_of(made, tmp_path)
    found = {each["code"] for each in report["findings"] if each["level"] != "note"}
    assert found <= (LOST if made.is_whole else LOST | LEFT_OUT), json.dumps(report, indent=1)
    assert world.has_lost or not found & LOST
    is_whole = made.is_whole and not found
    assert (report["exit_code"], report["verdict"]) == ((0, "verified") if is_whole else (3, "incomplete")), report
