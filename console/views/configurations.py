"""The configurations of an AI system that are kept: stored by hand, opened by digest, compared, named in a version."""

import uuid
from typing import Any

import msgspec
from django import forms
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from audit.comparing import compare_json
from config.errors import Conflict, InvalidInput
from console.cases.forms import CaseForm
from console.configurations import SHOWN_BYTES
from console.pages import page, show, viewer
from console.views.cards import may, visible_to
from governance.acts import Act
from governance.admin.pages import add_refusal
from governance.models import AISystem, ConfigurationSnapshot, ModelVersion
from governance.rights import as_actor
from governance.selectors import kept_configuration
from governance.services.configurations import ALGORITHMS, MAX_BYTES, store_configuration
from governance.services.versions import update_version
from governance.version_errors import ConfigurationNotFound

LISTED = 50
NAMES_IT = (ModelVersion.Status.UNVERIFIED, ModelVersion.Status.REGISTERED)
"""Versions of which it may still be said what they run with."""


class StoreForm(CaseForm):
    """A file as it is, or a text."""

    file = forms.FileField(
        label="File",
        required=False,
        help_text="Its bytes as they are: this is how you get the digest that your service computes.",
    )
    text = forms.CharField(
        label="Or the text",
        required=False,
        strip=False,
        widget=forms.Textarea({"rows": 8, "spellcheck": "false"}),
        help_text="One JSON object. Lines end with a line feed, and nothing is added at the end.",
    )
    algorithm = forms.ChoiceField(label="Digest by", choices=[(each, each) for each in ALGORITHMS])

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if bool(given.get("file")) == bool(given.get("text")):
            raise forms.ValidationError("Choose a file, or write the text: one of the two.")
        return given

    def content(self) -> bytes:
        """One byte too many is enough for the service to refuse it."""
        file: UploadedFile[Any] | None = self.cleaned_data["file"]
        if file is not None:
            return bytes(file.read(MAX_BYTES + 1))
        return str(self.cleaned_data["text"]).replace("\r\n", "\n").encode()


class OpenForm(CaseForm):
    """Which, by its digest."""

    digest = forms.CharField(
        label="Digest",
        max_length=150,
        widget=forms.TextInput(
            {"class": "a-hash", "autocomplete": "off", "spellcheck": "false", "placeholder": "sha256:9f86d0…"}
        ),
    )


class CompareForm(CaseForm):
    """With which other one."""

    before = forms.CharField(
        label="The other one, by its digest",
        max_length=150,
        widget=forms.TextInput({"class": "a-hash", "autocomplete": "off", "spellcheck": "false", "list": "digests"}),
    )


class NameForm(CaseForm):
    """In which version."""

    version = forms.ModelChoiceField(label="Model version", queryset=ModelVersion.objects.none(), empty_label="Choose")

    def __init__(self, *args: Any, system: AISystem, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        version: Any = self.fields["version"]
        version.queryset = self.open = system.model_versions.filter(status__in=NAMES_IT)

    def may_choose(self) -> bool:
        return self.open.exists()


@page
@require_http_methods(["GET", "HEAD", "POST"])
def configuration_list(request: HttpRequest, system_id: uuid.UUID) -> HttpResponse:
    """What is kept, the newest first; another one is stored here."""
    system = visible_to(request, system_id)
    form = StoreForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid() and (kept := _stored(request, system, form)):
        messages.success(request, "It is kept. Send its digest with your decisions, and name it in a version.")
        return redirect("admin:configuration", system.pk, kept.digest)
    return _list_page(request, system, form)


def _stored(request: HttpRequest, system: AISystem, form: StoreForm) -> ConfigurationSnapshot | None:
    algorithm = form.cleaned_data["algorithm"]
    actor = as_actor(viewer(request))
    try:
        return store_configuration(actor=actor, system_id=system.pk, content=form.content(), algorithm=algorithm)
    except InvalidInput as refusal:
        add_refusal(form, refusal)
    return None


def _list_page(
    request: HttpRequest, system: AISystem, form: StoreForm, opening: OpenForm | None = None
) -> HttpResponse:
    rows = list(_before(request, system)[: LISTED + 1])
    return show(
        request,
        "configurations/list.html",
        title="Configurations",
        status=_status(form, opening),
        system=system,
        opening=opening or OpenForm(),
        rows=_with_versions(system, rows[:LISTED]),
        older=rows[LISTED - 1].pk if len(rows) > LISTED else None,
        form=form,
        may_store=may(request, Act.VERSION_REGISTER, system),
    )


def _status(*sent: forms.Form | None) -> int:
    return 422 if any(form.errors for form in sent if form) else 200


def _before(request: HttpRequest, system: AISystem) -> Any:
    found = ConfigurationSnapshot.objects.filter(system=system).order_by("-id").defer("content")
    try:
        return found.filter(pk__lt=uuid.UUID(request.GET.get("before", "")))
    except ValueError:
        return found


def _with_versions(
    system: AISystem, rows: list[ConfigurationSnapshot]
) -> list[tuple[ConfigurationSnapshot, list[ModelVersion]]]:
    named: dict[str, list[ModelVersion]] = {}
    for version in system.model_versions.filter(config_digest__in=[each.digest for each in rows]):
        named.setdefault(version.config_digest, []).append(version)
    return [(each, named.get(each.digest, [])) for each in rows]


@page
@require_safe
def open_by_digest(request: HttpRequest, system_id: uuid.UUID) -> HttpResponse:
    """Leads to the one of a digest, as a decision or a build's log names it."""
    system, form = visible_to(request, system_id), OpenForm(request.GET)
    if kept := _asked_for(system, form, "digest"):
        return redirect("admin:configuration", system.pk, kept.digest)
    return _list_page(request, system, StoreForm(), form)


def _asked_for(system: AISystem, form: forms.Form, field: str) -> ConfigurationSnapshot | None:
    """None: the form says why."""
    if not form.is_valid():
        return None
    found = kept_configuration(system.pk, form.cleaned_data[field])
    if found is None:
        form.add_error(field, "No configuration of this digest is kept for this AI system.")
    return found


@page
@require_safe
def configuration(request: HttpRequest, system_id: uuid.UUID, digest: str) -> HttpResponse:
    """One, with the versions that name it, and others to compare it with."""
    system = visible_to(request, system_id)
    return _page(request, system, _kept(system, digest), NameForm(system=system))


@page
@require_POST
def name_it(request: HttpRequest, system_id: uuid.UUID, digest: str) -> HttpResponse:
    """Say that a version runs with it: what a promotion asks of an AI system of high risk."""
    system = visible_to(request, system_id)
    kept, form = _kept(system, digest), NameForm(request.POST, system=system)
    if form.is_valid() and _named(request, form, kept):
        messages.success(request, f"{form.cleaned_data['version']} runs with it.")
        return redirect("admin:configuration", system.pk, kept.digest)
    return _page(request, system, kept, form)


def _named(request: HttpRequest, form: NameForm, kept: ConfigurationSnapshot) -> bool:
    version, changes = form.cleaned_data["version"], {"config_digest": kept.digest}
    try:
        update_version(actor=as_actor(viewer(request)), version_id=version.pk, changes=changes)
    except (Conflict, InvalidInput) as refusal:
        add_refusal(form, refusal)
    return not form.errors


def _page(
    request: HttpRequest,
    system: AISystem,
    kept: ConfigurationSnapshot,
    form: NameForm,
    comparing: CompareForm | None = None,
) -> HttpResponse:
    others = ConfigurationSnapshot.objects.filter(system=system).exclude(pk=kept.pk).order_by("-id").defer("content")
    return show(
        request,
        "configurations/one.html",
        title="A configuration",
        status=_status(form, comparing),
        system=system,
        kept=kept,
        comparing=comparing or CompareForm(),
        text=_readable(kept),
        versions=system.model_versions.filter(config_digest=kept.digest),
        others=others[:LISTED],
        form=form,
        may_name=may(request, Act.VERSION_REGISTER, system) and form.may_choose(),
    )


def _readable(kept: ConfigurationSnapshot) -> str:
    """Indented, each value as it was written, where it is short enough to be read at once."""
    if not kept.content or kept.size > SHOWN_BYTES:
        return ""
    return msgspec.json.format(kept.content, indent=2)


@page
@require_safe
def configuration_file(request: HttpRequest, system_id: uuid.UUID, digest: str) -> HttpResponse:
    """The bytes as they were stored: their digest is the one they are kept under."""
    system = visible_to(request, system_id)
    kept = _kept(system, digest)
    name = f"{system.slug}-{kept.digest.replace(':', '-')[:30]}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(kept.content.encode(), content_type="application/json", headers=headers)


@page
@require_safe
def compare(request: HttpRequest, system_id: uuid.UUID) -> HttpResponse:
    """What differs between two, place by place. Errors: `ConfigurationNotFound` for `after`, whose page asks."""
    system, form = visible_to(request, system_id), CompareForm(request.GET)
    after = _kept(system, request.GET.get("after", "").strip())
    before = _asked_for(system, form, "before")
    if before is None:
        return _page(request, system, after, NameForm(system=system), form)
    return show(
        request,
        "configurations/compare.html",
        title="Two configurations",
        system=system,
        before=before,
        after=after,
        comparison=compare_json(before.content.encode(), after.content.encode()),
        is_erased=not (before.content and after.content),
    )


def _kept(system: AISystem, digest: str) -> ConfigurationSnapshot:
    """Errors: `ConfigurationNotFound`."""
    found = kept_configuration(system.pk, digest)
    if found is None:
        raise ConfigurationNotFound()
    return found
