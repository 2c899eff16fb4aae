"""What was decided when the making of an export began: the same however often it is gone on with."""

import uuid
from datetime import datetime
from typing import Any

import msgspec


class PlannedLog(msgspec.Struct, frozen=True, kw_only=True):
    """A log in the export, under the one checkpoint that everything of it is proven against."""

    id: uuid.UUID
    origin: str
    is_registry: bool
    system_id: uuid.UUID | None
    predecessor: str | None
    tree_size: int
    root_hash: str
    note: str
    timestamps: list[str]
    """RFC 3161 tokens over the note's text, in base64."""
    range: tuple[int, int] | None = None
    before_size: int | None = None
    before_note: str = ""
    proves: list[int] = []
    """Sizes of earlier trees that the tiles must suffice for."""

    @property
    def name(self) -> str:
        """The last segment of the origin, which names its folder in a bundle."""
        return self.origin.rsplit("/", 1)[1]

    @property
    def range_size(self) -> int:
        return self.range[1] - self.range[0] if self.range else 0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Which logs prove it and which entries are in it; the places beside the ranges stand in `ExportPlace`."""

    made_at: datetime
    begun_at: datetime
    snapshot: str
    """Of the database, from before anything was read: what was erased later is told by it."""
    cluster: int = 0
    """Of which database cluster that is: in another one, as after a restore, transactions are numbered anew."""
    logs: list[PlannedLog]
    """Those of AI systems first, each chain in order, the registry's last."""
    request_entry: uuid.UUID
    approval_entry: uuid.UUID | None
    restrictions: list[uuid.UUID] = []
    """Entries by which decisions and texts were restricted then."""
    systems: list[uuid.UUID] = []
    """Of a case or a subject: the AI systems that it discloses something of."""
    reads_restricted: bool = False
    """Whether whoever asked read what is restricted then: contents of that may be in it."""
    left_out: list[str]
    withheld: int
    """Entries inside ranges that are withheld."""
    total: int
    """Entries that are to be read."""

    def kept(self) -> Any:
        return msgspec.to_builtins(self)

    @classmethod
    def of(cls, kept: Any) -> "Plan":
        return msgspec.convert(kept, cls)

    @property
    def system_logs(self) -> list[PlannedLog]:
        return [log for log in self.logs if not log.is_registry]
