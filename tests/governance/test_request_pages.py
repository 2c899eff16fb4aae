"""Pages on which a second person approves: each is made of the same pages, so that none forgets the fresh factor."""

from django.contrib import admin

from audit.models import PayloadGrant
from governance.admin.requests import ApprovalPages
from governance.models import FailPolicyRequest, ModelVersion
from overrides.models import Drill, ParameterVersion, RuleChange

BY_ONE_PERSON = {ModelVersion}
"""Approved by the accountable person alone: no request waits, and nothing is loosened."""


def test_no_page_approves_but_those_that_ask_for_a_factor() -> None:
    approving = {model for model, page in admin.site._registry.items() if hasattr(page, "approve")}
    asking = {model for model, page in admin.site._registry.items() if isinstance(page, ApprovalPages)}
    assert approving - BY_ONE_PERSON == asking == {
        Drill, FailPolicyRequest, ParameterVersion, PayloadGrant, RuleChange,
    }  # fmt: skip


def test_none_of_them_approves_in_a_way_of_its_own() -> None:
    pages = [page for page in admin.site._registry.values() if isinstance(page, ApprovalPages)]
    assert all(type(page).approve is ApprovalPages.approve for page in pages)
