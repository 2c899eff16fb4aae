"""What the register's admin pages have in common: acts with a form of their own, secrets shown once, the history."""

import uuid
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import get_fields_from_path
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_variables
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextareaWidget

from config.admin import Act as PageAct
from config.admin import ReadOnlyAdmin, ServiceAdmin, sentence
from config.errors import ServiceError
from governance import rights
from governance.acts import Act
from governance.admin.history import Moment, moments
from governance.admin.stale import show_what_stands
from governance.models import Person
from governance.reauthentication import interruption
from governance.rights import as_actor
from governance.scopes import ORGANISATION, Scope
from ledger.entries import Actor

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Secret:
    """Something that is shown once and never again."""

    title: str
    text: str
    advice: str
    kept: str = "This is shown once. Only a hash of it is kept."


class ReasonForm(forms.Form):
    """An act that takes a reason."""

    reason = forms.CharField(
        required=False,
        max_length=2000,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text="Kept beside the log, which holds a commitment to it.",
    )


def actor_of(request: HttpRequest) -> Actor:
    """The signed-in person as the actor of entries."""
    return as_actor(person_of(request))


def person_of(request: HttpRequest) -> Person:
    if not isinstance(request.user, Person):
        raise PermissionDenied
    return request.user


def page_link(row: Model, text: object = None) -> SafeString:
    """A row's name, or another text, leading to its page."""
    page = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    return format_html('<a href="{}">{}</a>', page, row if text is None else text)


def person_link(person_id: uuid.UUID | None, none: str = "nobody") -> SafeString | str:
    """A person's name leading to their page."""
    found = Person.objects.filter(pk=person_id).first() if person_id else None
    return page_link(found) if found else none


class SeenOnly(admin.RelatedFieldListFilter):
    """A filter that offers what stands in the list of whoever looks, and names nothing else."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        listed = model_admin.get_queryset(request).order_by().values(self.field_path)
        rows = field.remote_field.model._default_manager.filter(pk__in=listed)
        return [(row.pk, str(row)) for row in rows]


def narrow_choices(fields: dict[str, Any], request: HttpRequest, site: admin.AdminSite) -> None:
    """What a form lets somebody choose are rows that they would find in the list of such rows.

    `fields` are those of one form, or of a form class made for one request: each narrowed field takes another's place.
    """
    for name, field in fields.items():
        if isinstance(field, forms.ModelChoiceField) and field.queryset is not None:
            pages = site._registry.get(field.queryset.model)
            if isinstance(pages, ReadOnlyAdmin):
                fields[name] = own = deepcopy(field)
                own.queryset = field.queryset.filter(pk__in=pages.get_queryset(request).order_by().values("pk"))


class ActPages(ReadOnlyAdmin[M]):
    """Pages with acts: each a button on the row's page, shown while `acts_for` names it, and a form of its own."""

    actions_detail: ClassVar[Any] = ("show_history",)
    compressed_fields = True

    def acts_for(self, request: HttpRequest, obj: M) -> Iterable[str]:
        """Which acts the row's state and the person's rights allow. The service decides again."""
        return ()

    def get_list_filter(self, request: HttpRequest) -> Any:
        """As declared; a filter by something that rows belong to offers what its viewer may see."""
        return [self._seen_only(each) for each in super().get_list_filter(request)]

    def _seen_only(self, declared: Any) -> Any:
        is_related = isinstance(declared, str) and get_fields_from_path(self.model, declared)[-1].is_relation
        return (declared, SeenOnly) if is_related else declared

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        obj = self.get_object(request, str(object_id))
        shown = {"show_history", *self.acts_for(request, obj)} if obj else set()
        return [each for each in self._get_base_actions_detail() if each.action_name.split("_", 2)[2] in shown]

    def act(
        self,
        request: HttpRequest,
        object_id: str,
        *,
        name: str,
        title: str,
        carry_out: Callable[[M, dict[str, Any]], object],
        form_class: type[forms.Form] = forms.Form,
        explanation: str = "",
        done: str = "Done.",
        asks_factor: bool = False,
        initial: Mapping[str, Any] | None = None,
    ) -> HttpResponse:
        """The page of one act. What `carry_out` refuses stands in the form; a `Secret` it returns is shown once.

        `asks_factor`: not without a factor proven in the last minutes (governance/reauthentication.py).
        """
        obj = self.get_object(request, object_id)
        if obj is None or not self.may(request, "view", obj) or name not in self.acts_for(request, obj):
            raise PermissionDenied
        if asks_factor and request.method == "POST" and (asking := interruption(request)):
            return asking
        form = form_class(request.POST if request.method == "POST" else None, initial=dict(initial or {}))
        narrow_choices(form.fields, request, self.admin_site)
        if request.method == "POST" and form.is_valid():
            outcome = _outcome(form, lambda: carry_out(obj, form.cleaned_data))
            if isinstance(outcome, Secret):
                return self._page(request, obj, "governance/admin/secret.html", title, {"secret": outcome})
            if not form.errors:
                messages.success(request, done)
                return redirect(self.page_of(obj))
            show_what_stands(form, initial or {})
        context = {"form": form, "explanation": explanation}
        return self._page(request, obj, "governance/admin/act.html", title, context)

    def shown_with(self, request: HttpRequest, obj: M) -> dict[str, Any]:
        """What the row's page shows beside its columns, for its template."""
        return {}

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: M | None = None,
    ) -> HttpResponse:
        shown = self.shown_with(request, obj) if obj else {}
        page: HttpResponse = super().render_change_form(request, context | shown, add, change, form_url, obj)
        return page

    def page_of(self, obj: M) -> str:
        """The address of a row's page."""
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[obj.pk])

    @action(description="History", icon="history", url_path="trail")
    def show_history(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Every sealed change of the row, the newest first."""
        obj = self.get_object(request, object_id)
        if obj is None or not self.may(request, "view", obj):
            raise PermissionDenied
        found: list[Moment] = moments(obj, self.hidden_in_history(request, obj))
        return self._page(request, obj, "governance/admin/history.html", "History", {"moments": found})

    def hidden_in_history(self, request: HttpRequest, obj: M) -> frozenset[str]:
        """The fields whose past its viewer may not read, as they may not read what they are today."""
        return frozenset()

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Django's own address of the history leads to ours, where there is one."""
        if "show_history" not in self.actions_detail:
            raise Http404
        return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_show_history", object_id=object_id)

    def _page(
        self, request: HttpRequest, obj: M, template: str, title: str, context: dict[str, Any]
    ) -> TemplateResponse:
        frame = {**self.admin_site.each_context(request), "title": title, "original": obj, "opts": self.opts}
        response = TemplateResponse(request, template, frame | {"back": self.page_of(obj)} | context)
        response.headers["Cache-Control"] = "no-store"
        return response


class SystemPages(ActPages[M]):
    """Rows of AI systems: shown to those who may see the system, and edited by acts alone."""

    system_path: ClassVar[str] = "system_id"
    """Where the id of a row's system stands, as a look-up says it."""

    added_with: ClassVar[Act | None] = None
    """The act that lets somebody add one; None where no form adds them."""

    def scope_of(self, obj: M) -> Scope:
        found: Any = obj
        for name in self.system_path.split("__"):
            found = getattr(found, name)
        return Scope.system(found) if found else ORGANISATION

    def may(self, request: HttpRequest, act: PageAct, obj: M | None) -> bool:
        person = person_of(request)
        if act == "add":
            return self.added_with is not None and rights.can_anywhere(person, self.added_with)
        if act == "change":
            return False
        if obj is None:
            return rights.can_anywhere(person, Act.SYSTEM_VIEW)
        return rights.can(person, Act.SYSTEM_VIEW, self.scope_of(obj))

    def get_queryset(self, request: HttpRequest) -> QuerySet[M]:
        systems = rights.systems_where(person_of(request), Act.SYSTEM_VIEW)
        rows: QuerySet[M] = super().get_queryset(request)
        return rows if systems is None else rows.filter(**{f"{self.system_path}__in": systems})


class RegisterAdmin(ActPages[M], ServiceAdmin[M]):
    """Pages of the register: written by services, with acts and a history."""

    def get_form(self, request: HttpRequest, obj: M | None = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        narrow_choices(form.base_fields, request, self.admin_site)
        return form

    def asks_factor(self, request: HttpRequest) -> bool:
        """Whether what the form sends asks for a factor proven in the last minutes."""
        return False

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        act: PageAct = "change" if object_id else "add"
        obj = self.get_object(request, object_id) if object_id else None
        asked = request.method == "POST" and self.asks_factor(request) and self.may(request, act, obj)
        if asked and (asking := interruption(request)):
            return asking
        page: HttpResponse = super().changeform_view(request, object_id, form_url, extra_context)
        return page


@sensitive_variables()
def _outcome(form: forms.Form, carry_out: Callable[[], object]) -> object:
    try:
        return carry_out()
    except ValidationError as refusal:
        form.add_error(None, ValidationError(refusal.messages))
    except ServiceError as refusal:
        add_refusal(form, refusal)
    return None


def add_refusal(form: forms.Form, refusal: ServiceError) -> None:
    """What a service refused, beside the fields that it is about."""
    for problem in refusal.errors:
        field = problem.pointer.strip("/").split("/")[0]
        known = field in form.fields
        form.add_error(field if known else None, problem.detail if known else sentence(problem))
    if not refusal.errors:
        form.add_error(None, refusal.detail)
