"""Sources: what has arrived of each counter, and what has not; how long one may be silent, and whether it has ended."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from config.admin import Act as PageAct
from config.moments import moment
from governance import rights
from governance.acts import Act
from governance.admin.pages import ActPages, ReasonForm, actor_of, page_link
from governance.models import AISystem, ServiceAccount
from intake.admin.viewers import viewer
from intake.models import Source
from intake.selectors import last_heard, silent_sources
from intake.services.sources import end_source, expect_source, missing_of, scope_of
from notices.words import shows


@shows("source", "Source")
def _source(value: str) -> str | None:
    """How alerts show a source."""
    found = Source.objects.filter(pk=value).first()
    account = ServiceAccount.objects.filter(pk=found.account_id).first() if found else None
    return page_link(found, f"{found} of {account}" if account else found) if found else None


SEEN_BY = (Act.DECISION_VIEW, Act.SYSTEM_EDIT)


class ExpectationForm(ReasonForm):
    """How long a source may be silent."""

    every_s = forms.IntegerField(
        label="Longest silence in seconds",
        required=False,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="Not heard from for longer, by a decision or a heartbeat, it raises an alert. Empty: as any other.",
    )
    field_order = ("every_s", "reason")


class SilenceFilter(admin.SimpleListFilter):
    """Silent ones: those that the overview counts and that raise alerts."""

    title = "silence"
    parameter_name = "silent"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Silent"), ("no", "Not silent")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Source]) -> QuerySet[Source] | None:
        match self.value():
            case "yes":
                return queryset.filter(_is_silent())
            case "no":
                return queryset.exclude(_is_silent())
        return queryset


def _is_silent() -> Exists:
    return Exists(silent_sources().filter(pk=OuterRef("pk")))


@admin.register(Source)
class SourceAdmin(ActPages[Source]):
    about = (
        "Sources are the counters that services number their decisions with, and show which numbers never arrived. "
        "One appears when a decision or a heartbeat names it in its field “source”."
    )
    list_display = ("name", "last_seq", "missing", "forks", "last_heard_at", "silence")
    list_filter = (SilenceFilter,)
    search_fields = ("slug",)
    fields = (
        "slug",
        "account",
        "system",
        "created_at",
        "last_seq",
        "missing",
        "gaps",
        "forks",
        "last_heard_at",
        "silence",
        "expected",
        "ended",
    )
    readonly_fields = fields
    actions_detail = ("expect", "end", "show_history")

    def may(self, request: HttpRequest, act: PageAct, obj: Source | None) -> bool:
        return any(rights.can_anywhere(viewer(request), seeing) for seeing in SEEN_BY)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Source]:
        """Sources of systems the person may see; those of no system yet are the organisation's."""
        sources: QuerySet[Source] = super().get_queryset(request).select_related("state")
        sources = sources.annotate(is_silent=_is_silent())
        systems = [rights.systems_where(viewer(request), seeing) for seeing in SEEN_BY]
        if None in systems:
            return sources
        return sources.filter(system_id__in=frozenset().union(*(found for found in systems if found is not None)))

    def acts_for(self, request: HttpRequest, obj: Source) -> Iterable[str]:
        if rights.can(viewer(request), Act.SYSTEM_EDIT, scope_of(obj)):
            yield "expect"
            if not _has_ended(obj):
                yield "end"

    @action(description="Say how often it is heard", icon="schedule", url_path="expect")
    def expect(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="expect",
            title="Say how often it is heard",
            form_class=ExpectationForm,
            carry_out=lambda source, given: expect_source(actor=actor_of(request), source_id=source.pk, **given),
            explanation="A source that is silent for longer raises an alert, also one that sends no heartbeats.",
        )

    @action(description="It has ended", icon="stop_circle", url_path="end")
    def end(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="end",
            title="It has ended",
            form_class=ReasonForm,
            carry_out=lambda source, given: end_source(actor=actor_of(request), source_id=source.pk, **given),
            explanation="Its silence raises no alert any more. If it is heard again, it is watched again.",
        )

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
        return moment(last_heard(source.state))

    @display(description="silent", label={"silent": "warning", "no": "success", "ended": "info"})
    def silence(self, source: Source) -> str:
        if _has_ended(source):
            return "ended"
        return "silent" if getattr(source, "is_silent", False) else "no"

    @admin.display(description="longest silence")
    def expected(self, source: Source) -> str:
        return f"{source.expected_every_s:,} seconds" if source.expected_every_s else "nothing said"

    @admin.display(description="ended")
    def ended(self, source: Source) -> str:
        return moment(source.ended_at) if _has_ended(source) else "no"


def _has_ended(source: Source) -> bool:
    return source.ended_at is not None and source.ended_at >= last_heard(source.state)
