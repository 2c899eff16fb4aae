"""What the writer of a letter was shown when they began it, kept with the draft: the page shows the same again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evidence.letters.gathering import Fact
from evidence.models import LetterDraft


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The facts with their sources, what the template asked for, what was to be said about it."""

    facts: Sequence[Fact]
    seen: Mapping[str, Any]
    warnings: Sequence[str]
    template: int | None
    missing: Sequence[str]

    def as_json(self) -> str:
        told = [[fact.name, _plain(fact.value), fact.source] for fact in self.facts]
        said = {"seen": dict(self.seen), "warnings": [*self.warnings], "missing": [*self.missing]}
        return json.dumps(said | {"facts": told, "template": self.template})


def snapshot_of(draft: LetterDraft) -> Snapshot:
    said = json.loads(draft.facts)
    return Snapshot(
        facts=[Fact(name=name, value=value, source=source) for name, value, source in said["facts"]],
        seen=said["seen"],
        warnings=said["warnings"],
        template=said["template"],
        missing=said["missing"],
    )


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
