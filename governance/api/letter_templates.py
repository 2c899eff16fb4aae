"""Templates of explanation letters over the API, for people."""

from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance import rights
from governance.acts import Act
from governance.api.authentication import (
    IsPerson,
    KeyAuthentication,
    PersonAuthentication,
    actor_of,
    require_fresh,
)
from governance.api.strict import StrictCharField, StrictSerializer, checked
from governance.api.visible import visible_system
from governance.letter_templates.errors import LetterTemplateNotFound
from governance.letter_templates.facts import FACT_NAMES
from governance.letter_templates.wording import REASONS, Side
from governance.models import AISystem, LetterTemplate
from governance.scopes import Scope
from governance.selectors import draft_template, letter_templates, template_in_force
from governance.services.letter_templates import (
    TemplateContent,
    publish_letter_template,
    return_letter_template,
    save_letter_template,
    submit_letter_template,
    withdraw_letter_template,
)

TAGS = ["explanation letters"]
FACTS = "The facts it may name: " + ", ".join(f"`{{{each.name}}}`" for each in FACT_NAMES) + "."


class TemplateFields(StrictSerializer):
    """What a template says."""

    text = StrictCharField(trim_whitespace=False, help_text=f"Plain text; `# ` a heading, `- ` an item. {FACTS}")
    words = StrictCharField(
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        help_text="`late_payments = Payments came late`, a line each.",
    )
    responsible = StrictCharField(required=False, allow_blank=True)
    contact = StrictCharField(required=False, allow_blank=True)
    contest_days = serializers.IntegerField(required=False, allow_null=True)
    reasons_most = serializers.IntegerField(required=False, default=REASONS)
    reasons_side = serializers.ChoiceField(choices=Side.choices, required=False, default=Side.OUTCOME)
    names_staff = serializers.BooleanField(required=False, default=False)


class TemplateOutput(serializers.Serializer[Any]):
    """A template."""

    system = serializers.CharField(source="system.slug")
    language = serializers.CharField()
    number = serializers.IntegerField(allow_null=True, help_text="Null before it is published.")
    status = serializers.ChoiceField(LetterTemplate.Status.choices)
    base = serializers.IntegerField(source="revision", help_text="Sent back with the next save, or to publish it.")
    text = serializers.CharField()
    words = serializers.CharField()
    responsible = serializers.CharField()
    contact = serializers.CharField()
    contest_days = serializers.IntegerField(allow_null=True)
    reasons_most = serializers.IntegerField()
    reasons_side = serializers.ChoiceField(Side.choices)
    names_staff = serializers.BooleanField()
    saved_by_id = serializers.UUIDField()
    saved_at = serializers.DateTimeField()
    note = serializers.CharField()
    answer = serializers.CharField(help_text="Why it went back, where it did.")
    submitted_by_id = serializers.UUIDField(allow_null=True)
    submitted_at = serializers.DateTimeField(allow_null=True)
    published_by_id = serializers.UUIDField(allow_null=True)
    published_at = serializers.DateTimeField(allow_null=True)
    superseded_at = serializers.DateTimeField(allow_null=True)


class TemplateList(serializers.Serializer[Any]):
    items = TemplateOutput(many=True)


class _Api(APIView):
    # a service key is known, and told that a person is needed
    authentication_classes = (PersonAuthentication, KeyAuthentication)
    permission_classes: Any = (IsPerson,)


class LetterTemplatesApi(_Api):
    """The templates of an AI system that have a number."""

    @extend_schema(operation_id="letter_templates_list", responses=TemplateList, tags=TAGS)
    def get(self, request: Request, slug: str) -> Response:
        """By language, the newest first: those in force, and those they took the place of."""
        found = letter_templates(visible_system(request, slug).pk).select_related("system")[:200]
        return Response({"items": TemplateOutput(found, many=True).data})


class LetterTemplateApi(_Api):
    """The template of a language that is in force."""

    @extend_schema(operation_id="letter_template_read", responses=TemplateOutput, tags=TAGS)
    def get(self, request: Request, slug: str, language: str) -> Response:
        found = template_in_force(visible_system(request, slug).pk, language)
        if found is None:
            raise LetterTemplateNotFound()
        return Response(TemplateOutput(found).data)


class LetterTemplateDraftApi(_Api):
    """The next template of a language, as it was saved last."""

    class Save(TemplateFields):
        base = serializers.IntegerField(
            required=False, allow_null=True, default=None, help_text="The one it is made from; null begins a draft."
        )

    @extend_schema(operation_id="letter_template_draft_read", responses=TemplateOutput, tags=TAGS)
    def get(self, request: Request, slug: str, language: str) -> Response:
        """For those who may write or publish it."""
        return Response(TemplateOutput(_draft(request, visible_system(request, slug), language)).data)

    @extend_schema(operation_id="letter_template_draft_save", request=Save, responses=TemplateOutput, tags=TAGS)
    def put(self, request: Request, slug: str, language: str) -> Response:
        """Save it, whole. 409 `letter-template-changed` where somebody saved it after `base`."""
        given, system = checked(self.Save, request), visible_system(request, slug)
        base = given.pop("base")
        content = TemplateContent(**given)
        saved = save_letter_template(
            actor=actor_of(request), system_id=system.pk, language=language, content=content, base=base
        )
        return Response(TemplateOutput(saved).data)


class LetterTemplateSubmitApi(_Api):
    """Asking a second person."""

    class Submission(StrictSerializer):
        base = serializers.IntegerField(help_text="Of the save that is meant.")
        note = StrictCharField(required=False, allow_blank=True, max_length=2000)

    @extend_schema(operation_id="letter_template_submit", request=Submission, responses=TemplateOutput, tags=TAGS)
    def post(self, request: Request, slug: str, language: str) -> Response:
        """Ask that it be published. It is not changed from then on, and whoever may publish it is written to."""
        given, system = checked(self.Submission, request), visible_system(request, slug)
        made = submit_letter_template(actor=actor_of(request), system_id=system.pk, language=language, **given)
        return Response(TemplateOutput(made).data)


class LetterTemplateReturnApi(_Api):
    """Sending it back."""

    class Answer(StrictSerializer):
        reason = StrictCharField(max_length=2000)

    @extend_schema(operation_id="letter_template_return", request=Answer, responses={204: None}, tags=TAGS)
    def post(self, request: Request, slug: str, language: str) -> Response:
        """Send what was submitted back to be worked on, as the second person; or take one's own back."""
        given, system = checked(self.Answer, request), visible_system(request, slug)
        return_letter_template(actor=actor_of(request), system_id=system.pk, language=language, **given)
        return Response(status=HTTPStatus.NO_CONTENT)


class LetterTemplatePublishApi(_Api):
    """Being the second person."""

    class Publication(StrictSerializer):
        base = serializers.IntegerField(help_text="Of what was looked at.")

    @extend_schema(
        operation_id="letter_template_publish", request=Publication, responses={201: TemplateOutput}, tags=TAGS
    )
    def post(self, request: Request, slug: str, language: str) -> Response:
        """Put it in force, as somebody who saved nothing of it. Needs a factor proven within 10 minutes."""
        require_fresh(request)
        given, system = checked(self.Publication, request), visible_system(request, slug)
        made = publish_letter_template(actor=actor_of(request), system_id=system.pk, language=language, **given)
        return Response(TemplateOutput(made).data, HTTPStatus.CREATED)


class LetterTemplateWithdrawApi(_Api):
    """Giving a draft up."""

    class Reason(StrictSerializer):
        reason = StrictCharField(required=False, allow_blank=True, max_length=2000)

    @extend_schema(operation_id="letter_template_withdraw", request=Reason, responses={204: None}, tags=TAGS)
    def post(self, request: Request, slug: str, language: str) -> Response:
        """Its text stays in its history."""
        given, system = checked(self.Reason, request), visible_system(request, slug)
        withdraw_letter_template(actor=actor_of(request), system_id=system.pk, language=language, **given)
        return Response(status=HTTPStatus.NO_CONTENT)


def _draft(request: Request, system: AISystem, language: str) -> LetterTemplate:
    """Errors: `LetterTemplateNotFound`, also for those who neither write nor publish it."""
    found, scope, actor = draft_template(system.pk, language), Scope.system(system.pk), actor_of(request)
    may_write = rights.can(actor, Act.LETTER_TEMPLATE_EDIT, scope)
    if found is None or not (
        may_write or rights.may_approve(actor, Act.LETTER_TEMPLATE_PUBLISH, scope, requested_by=None)
    ):
        raise LetterTemplateNotFound()
    return found
