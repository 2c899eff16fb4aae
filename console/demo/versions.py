"""How the demonstration's model versions came into use: their data, their configurations, proposed, approved, live."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.demo.cast import written
from governance.models import AISystem, DataDependency, DataSource, Person
from governance.rights import as_actor
from governance.services.configurations import store_configuration
from governance.services.data_sources import register_data_source
from governance.services.dependencies import declare_dependency
from governance.services.promotions import approve_version, propose_version, release_version
from governance.services.versions import register_version

Use, Kind, Personal = DataDependency.Use, DataSource.Kind, DataSource.PersonalData


@dataclass(frozen=True, slots=True)
class Source:
    """A data source of the demonstration, and who answers for it, by mailbox."""

    slug: str
    name: str
    kind: DataSource.Kind
    owner: str
    personal_data: DataSource.PersonalData
    provider: str = "In-house"


SOURCES = (
    Source("card-applications", "Card applications", Kind.DATABASE, "demo-head-of-credit", Personal.IDENTIFIED),
    Source("credit-bureau", "Credit bureau feed", Kind.FEED, "demo-head-of-credit", Personal.IDENTIFIED, "A bureau"),
    Source("job-applications", "Job applications", Kind.DATABASE, "demo-head-of-recruiting", Personal.IDENTIFIED),
    Source("triage-benchmark", "Triage benchmark", Kind.DATASET, "demo-engineer", Personal.PSEUDONYMOUS),
    Source("help-pages", "Help pages", Kind.DOCUMENTS, "demo-head-of-support", Personal.NONE),
)
USES: Mapping[str, tuple[tuple[str, DataDependency.Use, str], ...]] = {
    "limits-gbm-4.1": (
        ("card-applications", Use.TRAINING, "2026-03"),
        ("card-applications", Use.EVALUATION, "2026-04"),
        ("credit-bureau", Use.INPUT, ""),
    ),
    "limits-gbm-4.2": (
        ("card-applications", Use.TRAINING, "2026-09"),
        ("card-applications", Use.EVALUATION, "2026-10"),
        ("credit-bureau", Use.INPUT, ""),
    ),
    "triage-2026.10": (
        ("job-applications", Use.TRAINING, "2026-08"),
        ("triage-benchmark", Use.EVALUATION, "3"),
    ),
    "drafts-7": (("help-pages", Use.INPUT, "2026-11"),),
}
REASONS: Mapping[str, str] = {
    "limits-gbm-4.1": "The first one: as good as the desk on last year's applications, which may always overrule it.",
    "limits-gbm-4.2": "Trained with the newest quarter: two in a hundred fewer wrong refusals, and no group is "
    "worse off than before.",
    "triage-2026.10": "Agrees with two recruiters in 91 of 100 of the benchmark; people confirm every decline.",
    "drafts-7": "Shorter answers, and sources under each of them.",
}
PREDECESSORS = frozenset({"limits-gbm-4.1"})
"""Approved once, and not live any more beside their successors."""


def register_sources(people: Mapping[str, Person], by: Person) -> None:
    for each in SOURCES:
        register_data_source(
            actor=as_actor(by),
            slug=each.slug,
            owner=people[each.owner],
            name=each.name,
            kind=each.kind,
            personal_data=each.personal_data,
            provider=each.provider,
        )


def bring_into_use(system: AISystem, described: Mapping[str, Any], engineer: Person, owner: Person) -> None:
    """One model version, the whole way."""
    by, version = as_actor(engineer), described["version"]
    kept = store_configuration(actor=by, system_id=system.pk, content=written(described["configuration"]))
    made = register_version(actor=by, system_id=system.pk, config_digest=kept.digest, **described)
    for source, use, snapshot in USES[version]:
        declare_dependency(actor=by, version_id=made.pk, source=source, use=use, snapshot=snapshot)
    asked = propose_version(actor=by, version_id=made.pk, reason=REASONS[version])
    approve_version(
        actor=as_actor(owner),
        version_id=made.pk,
        promotion_id=asked.pk,
        revision=asked.model_version.revision,
        answer="Read the evaluation.",
    )
    if version not in PREDECESSORS:
        release_version(actor=by, version_id=made.pk)
