"""Parameters: what they say, within which bounds, what they said before, and changing them."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from config.errors import ServiceError
from config.moments import moment
from governance import rights
from governance.acts import RULES, Act, role_names
from governance.admin.pages import RegisterAdmin, SystemPages, actor_of, page_link, person_of
from governance.reauthentication import interruption
from governance.scopes import Scope
from overrides.admin.parameter_forms import ChangeForm, DefinitionForm, EndingForm, bounds_in_words
from overrides.models import Parameter, ParameterVersion
from overrides.parameter_charts import bound_share, step_line
from overrides.parameter_values import in_words
from overrides.parameters import standing, value_of
from overrides.services.parameters import ask_to_retire_parameter, change_parameter, define_parameter, takes_two

Status = ParameterVersion.Status
SHOWN = 100
NOTHING = "–"
ALONE = {
    "lower": "One person may lower it. Raising it waits for another one.",
    "higher": "One person may raise it. Lowering it waits for another one.",
    "false": "One person may switch it off. Switching it on waits for another one.",
    "true": "One person may switch it on. Switching it off waits for another one.",
    "none": "Every change waits for another person.",
}


@admin.register(Parameter)
class ParameterAdmin(SystemPages[Parameter], RegisterAdmin[Parameter]):
    about = (
        "Parameters are values that people set while an AI system runs: a threshold, a sampling rate, a limit. "
        "Towards the safe side one person sets them, away from it two do."
    )
    list_display = ("name", "system", "place", "shown_value", "shown_lapse", "shown_waiting")
    list_filter = ("system", "environment")
    list_select_related = ("system",)
    search_fields = ("name",)
    added_with = Act.PARAMETER_DEFINE
    actions_detail = ("change_value", "retire", "show_history")
    change_form_outer_before_template = "overrides/admin/parameter.html"
    add_fields = (
        "system",
        "name",
        "environment",
        "type",
        "default",
        "safe_direction",
        "safe_value",
        "minimum",
        "maximum",
        "allowed",
        "max_length",
        "unit",
        "description",
    )
    page_fields = (
        "linked_system",
        "place",
        "type",
        "safe_side",
        "shown_bounds",
        "unit",
        "first_value",
        "description",
        "retired_at",
    )

    class Media:
        css = {"all": ["overrides/parameters.css"]}

    def get_form(self, request: HttpRequest, obj: Parameter | None = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = DefinitionForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Parameter | None = None) -> Any:
        return self.page_fields if obj else self.add_fields

    def get_readonly_fields(self, request: HttpRequest, obj: Parameter | None = None) -> Any:
        return self.page_fields if obj else ()

    def carry_out(self, request: HttpRequest, original: Parameter | None, cleaned: Mapping[str, Any]) -> Parameter:
        given = dict(cleaned)
        system, value_type = given.pop("system"), given.pop("type")
        return define_parameter(actor=actor_of(request), system_id=system.pk, value_type=value_type, **given)

    def acts_for(self, request: HttpRequest, obj: Parameter) -> Iterable[str]:
        if obj.retired_at is not None:
            return
        person, scope = person_of(request), Scope.system(obj.system_id)
        if any(rights.can(person, act, scope) for act in (Act.PARAMETER_TIGHTEN, Act.PARAMETER_LOOSEN)):
            yield "change_value"
        if rights.can(person, Act.PARAMETER_DEFINE, scope):
            yield "retire"

    def shown_with(self, request: HttpRequest, obj: Parameter) -> dict[str, Any]:
        return {"shown": _picture(obj)}

    @action(description="Change the value", icon="tune", url_path="change-value")
    def change_value(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A form, then a page that says what pressing will do, then the change."""
        obj = self.get_object(request, object_id)
        if obj is None or "change_value" not in self.acts_for(request, obj):
            raise PermissionDenied
        form = ChangeForm(request.POST if request.method == "POST" else None, parameter=obj)
        verdict = _verdict(obj, form, request) if request.method == "POST" and form.is_valid() else None
        if verdict and verdict["agreed"] and verdict["two"] and (asking := interruption(request)):
            return asking
        if verdict and verdict["agreed"] and (done := _set(request, obj, form)):
            messages.success(request, done)
            return redirect(self.page_of(obj))
        context = {"form": form, "verdict": None if form.errors else verdict, "shown": _picture(obj)}
        return self._page(request, obj, "overrides/admin/change_parameter.html", "Change the value", context)

    @action(description="Retire", icon="archive", url_path="retire")
    def retire(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="retire",
            asks_factor=True,
            title="Ask to retire it",
            form_class=EndingForm,
            carry_out=lambda row, given: ask_to_retire_parameter(actor=actor_of(request), parameter_id=row.pk, **given),
            explanation="Callers then take what stands in their own code, whatever that is: so another person agrees "
            "first.",
            done="It waits for another person.",
        )

    @display(description="Now")
    def shown_value(self, row: Parameter) -> str:
        return NOTHING if row.retired_at else _value_now(row)

    @admin.display(description="Until")
    def shown_lapse(self, row: Parameter) -> str:
        held, lasting = (None, None) if row.retired_at else standing(row, timezone.now())
        return moment(held.expires_at) if held and held != lasting else NOTHING

    @display(description="State", label={"waits": "warning", "in force": "success", "retired": "info"})
    def shown_waiting(self, row: Parameter) -> str:
        if row.retired_at:
            return "retired"
        return "waits" if row.versions.filter(status=Status.PROPOSED).exists() else "in force"

    @admin.display(description="AI system")
    def linked_system(self, row: Parameter) -> SafeString:
        return page_link(row.system)

    @admin.display(description="Environment", ordering="environment")
    def place(self, row: Parameter) -> str:
        return row.environment or "every one"

    @admin.display(description="Safe side")
    def safe_side(self, row: Parameter) -> str:
        return direction_in_words(row)

    @admin.display(description="Bounds")
    def shown_bounds(self, row: Parameter) -> str:
        allowed = ", ".join(in_words(each) for each in row.allowed)
        return allowed or bounds_in_words(row) or "none"

    @admin.display(description="First value")
    def first_value(self, row: Parameter) -> str:
        return in_words(row.default)


def direction_in_words(row: Parameter) -> str:
    """Which way one person may move it."""
    if row.safe_direction == "value":
        return f"One person may set it to {in_words(row.safe_value)}. Every other change waits for another person."
    return ALONE[row.safe_direction]


def _value_now(row: Parameter) -> str:
    held, _ = standing(row, timezone.now())
    return f"{in_words(value_of(held, row.type))} {row.unit}".strip()


def _picture(row: Parameter) -> dict[str, Any]:
    """What the page shows above the definition."""
    now = timezone.now()
    versions = list(row.versions.order_by("-number")[:SHOWN])
    held, lasting = (None, None) if row.retired_at else standing(row, now)
    said: dict[str, Any] = {
        "versions": [_line(row, each, held) for each in versions],
        "waiting": [_line(row, each, held) for each in versions if each.status == Status.PROPOSED],
        "chart": step_line(row, versions, now),
        "direction": direction_in_words(row),
        "approvers": role_names(RULES[Act.PARAMETER_LOOSEN].approves),
    }
    if held and lasting:
        said |= {
            "value": in_words(value_of(held, row.type)),
            "held": held,
            "lasting": None if held == lasting else in_words(value_of(lasting, row.type)),
            "share": bound_share(row, value_of(held, row.type)),
            "low": in_words(row.minimum),
            "high": in_words(row.maximum),
        }
    return said


def _line(row: Parameter, version: ParameterVersion, held: ParameterVersion | None) -> dict[str, Any]:
    text = "retire it" if version.retires else f"{in_words(value_of(version, row.type))} {row.unit}".strip()
    beneath = held is not None and version.status == Status.IN_FORCE and version != held
    said = "holds again later" if beneath else version.get_status_display()
    return {"row": version, "text": text, "said": said, "tone": TONES.get(version.status, "neutral")}


TONES: dict[str, str] = {Status.PROPOSED: "warn", Status.IN_FORCE: "ok", Status.REFUSED: "bad", Status.VOID: "bad"}


def _verdict(row: Parameter, form: ChangeForm, request: HttpRequest) -> dict[str, Any] | None:
    """What pressing would do. `agreed`: they have read just this, and pressed."""
    given = form.cleaned_data
    try:
        two = takes_two(parameter=row, value=given["value"], expires_at=given["expires_at"])
    except ServiceError as refusal:
        _show(form, refusal)
        return None
    if two is None:
        form.add_error("value", "It says that already.")
        return None
    held, _ = standing(row, timezone.now())
    read = f"{held.number} {'two' if two else 'one'}"
    person, scope = person_of(request), Scope.system(row.system_id)
    return {
        "two": two,
        "may": rights.can(person, Act.PARAMETER_LOOSEN if two else Act.PARAMETER_TIGHTEN, scope),
        "text": in_words(given["value"]),
        "until": given["expires_at"],
        "read": read,
        "agreed": request.POST.get("read") == read,
    }


def _set(request: HttpRequest, row: Parameter, form: ChangeForm) -> str | None:
    """Carry it out; what is done, in words, or None where it was refused."""
    on_top_of = int(request.POST["read"].split()[0])
    try:
        version = change_parameter(
            actor=actor_of(request), parameter_id=row.pk, on_top_of=on_top_of, **form.cleaned_data
        )
    except ServiceError as refusal:
        _show(form, refusal)
        return None
    return "It waits for another person." if version.status == Status.PROPOSED else "It is in force."


def _show(form: ChangeForm, refusal: ServiceError) -> None:
    for problem in refusal.errors:
        name = problem.pointer.strip("/")
        form.add_error(name if name in form.fields else None, problem.detail)
    if not refusal.errors:
        form.add_error(None, refusal.detail)
