"""Sources: what has arrived of each counter, and what has not."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from config.admin import Act as PageAct
from config.admin import ReadOnlyAdmin
from config.moments import moment
from governance import rights
from governance.acts import Act
from governance.admin.pages import page_link
from governance.models import AISystem, ServiceAccount
from intake.admin.viewers import viewer
from intake.models import Source
from intake.services.sources import missing_of
from notices.words import shows


@shows("source", "Source")
def _source(value: str) -> str | None:
    """How alerts show a source."""
    found = Source.objects.filter(pk=value).first()
    account = ServiceAccount.objects.filter(pk=found.account_id).first() if found else None
    return page_link(found, f"{found} of {account}" if account else found) if found else None


@admin.register(Source)
class SourceAdmin(ReadOnlyAdmin[Source]):
    about = (
        "Sources are the counters that services number their decisions with, and show which numbers never arrived. "
        "One appears when a decision or a heartbeat names it in its field “source”."
    )
    list_display = ("name", "last_seq", "missing", "forks", "last_heard_at")
    search_fields = ("slug",)
    fields = ("slug", "account", "system", "created_at", "last_seq", "missing", "gaps", "forks", "last_heard_at")
    readonly_fields = fields

    def may(self, request: HttpRequest, act: PageAct, obj: Source | None) -> bool:
        return rights.can_anywhere(viewer(request), Act.DECISION_VIEW)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Source]:
        """Sources of systems the person may see; those of no system yet are the organisation's."""
        sources: QuerySet[Source] = super().get_queryset(request).select_related("state")
        systems = rights.systems_where(viewer(request), Act.DECISION_VIEW)
        return sources if systems is None else sources.filter(system_id__in=systems)

    @admin.display(description="source", ordering="slug")
    def name(self, source: Source) -> str:
        return source.slug

    @admin.display(description="service account")
    def account(self, source: Source) -> str:
        found = ServiceAccount.objects.filter(pk=source.account_id).first()
        return page_link(found) if found else str(source.account_id)

    @admin.display(description="AI system")
    def system(self, source: Source) -> str:
        found = AISystem.objects.filter(pk=source.system_id).first() if source.system_id else None
        return page_link(found) if found else "none yet"

    @admin.display(description="last number")
    def last_seq(self, source: Source) -> int | None:
        return source.state.last_seq

    @admin.display(description="missing numbers")
    def missing(self, source: Source) -> int | str:
        count = missing_of(source.state).count
        return "not known yet" if count is None else count

    @admin.display(description="missing ranges")
    def gaps(self, source: Source) -> str:
        gaps = missing_of(source.state).gaps
        return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in gaps) or "none"

    @admin.display(description="claimed twice")
    def forks(self, source: Source) -> str:
        return ", ".join(map(str, source.state.forks)) or "none"

    @admin.display(description="last heard")
    def last_heard_at(self, source: Source) -> str:
        heard = [at for at in (source.state.last_seen_at, source.state.last_heartbeat_at) if at is not None]
        return moment(max(heard, default=None))
