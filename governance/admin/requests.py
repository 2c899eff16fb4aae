"""Pages of what waits for a second person: approved with a factor proven just now, refused, or taken back."""

from collections.abc import Iterable
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from django.contrib import admin
from django.db.models import Case, Model, When
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from unfold.decorators import action

from governance import rights
from governance.acts import Act
from governance.admin.pages import ReasonForm, SystemPages, actor_of, person_link, person_of
from ledger.entries import Actor

M = TypeVar("M", bound=Model)


class ApprovalPages(SystemPages[M]):
    """Rows that a second person approves. There is no approving without a fresh factor, nor by who asked."""

    approved_words: ClassVar[str] = "Done."
    asked_by_field: ClassVar[str] = "requested_by_id"

    def waits(self, obj: M) -> bool:
        """Whether it waits for a second person still."""
        raise NotImplementedError

    def act_of(self, obj: M) -> Act:
        """What is approved, in the act table."""
        raise NotImplementedError

    def carry_out_approval(self, actor: Actor, obj: M) -> object:
        raise NotImplementedError

    def what_it_does(self, obj: M) -> str:
        """What approving does, in words."""
        return ""

    def asked_by_id(self, obj: M) -> UUID | None:
        found: UUID | None = getattr(obj, self.asked_by_field)
        return found

    def may_approve(self, request: HttpRequest, obj: M) -> bool:
        act, scope = self.act_of(obj), self.scope_of(obj)
        return rights.may_approve(person_of(request), act, scope, requested_by=self.asked_by_id(obj))

    @action(description="Approve", icon="how_to_reg", url_path="approve")
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        found = self.get_object(request, object_id)
        return self.act(
            request,
            object_id,
            name="approve",
            asks_factor=True,
            title="Approve",
            carry_out=lambda row, given: self.carry_out_approval(actor_of(request), row),
            explanation=self.what_it_does(found) if found else "",
            done=self.approved_words,
        )


class RequestPages(ApprovalPages[M]):
    """Requests for what takes two people. Those that wait stand first."""

    actions_detail: ClassVar[Any] = ("approve", "refuse", "withdraw", "show_history")
    waiting_status: ClassVar[str]
    approved_words = "It is in force."

    def carry_out_refusal(self, actor: Actor, obj: M, reason: str) -> object:
        raise NotImplementedError

    def carry_out_withdrawal(self, actor: Actor, obj: M, reason: str) -> object:
        raise NotImplementedError

    def waits(self, obj: M) -> bool:
        row: Any = obj
        return bool(row.status == self.waiting_status)

    def get_ordering(self, request: HttpRequest) -> Any:
        return (Case(When(status=self.waiting_status, then=0), default=1).asc(), "-id")

    def acts_for(self, request: HttpRequest, obj: M) -> Iterable[str]:
        if not self.waits(obj):
            return
        if self.may_approve(request, obj):
            yield from ("approve", "refuse")
        if self.asked_by_id(obj) == person_of(request).pk:
            yield "withdraw"

    @action(description="Refuse", icon="block", url_path="refuse")
    def refuse(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="refuse",
            title="Refuse",
            form_class=ReasonForm,
            carry_out=lambda row, given: self.carry_out_refusal(actor_of(request), row, given["reason"]),
            done="It stays as it is.",
        )

    @action(description="Withdraw", icon="undo", url_path="withdraw")
    def withdraw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="withdraw",
            title="Withdraw",
            form_class=ReasonForm,
            carry_out=lambda row, given: self.carry_out_withdrawal(actor_of(request), row, given["reason"]),
            done="It stays as it is.",
        )

    @admin.display(description="Asked for by")
    def asked_by(self, row: M) -> SafeString | str:
        return person_link(self.asked_by_id(row))
