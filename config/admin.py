"""The web admin's site and the two kinds of model pages there are: to read, and to write through a service.

Ground imports no floor, so rights and services come from the subclass: `may` and `carry_out`.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, Generic, Literal, TypeVar

from django import forms
from django.contrib import admin
from django.contrib.auth.forms import AuthenticationForm as DjangoAuthenticationForm
from django.core.exceptions import FieldDoesNotExist
from django.db.models import DateTimeField, Model, TextField
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin
from unfold.forms import AuthenticationForm as UnfoldAuthenticationForm
from unfold.paginator import InfinitePaginator
from unfold.sites import UnfoldAdminSite
from unfold.widgets import UnfoldAdminTextareaWidget

from config.errors import FieldProblem, ServiceError
from config.moments import moment

Act = Literal["view", "add", "change"]
M = TypeVar("M", bound=Model)
ASKED_BY_FILTERS = ("", "__exact", "__isnull", "__id__exact")
"""How Django's filters, and links of ours, end the name of a column."""


class SignInForm(UnfoldAuthenticationForm):
    """By e-mail address. Who may do what is decided by assignments, so being `staff` is not asked."""

    error_messages: ClassVar[dict[str, Any]] = {
        "invalid_login": "That e-mail address and password do not match. Passwords are case-sensitive.",
        "inactive": "That e-mail address and password do not match. Passwords are case-sensitive.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        address = self.fields["username"]
        address.label = "E-mail"
        address.widget.input_type = "email"
        address.widget.attrs |= {"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}

    def confirm_login_allowed(self, user: Any) -> None:
        DjangoAuthenticationForm.confirm_login_allowed(self, user)


class AnswerableAdminSite(UnfoldAdminSite):
    """The one site. Everyone with an active account may enter; each page asks what they may see there."""

    login_form = SignInForm
    enable_nav_sidebar = True

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self.login_form = SignInForm
        self.disable_action("delete_selected")

    def has_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_authenticated and request.user.is_active)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Of one app, for its page. The frame asks for all of them on every page and shows none: dozens of queries."""
        return list(super().get_app_list(request, app_label)) if app_label else []


class ReadOnlyAdmin(ModelAdmin, Generic[M]):
    """Pages of records that nobody edits: no adding, changing or deleting, no full counts over millions of rows."""

    paginator = InfinitePaginator
    show_full_result_count = False
    actions: Any = ()
    list_per_page = 50

    submit_words: ClassVar[str] = "Save"
    """What the button of the form says."""

    about: ClassVar[str] = ""
    """For an empty list: what it shows, and how something gets there."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        plural = str(self.opts.verbose_name_plural)
        said = {"title": plural[:1].upper() + plural[1:]}
        page: HttpResponse = super().changelist_view(request, said | (extra_context or {}))
        return page

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """What the page's own filters ask. Django would take any column of the row, also those that no page shows:
        whoever sees a list could read hashes and hidden texts letter by letter."""
        asked = self.get_list_filter(request) if request else self.list_filter
        names = [getattr(each, "parameter_name", each[0] if isinstance(each, tuple) else each) for each in asked]
        return any(lookup == f"{name}{ending}" for name in names for ending in ASKED_BY_FILTERS)

    def get_list_display(self, request: HttpRequest) -> Any:
        """As declared; a column of moments with its zone, and UTC on hover."""
        return [
            self._moments(name) if self._holds_moments(name) else name for name in super().get_list_display(request)
        ]

    def _holds_moments(self, name: Any) -> bool:
        try:
            return isinstance(self.opts.get_field(name), DateTimeField)
        except FieldDoesNotExist:
            return False

    def _moments(self, name: str) -> Callable[[M], str]:
        @admin.display(description=str(self.opts.get_field(name).verbose_name), ordering=name)
        def column(row: M) -> str:
            return moment(getattr(row, name), none="–")

        column.__name__ = name
        return column

    def may(self, request: HttpRequest, act: Act, obj: M | None) -> bool:
        """Whether the person may see (or add, or change) this; of None, whether they may see the list at all."""
        raise NotImplementedError(f"{type(self).__qualname__} must say who may: override `may`")

    def has_view_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return self.may(request, "view", obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        # asked on the sign-in page too, where nobody is signed in yet
        return self.admin_site.has_permission(request) and self.may(request, "view", None)

    def has_add_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False


def sentence(problem: FieldProblem) -> str:
    """A problem with something that is no field of the form: where it is, what it is, what would be right."""
    said = f"{problem.pointer}: {problem.detail}" if problem.pointer else problem.detail
    return f"{said} Expected: {problem.expected}." if problem.expected else said


class ServiceForm(forms.ModelForm):  # type: ignore[type-arg]
    """A form whose last validator is the service: refusals stand beside their fields, and nothing typed is lost."""

    carry_out: ClassVar[Any]
    carried_out: Model | None = None

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if not self.errors:
            self._carry_out()

    def _carry_out(self) -> None:
        try:
            self.carried_out = type(self).carry_out(self)
        except ServiceError as refusal:
            self._show(refusal)

    def _show(self, refusal: ServiceError) -> None:
        for problem in refusal.errors:
            name = problem.pointer.strip("/").split("/")[0]
            if name in self.fields:
                self.add_error(name, problem.detail)
            else:
                self.add_error(None, sentence(problem))
        if not refusal.errors:
            self.add_error(None, refusal.detail)


class _ServiceTransactions(admin.ModelAdmin):  # type: ignore[type-arg]
    """Django wraps a submitted form in a transaction. A service owns its own, which must be the outermost: it seals."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        return self._changeform_view(request, object_id, form_url, extra_context)  # type: ignore[attr-defined,no-any-return]


class ServiceAdmin(ReadOnlyAdmin[M], _ServiceTransactions):
    """Pages of rows that people write, every write by a service.

    A subclass says who may (`may`) and which service carries out a valid form (`carry_out`); it never deletes, never
    saves a row itself, and leaves no line in django_admin_log: the ledger is the trail.
    """

    form = ServiceForm
    formfield_overrides: ClassVar[Any] = {TextField: {"widget": UnfoldAdminTextareaWidget({"rows": 4})}}

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: M | None = None,
    ) -> HttpResponse:
        """One button: what is sent is carried out and shown."""
        buttons = {"show_save_and_continue": False, "show_save_and_add_another": False}
        return super().render_change_form(request, context | buttons, add, change, form_url, obj)

    def carry_out(self, request: HttpRequest, original: M | None, cleaned: Mapping[str, Any]) -> M:
        """Call the service with the form's data and return the row as it is stored. `original` is None for a new one.

        A ServiceError is shown in the form: problems whose pointer names a field beside it, all else at the top.
        """
        raise NotImplementedError(f"{type(self).__qualname__} must name its service: override `carry_out`")

    def has_add_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return self.may(request, "add", None)

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return self.may(request, "change", obj)

    def get_form(self, request: HttpRequest, obj: M | None = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        return type(form.__name__, (form,), {"carry_out": staticmethod(partial(self._carry_out, request, change))})

    def _carry_out(self, request: HttpRequest, change: bool, form: ServiceForm) -> M:
        # the form has already written its values into its instance: the service gets the row as it is stored
        original = self.get_queryset(request).get(pk=form.instance.pk) if change else None
        return self.carry_out(request, original, form.cleaned_data)

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        return form.carried_out

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Done already: the service was the form's last validator."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Django would write many-to-many rows here, without a trail."""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:  # type: ignore[override]
        """No django_admin_log: the service added a ledger entry."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:  # type: ignore[override]
        """No django_admin_log: the service added a ledger entry."""
