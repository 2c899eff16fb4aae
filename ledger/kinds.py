"""Entry kinds: `noun.past_participle`, declared once beside the feature that writes them, never renamed or reused."""

import enum
import re
from dataclasses import dataclass, field
from typing import ClassVar


class Belongs(enum.Enum):
    """The log an entry kind goes to."""

    SYSTEM = "system"
    REGISTRY = "registry"
    SCOPE = "scope"
    """The AI system's log where the act has one, else the registry log."""


@dataclass(frozen=True, slots=True)
class Kind:
    """An entry kind. The name is on the wire for ever; a second declaration of one is a programming error."""

    name: str
    belongs: Belongs
    about: str = field(default="", compare=False)

    declared: ClassVar[dict[str, "Kind"]] = {}

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", self.name):
            raise ValueError(f"{self.name!r} is not noun.past_participle")
        if self.name in self.declared:
            raise ValueError(f"the entry kind {self.name!r} is declared twice")
        self.declared[self.name] = self


LOG_OPENED = Kind("log.opened", Belongs.SYSTEM, "entry 0 of an AI system's log: names the system and the registry")
REGISTRY_OPENED = Kind("registry.opened", Belongs.REGISTRY, "entry 0 of the registry log")
SYSTEM_LOG_OPENED = Kind("log.announced", Belongs.REGISTRY, "an AI system's log was opened")
LOG_LOST = Kind("log.lost", Belongs.REGISTRY, "a log that was signed for is not in the database at all")
KEY_ANNOUNCED = Kind("key.announced", Belongs.SCOPE, "a key signs this log from here on; a later one is signed for")
KEY_RETIRED = Kind("key.retired", Belongs.SCOPE, "a key signs this log no more: up to here its signature counts")
CHECKPOINT_RECORDED = Kind("checkpoint.recorded", Belongs.REGISTRY, "the checkpoint of a log that grew")
