"""Queues of reviews, what people are able to judge, and the reasons they choose from."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextareaWidget

from config.admin import Act as PageAct
from config.admin import ServiceForm
from config.errors import FieldProblem, InvalidInput
from governance import rights
from governance.acts import Act
from governance.admin.pages import ReasonForm, RegisterAdmin, actor_of, person_of
from governance.scopes import ORGANISATION, Scope
from overrides.admin.change_words import column_in_words
from overrides.models import OPEN, ReviewerSkill, ReviewQueue, RuleChange, is_held
from overrides.reasons import DECISIONS, reasons_in_force
from overrides.selectors import visible_queues
from overrides.services.queues import (
    archive_queue,
    end_skill,
    give_skill,
    publish_reasons,
    register_queue,
    update_queue,
)

SETTINGS = (
    "capacity",
    "when_full",
    "lease_s",
    "claims_per_person",
    "deadline_s",
    "blind_share",
    "dwell_floor_s",
    "is_default",
)
SAID = tuple(f"said_{name}" for name in SETTINGS)


def _said(name: str, label: str) -> Any:
    """A setting in words, for whoever reads it and may not change it."""

    @admin.display(description=label)
    def said(page: Any, row: ReviewQueue) -> str:
        return column_in_words(name, getattr(row, name))

    return said


class QueueForm(ServiceForm):
    class Meta:
        model = ReviewQueue
        fields = ("slug", "system", "owner", *SETTINGS)
        labels = {
            "slug": "Name",
            "system": "AI system",
            "lease_s": "A claim lasts, in seconds",
            "claims_per_person": "Claims at a time, per person",
            "deadline_s": "Deadline without a rule, in seconds",
            "blind_share": "Blind all the same",
            "dwell_floor_s": "Hardly a look, under seconds",
            "is_default": "Takes what is held without a rule",
        }
        help_texts = {
            "system": "Empty: for all of them.",
            "capacity": "So many held decisions are as many as its people can look at. Empty: no limit.",
            "blind_share": "From 0 to 1: how far people follow the model shows there.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.show_hidden_initial = True

    def clean(self) -> dict[str, Any]:
        """With the names of what this person changed: what the page showed them, others may have changed since."""
        return (super().clean() or self.cleaned_data) | {"changed": frozenset(self.changed_data)}


@admin.register(ReviewQueue)
class ReviewQueueAdmin(RegisterAdmin[ReviewQueue]):
    about = (
        "Reviews wait in queues. Each has an owner, who is told before deadlines, and says what it does when full. "
        "A change after which less would be looked at (less room, no more taken when full, more time, fewer blind) "
        "waits for a second person."
    )
    form = QueueForm
    list_display = ("name", "system", "owner", "waiting", "held", "capacity", "when_full", "shown_state")
    list_filter = ("system",)
    list_select_related = ("system", "owner")
    actions_detail = ("archive", "reasons", "show_history")
    change_form_outer_before_template = "overrides/admin/queue.html"

    def may(self, request: HttpRequest, act: PageAct, obj: ReviewQueue | None) -> bool:
        person = person_of(request)
        match act:
            case "add":
                return rights.can_anywhere(person, Act.REVIEW_QUEUE_MANAGE)
            case "change" if obj:
                return obj.archived_at is None and rights.can(person, Act.REVIEW_QUEUE_MANAGE, _scope(obj))
        return obj is None or visible_queues(actor_of(request)).filter(pk=obj.pk).exists()

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReviewQueue]:
        seen = visible_queues(actor_of(request)).order_by().values("pk")
        rows = super().get_queryset(request).filter(pk__in=seen)
        counted: QuerySet[ReviewQueue] = rows.annotate(
            open_reviews=Count("reviews", filter=Q(reviews__status__in=OPEN)),
            held_reviews=Count("reviews", filter=is_held("reviews__")),
        )
        return counted

    @admin.display(description="Name", ordering="slug")
    def name(self, row: ReviewQueue) -> str:
        return row.slug

    said_capacity = _said("capacity", "Capacity")
    said_when_full = _said("when_full", "When full")
    said_lease_s = _said("lease_s", "A claim lasts")
    said_claims_per_person = _said("claims_per_person", "Claims at a time, per person")
    said_deadline_s = _said("deadline_s", "Deadline without a rule")
    said_blind_share = _said("blind_share", "Blind all the same")
    said_dwell_floor_s = _said("dwell_floor_s", "Hardly a look, under")
    said_is_default = _said("is_default", "Takes what is held without a rule")

    def get_fields(self, request: HttpRequest, obj: ReviewQueue | None = None) -> Any:
        settings = SETTINGS if obj is None or self.may(request, "change", obj) else SAID
        return ("slug", "system", "owner", *settings)

    def get_readonly_fields(self, request: HttpRequest, obj: ReviewQueue | None = None) -> Any:
        return ("slug", "system", *SAID) if obj else ()

    def carry_out(self, request: HttpRequest, original: ReviewQueue | None, cleaned: Mapping[str, Any]) -> ReviewQueue:
        described = {name: cleaned[name] for name in SETTINGS}
        owner, changed = cleaned["owner"], cleaned["changed"]
        if original:
            changes = {name: value for name, value in described.items() if name in changed}
            changes |= {"owner_id": owner.pk} if "owner" in changed else {}
            return update_queue(actor=actor_of(request), queue_id=original.pk, changes=changes).queue
        system = cleaned["system"]
        return register_queue(
            actor=actor_of(request),
            slug=cleaned["slug"],
            owner_id=owner.pk,
            system_id=system.pk if system else None,
            **described,
        )

    def asks_factor(self, request: HttpRequest) -> bool:
        # which changes wait for a second person shows in the service alone: all of them ask, making a queue does not
        return request.resolver_match is not None and "object_id" in request.resolver_match.kwargs

    def response_change(self, request: HttpRequest, obj: ReviewQueue) -> HttpResponse:
        if not _waiting(obj, requested_by_id=person_of(request).pk):
            return super().response_change(request, obj)
        messages.warning(request, "Less would be looked at, so it waits for a second person.")
        return redirect(self.page_of(obj))

    def shown_with(self, request: HttpRequest, obj: ReviewQueue) -> dict[str, Any]:
        return {"waiting": _waiting(obj)}

    def acts_for(self, request: HttpRequest, obj: ReviewQueue) -> Iterable[str]:
        if obj.archived_at is None and rights.can(person_of(request), Act.REVIEW_QUEUE_MANAGE, _scope(obj)):
            yield from ("archive", "reasons")

    @action(description="Archive", icon="archive", url_path="archive")
    def archive(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="archive",
            title="Archive it",
            form_class=ReasonForm,
            carry_out=lambda row, given: archive_queue(actor=actor_of(request), queue_id=row.pk, **given),
            explanation="Not while rules send decisions there, or reviews wait in it.",
        )

    @action(description="Reasons", icon="list", url_path="reasons")
    def reasons(self, request: HttpRequest, object_id: str) -> HttpResponse:
        found = self.get_object(request, object_id)
        shown = as_lines(reasons_in_force(found.pk)) if found else ""
        return self.act(
            request,
            object_id,
            name="reasons",
            title="Put this list in force",
            form_class=reasons_form(shown),
            carry_out=lambda row, given: publish_reasons(
                actor=actor_of(request), queue_id=row.pk, codes=from_lines(given["codes"])
            ),
            explanation="The reasons people choose from in this queue. What was decided under an earlier list refers "
            "to that one.",
        )

    @admin.display(description="Open", ordering="open_reviews")
    def waiting(self, row: ReviewQueue) -> int:
        return int(getattr(row, "open_reviews", 0))

    @admin.display(description="Held", ordering="held_reviews")
    def held(self, row: ReviewQueue) -> int:
        return int(getattr(row, "held_reviews", 0))

    @display(description="State", label={"in use": "success", "over capacity": "danger", "archived": "info"})
    def shown_state(self, row: ReviewQueue) -> str:
        if row.archived_at:
            return "archived"
        return "over capacity" if row.capacity and self.held(row) > row.capacity else "in use"


def reasons_form(shown: str) -> type[forms.Form]:
    """One reason a line, as they stand."""

    class ReasonsForm(forms.Form):
        codes = forms.CharField(
            label="Reasons",
            initial=shown,
            widget=UnfoldAdminTextareaWidget({"rows": 14, "spellcheck": "false"}),
            help_text=f"One a line: code | words | decisions it fits. Decisions: {', '.join(DECISIONS)}.",
        )

    return ReasonsForm


def as_lines(codes: list[dict[str, Any]]) -> str:
    return "\n".join(f"{each['code']} | {each['words']} | {', '.join(each['for'])}" for each in codes)


def from_lines(text: str) -> list[dict[str, Any]]:
    """Errors: `InvalidInput` naming the line."""
    found = []
    for number, line in enumerate(filter(str.strip, text.splitlines()), 1):
        parts = [part.strip() for part in line.split("|")]
        if len(parts) != 3:
            detail = f"Line {number} is not: code | words | decisions."
            raise InvalidInput(errors=[FieldProblem(pointer="/codes", detail=detail)])
        fits = [each.strip() for each in parts[2].split(",") if each.strip()]
        found.append({"code": parts[0], "words": parts[1], "for": fits})
    return found


class NewSkillForm(ServiceForm):
    class Meta:
        model = ReviewerSkill
        fields = ("person", "skill")


@admin.register(ReviewerSkill)
class ReviewerSkillAdmin(RegisterAdmin[ReviewerSkill]):
    about = (
        "What people were found able to judge. A rule may ask for a skill; then only they are given what it catches."
    )
    form = NewSkillForm
    list_display = ("person", "skill", "created_at", "ended_at")
    list_filter = ("skill",)
    list_select_related = ("person",)
    fields = ("person", "skill")
    actions_detail = ("end", "show_history")

    def may(self, request: HttpRequest, act: PageAct, obj: ReviewerSkill | None) -> bool:
        if act == "change":
            return False
        return rights.can(person_of(request), Act.PEOPLE_MANAGE if act == "add" else Act.PEOPLE_VIEW) or (
            act == "view" and rights.can_anywhere(person_of(request), Act.PEOPLE_VIEW)
        )

    def get_readonly_fields(self, request: HttpRequest, obj: ReviewerSkill | None = None) -> Any:
        return ("person", "skill") if obj else ()

    def carry_out(
        self, request: HttpRequest, original: ReviewerSkill | None, cleaned: Mapping[str, Any]
    ) -> ReviewerSkill:
        return give_skill(actor=actor_of(request), person_id=cleaned["person"].pk, skill=cleaned["skill"])

    def acts_for(self, request: HttpRequest, obj: ReviewerSkill) -> Iterable[str]:
        if obj.ended_at is None and rights.can(person_of(request), Act.PEOPLE_MANAGE):
            yield "end"

    @action(description="End it", icon="person_off", url_path="end")
    def end(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="end",
            title="End it",
            carry_out=lambda row, given: end_skill(actor=actor_of(request), person_id=row.person_id, skill=row.skill),
            explanation="They are given nothing any more that asks for it; what they decided stays.",
        )


def _waiting(queue: ReviewQueue, **by: Any) -> RuleChange | None:
    """What waits for a second person, and is still about the queue as it stands."""
    waits = queue.changes.filter(status=RuleChange.Status.REQUESTED, expires_at__gt=timezone.now(), **by)
    return waits.filter(rule_revision=queue.revision).first()


def _scope(queue: ReviewQueue) -> Scope:
    return Scope.system(queue.system_id) if queue.system_id else ORGANISATION


__all__ = ["ReviewQueueAdmin", "ReviewerSkillAdmin"]
