"""Review rules: what they ask for, what they would have caught, changing them, and what waits for a second person."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Case, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from config.admin import sentence
from config.errors import ServiceError
from config.problems import as_service_error
from governance import rights
from governance.acts import Act
from governance.admin.pages import (
    ReasonForm,
    RegisterAdmin,
    SystemPages,
    actor_of,
    narrow_choices,
    page_link,
    person_of,
)
from governance.admin.requests import RequestPages
from governance.reauthentication import interruption
from governance.scopes import Scope
from ledger.entries import Actor
from notices.approvals import reason_of
from overrides.admin.change_words import changes_in_words
from overrides.admin.review_forms import SETTINGS, TESTS, ChangeRuleForm, NewRuleForm, as_typed
from overrides.catching import would_catch
from overrides.conditions import condition_in_words
from overrides.models import ReviewRule, RuleChange
from overrides.selectors import hidden_from
from overrides.services.queues import approve_queue_change
from overrides.services.rule_requests import act_of, refuse_rule_change, scope_of
from overrides.services.rules import Asked, approve_rule_change, change_rule, loosened, register_rule

Status = RuleChange.Status
WORDS = {
    "archived": "it asks for nothing any more",
    "environment": "where it counts",
    "condition": "what it catches",
    "deadline_s": "more time",
    "on_timeout": "a milder end when nobody decides",
    "reviews_required": "fewer reviewers",
    "is_blind": "not blind any more",
    "required_skill": "the skill asked for",
    "order": "when it is tried",
    "queue_id": "another queue",
    # of a queue
    "when_full": "what it does when it is full",
    "capacity": "less room",
    "blind_share": "fewer of them blind",
    "is_default": "where what is held without a rule goes",
}


NEW_RULE = "a new rule, before others"


@admin.register(ReviewRule)
class ReviewRuleAdmin(SystemPages[ReviewRule], RegisterAdmin[ReviewRule]):
    about = (
        "Review rules say which decisions a person must look at. Asking for more takes one person and is in force "
        "within two seconds; asking for less waits for a second one."
    )
    list_display = ("name", "system", "order", "asks_for", "queue", "shown_state")
    list_filter = ("system", "queue")
    list_select_related = ("system", "queue")
    search_fields = ("name",)
    added_with = Act.REVIEW_RULE_TIGHTEN
    actions_detail = ("change", "archive", "show_history")
    change_form_outer_before_template = "overrides/admin/rule.html"
    page_fields = (
        "linked_system",
        "place",
        "asks_for",
        "queue",
        "deadline",
        "on_timeout",
        "reviews_required",
        "shown_blind",
        "required_skill",
        "order",
        "shown_state",
    )

    def get_ordering(self, request: HttpRequest) -> Any:
        return (Case(When(archived_at=None, then=0), default=1), "system", "order")

    def get_form(self, request: HttpRequest, obj: ReviewRule | None = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            hidden = hidden_from(person_of(request).pk)
            kwargs["form"] = type("NewRuleForm", (NewRuleForm,), {"hidden": hidden})
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: ReviewRule | None = None) -> Any:
        return self.page_fields if obj else ("system", "name", "environment", *TESTS, *SETTINGS, "seen")

    def get_readonly_fields(self, request: HttpRequest, obj: ReviewRule | None = None) -> Any:
        return self.page_fields if obj else ()

    def carry_out(self, request: HttpRequest, original: ReviewRule | None, cleaned: Mapping[str, Any]) -> ReviewRule:
        queue, minutes = cleaned["queue"], cleaned["deadline_minutes"]
        names = ("name", "environment", "condition", "on_timeout", "reviews_required", "is_blind", "required_skill")
        values = {name: cleaned[name] for name in names} | {"queue_id": queue.pk, "deadline_s": minutes * 60}
        asked = register_rule(actor=actor_of(request), system_id=cleaned["system"].pk, values=values)
        if asked.rule is None:  # it is tried last, so it takes nothing from the others
            raise RuntimeError("a rule that is tried last waits for nobody")
        return asked.rule

    def acts_for(self, request: HttpRequest, obj: ReviewRule) -> Iterable[str]:
        person, scope = person_of(request), Scope.system(obj.system_id)
        if obj.archived_at is None and rights.can(person, Act.REVIEW_RULE_TIGHTEN, scope):
            yield from ("change", "archive")

    @action(description="Change", icon="edit", url_path="change-rule")
    def change(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A form, then a page that says what it would do, then the change."""
        obj = self.get_object(request, object_id)
        if obj is None or "change" not in self.acts_for(request, obj):
            raise PermissionDenied
        is_sent = request.method == "POST"
        form = ChangeRuleForm(request.POST if is_sent else None, initial=as_typed(obj))
        narrow_choices(form.fields, request, self.admin_site)
        verdict = _verdict(obj, form, request) if is_sent and form.is_valid() else None
        is_read = verdict is not None and request.POST.get("read") == verdict["read"]
        if is_read and verdict and verdict["looser"] and (asking := interruption(request)):
            return asking
        if is_read and (asked := _change(request, obj, form)):
            messages.success(request, "It waits for a second person." if asked.request else "It is in force.")
            return redirect(self.page_of(obj))
        context = {"form": form, "verdict": None if form.errors else verdict}
        return self._page(request, obj, "overrides/admin/change_rule.html", "Change the rule", context)

    @action(description="Archive", icon="archive", url_path="archive")
    def archive(self, request: HttpRequest, object_id: str) -> HttpResponse:
        found = self.get_object(request, object_id)
        return self.act(
            request,
            object_id,
            name="archive",
            asks_factor=True,
            title="Ask to archive it",
            form_class=ReasonForm,
            carry_out=lambda row, given: change_rule(
                actor=actor_of(request), rule_id=row.pk, changes={"archived": True}, **given
            ),
            explanation=f"It would have held {_caught(found, request)}; then nobody looks at these because of it. "
            "A second person agrees first."
            if found
            else "",
            done="It waits for a second person.",
        )

    @admin.display(description="AI system")
    def linked_system(self, row: ReviewRule) -> SafeString:
        return page_link(row.system)

    @admin.display(description="Environment")
    def place(self, row: ReviewRule) -> str:
        return row.environment or "every one"

    @admin.display(description="Asks for")
    def asks_for(self, row: ReviewRule) -> str:
        return condition_in_words(row.condition)

    def shown_with(self, request: HttpRequest, obj: ReviewRule) -> dict[str, Any]:
        waiting = obj.changes.filter(status=Status.REQUESTED, expires_at__gt=timezone.now()).first()
        return {"caught": _caught(obj, request), "waiting": waiting}

    @admin.display(description="Blind")
    def shown_blind(self, row: ReviewRule) -> str:
        return "until a first judgement" if row.is_blind else "no"

    @admin.display(description="Deadline")
    def deadline(self, row: ReviewRule) -> str:
        return f"{row.deadline_s / 60:g} minutes"

    @display(description="State", label={"in force": "success", "waits": "warning", "archived": "info"})
    def shown_state(self, row: ReviewRule) -> str:
        if row.archived_at:
            return "archived"
        waits = row.changes.filter(status=Status.REQUESTED, expires_at__gt=timezone.now()).exists()
        return "waits" if waits else "in force"


@admin.register(RuleChange)
class RuleChangeAdmin(RequestPages[RuleChange]):
    about = (
        "Changes after which less would be looked at, by a rule or in a queue. Each waits a day for a second person."
    )
    list_display = ("about_which", "system", "what", "shown_status", "asked_by", "expires_at")
    list_filter = ("status", "system")
    list_select_related = ("rule", "queue", "system")
    waiting_status = Status.REQUESTED
    fields = ("shown_rule", "system", "what", "shown_changes", "why", "status", "asked_by", "expires_at", "decided_at")
    readonly_fields = fields

    def scope_of(self, obj: RuleChange) -> Scope:
        return scope_of(obj)

    def act_of(self, obj: RuleChange) -> Act:
        return act_of(obj)

    def waits(self, obj: RuleChange) -> bool:
        return super().waits(obj) and obj.expires_at > timezone.now()

    def what_it_does(self, obj: RuleChange) -> str:
        return f"Less is looked at from then on: {self.what(obj)}."

    def carry_out_approval(self, actor: Actor, obj: RuleChange) -> object:
        approve = approve_queue_change if obj.queue_id else approve_rule_change
        return approve(actor=actor, change_id=obj.pk)

    def carry_out_refusal(self, actor: Actor, obj: RuleChange, reason: str) -> object:
        return refuse_rule_change(actor=actor, change_id=obj.pk, reason=reason)

    carry_out_withdrawal = carry_out_refusal

    @admin.display(description="Rule or queue")
    def about_which(self, row: RuleChange) -> str:
        """Without a link of its own: in the list it leads to the change."""
        return str(row.rule or row.queue or NEW_RULE)

    @admin.display(description="Rule or queue")
    def shown_rule(self, row: RuleChange) -> SafeString | str:
        found = row.rule or row.queue
        return page_link(found) if found else NEW_RULE

    @admin.display(description="What would be less strict")
    def what(self, row: RuleChange) -> str:
        return ", ".join(WORDS.get(name, name) for name in row.loosens)

    @admin.display(description="Changes")
    def shown_changes(self, row: RuleChange) -> SafeString:
        return format_html_join("", "<div>{}</div>", ((said,) for said in changes_in_words(row)))

    @admin.display(description="Why")
    def why(self, row: RuleChange) -> str:
        return reason_of(row) or "no reason was given"

    @display(
        description="Status",
        label={"requested": "warning", "applied": "success", "refused": "danger", "withdrawn": "info"},
    )
    def shown_status(self, row: RuleChange) -> tuple[str, str]:
        return row.status, row.get_status_display()


def _caught(row: ReviewRule, request: HttpRequest) -> str:
    hidden = hidden_from(person_of(request).pk)
    return would_catch(row.system_id, row.environment, row.condition, hidden=hidden).words


def _verdict(row: ReviewRule, form: ChangeRuleForm, request: HttpRequest) -> dict[str, Any] | None:
    changes = form.changes(row)
    if not changes:
        form.add_error(None, "It says all of that already.")
        return None
    after = ReviewRule.objects.get(pk=row.pk)
    for name, value in changes.items():
        setattr(after, name, value)
    looser = [WORDS.get(name, name) for name in loosened(row, after)]
    return {
        "looser": looser,
        "before": _caught(row, request),
        "after": _caught(after, request),
        "read": f"{row.revision} {sorted(changes)} {len(looser)}",
    }


def _change(request: HttpRequest, row: ReviewRule, form: ChangeRuleForm) -> Asked | None:
    try:
        return change_rule(
            actor=actor_of(request),
            rule_id=row.pk,
            changes=form.changes(row),
            reason=form.cleaned_data["reason"],
        )
    except (ServiceError, ValidationError) as error:
        refusal = as_service_error(error)
        for problem in refusal.errors if refusal else []:
            form.add_error(None, sentence(problem))
        if refusal and not refusal.errors:
            form.add_error(None, refusal.detail)
        return None


__all__ = ["ReviewRuleAdmin", "RuleChangeAdmin"]
