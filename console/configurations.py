"""The configuration under which something was decided: the digest that its entry names, and what is kept of it."""

from dataclasses import dataclass

from audit.selectors import SealedDecision
from governance import rights
from governance.acts import Act
from governance.models import ConfigurationSnapshot, ModelVersion, Person
from governance.scopes import Scope
from governance.selectors import kept_configuration

SHOWN_BYTES = 16 * 1024
"""Longer ones are not read beside a decision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedConfiguration:
    """A digest, by whose word, and the configuration of that digest where it is kept and may be seen."""

    digest: str
    is_from_register: bool
    """The caller named none: the register says so of the model version today."""
    kept: ConfigurationSnapshot | None
    may_see: bool

    @property
    def shown(self) -> str:
        """What it says, where it is short enough to be read at once."""
        return self.kept.content if self.kept and self.kept.size <= SHOWN_BYTES else ""


def configuration_of(
    person: Person, decision: SealedDecision, version: ModelVersion | None
) -> NamedConfiguration | None:
    """None where neither the entry nor the register names one."""
    named = decision.body.config_digest
    digest = named or (version.config_digest if version else "")
    if not digest:
        return None
    may_see = rights.can(person, Act.SYSTEM_VIEW, Scope.system(decision.system_id))
    kept = kept_configuration(decision.system_id, digest) if may_see else None
    return NamedConfiguration(digest=digest, is_from_register=not named, kept=kept, may_see=may_see)
