"""Putting decisions into a case: what a filter finds, one decision, or what an alert is about; or a complaint alone.

What it is stands in the address, as the list of decisions has it. The page says first how many there are.
"""

import uuid
from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from audit.case_errors import CaseNotFound
from audit.errors import DecisionNotFound, SearchNotFound
from audit.models import Case, CaseAttachment, SearchRun
from audit.reach import Reach
from audit.selectors import SealedDecision
from audit.services.attaching import AT_A_TIME, CHOSEN_AT_A_TIME, Chosen, Count, attach_decisions, count_attachable
from audit.services.cases import open_case
from audit.services.disclosure import visible_among
from audit.services.search_runs import own_search
from config.errors import ServiceError
from console.blind import reach_of
from console.cases.choosing import OFFERED, to_put_into
from console.cases.forms import IntoCaseForm, NewCaseForm
from console.filtering import chips, offered, question_of
from console.forms import FilterForm
from console.pages import page, show, viewer
from console.questions import in_words
from evidence.questions import filter_of_search
from governance import rights
from governance.acts import Act
from governance.admin.pages import add_refusal
from governance.models import AISystem, Person
from governance.rights import as_actor
from ledger.entries import Actor, timestamp
from notices.alert_kinds import alert_title
from notices.errors import AlertNotFound
from notices.models import Alert
from notices.selectors import alerts_for
from overrides.selectors import require_unhidden


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is to be put into a case."""

    chosen: Chosen | None = None
    decisions: tuple[SealedDecision, ...] = ()
    alert: Alert | None = None
    count: Count | None = None
    words: list[tuple[str, str]] = field(default_factory=list)
    """The filter."""
    back: str = ""

    @property
    def is_filter(self) -> bool:
        return self.chosen is not None and self.chosen.by == CaseAttachment.By.FILTER

    @property
    def is_complaint(self) -> bool:
        return self.chosen is None and self.alert is None


@page
@require_http_methods(["GET", "HEAD", "POST"])
def attach(request: HttpRequest) -> HttpResponse:
    """Says what it is and how many; below, a form for a case of one's own and one for a new case."""
    person = viewer(request)
    reach = reach_of(person)
    source = _source(request, person, reach)
    into, new = _forms(request, person, source)
    sent = next((form for form in (into, new) if form is not None and form.is_bound), None)
    if sent is not None and sent.is_valid():
        case = _carried_out(sent, person, reach, source)
        if case is not None:
            messages.success(request, _done(case))
            return redirect("admin:case", case_id=case.pk)
    return show(
        request,
        "cases/attach.html",
        title="Put into a case" if source.chosen else "Open a case",
        status=422 if sent is not None else 200,
        into=into,
        new=new,
        source=source,
        place=f"{reverse('admin:case_attach')}?{_fixed(request, source)}",
        alert_title=alert_title(source.alert.kind) if source.alert else "",
        at_a_time=AT_A_TIME,
        offered=OFFERED,
    )


def _forms(request: HttpRequest, person: Person, source: Source) -> tuple[IntoCaseForm | None, NewCaseForm]:
    """The one that was sent is bound; looking for a case sends nothing yet."""
    sent = request.POST if request.method == "POST" else None
    looks, is_into = sent is not None and "look" in sent, sent is not None and "case_id" in sent
    new = NewCaseForm(
        sent if sent is not None and not (looks or is_into) else None,
        systems=_systems(person) if source.is_complaint else None,
    )
    if not source.chosen:
        return None, new
    typed = str(sent.get("find", ""))[:200] if sent is not None else ""
    cases = to_put_into(person, typed)
    if not (cases or typed):
        return None, new
    initial = {"find": typed, "why": sent.get("why", "") if sent is not None else ""}
    return IntoCaseForm(sent if is_into and not looks else None, cases=cases, initial=initial), new


def _fixed(request: HttpRequest, source: Source) -> str:
    """The same question with its span fixed: what is put in is what was counted, however long one looks at the page."""
    if not source.is_filter or source.chosen is None or source.chosen.asked is None:
        return request.GET.urlencode()
    asked = source.chosen.asked
    since = {"since": timestamp(asked.since)} if asked.since else {}
    return question_of(request.GET, without=["period"], until=timestamp(asked.until or timezone.now()), **since)


def _source(request: HttpRequest, person: Person, reach: Reach) -> Source:
    given = request.GET
    if "decision" in given:
        decisions = _decisions(person, reach, given.getlist("decision"))
        return Source(chosen=Chosen(ids=tuple(each.id for each in decisions)), decisions=decisions)
    if "alert" in given:
        return Source(alert=_alert(person, given["alert"]))
    if "complaint" in given:
        return Source()
    if "search" in given:
        return _found(as_actor(person), reach, own_search(as_actor(person), _key(given["search"])))
    form = FilterForm(given, offered=offered(as_actor(person), reach))
    if not form.is_valid():
        raise CaseNotFound("This address holds a filter that cannot be read. Start from the list of decisions.")
    asked = form.filter()
    return Source(
        chosen=Chosen(asked=asked),
        count=count_attachable(actor=as_actor(person), reach=reach, asked=asked),
        words=[(chip.label, chip.value) for chip in chips(form, given)],
        back=f"{reverse('admin:decisions')}?{question_of(given)}",
    )


def _found(actor: Actor, reach: Reach, run: SearchRun) -> Source:
    asked = filter_of_search(actor, run)
    return Source(
        chosen=Chosen(asked=asked, search=run),
        count=count_attachable(actor=actor, reach=reach, asked=asked, search=run),
        words=in_words([run.question])[0],
        back=reverse("admin:decision_search_found", args=[run.pk]),
    )


def _key(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError as error:
        raise SearchNotFound() from error


def _carried_out(form: IntoCaseForm | NewCaseForm, person: Person, reach: Reach, source: Source) -> Case | None:
    values, actor = form.cleaned_data, as_actor(person)
    try:
        if source.chosen and isinstance(form, IntoCaseForm):
            made = attach_decisions(
                actor=actor,
                reach=reach,
                case_id=values["case_id"],
                chosen=source.chosen,
                why=values["why"],
                key=values["key"],
            )
            return made.case
        return open_case(
            actor=actor,
            reach=reach,
            title=values["title"],
            severity=values["severity"],
            summary=values["why"],
            system_ids=[values["system"].pk] if values.get("system") else [],
            chosen=source.chosen,
            alert_id=source.alert.pk if source.alert else None,
            key=values["key"],
        )
    except ServiceError as refusal:
        add_refusal(form, refusal)
    return None


def _done(case: Case) -> str:
    last = case.attachments.order_by("-id").first()
    if last is None:
        return f"Case {case.reference} is open."
    rest = "" if last.is_all else " There are more that the filter finds: put them in by the same way."
    return f"{last.count:,} decision{'' if last.count == 1 else 's'} put into case {case.reference}.{rest}"


def _decisions(person: Person, reach: Reach, texts: list[str]) -> tuple[SealedDecision, ...]:
    """As many as may be chosen one by one; a fixed number of queries."""
    try:
        ids = [uuid.UUID(text) for text in dict.fromkeys(texts)][:CHOSEN_AT_A_TIME]
    except ValueError as error:
        raise DecisionNotFound() from error
    for decision_id in reach.hidden.intersection(ids):
        require_unhidden(as_actor(person), decision_id)
    return tuple(visible_among(as_actor(person), reach, ids))


def _alert(person: Person, text: str) -> Alert:
    try:
        found: Alert | None = alerts_for(person).filter(pk=uuid.UUID(text)).first()
    except ValueError:
        found = None
    if found is None:
        raise AlertNotFound()
    return found


def _systems(person: Person) -> Any:
    systems, allowed = AISystem.objects.order_by("slug"), rights.systems_where(person, Act.CASE_OPEN)
    return systems if allowed is None else systems.filter(pk__in=allowed)
