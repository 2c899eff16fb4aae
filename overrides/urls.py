"""Addresses of human control, without the leading `api/v1/`; `ofrep_urls` stand at the root, as their protocol says."""

from django.urls import path

from overrides.api import appeals, assignments, drills, effective, parameters, reviews, rules, skills
from overrides.api.acks import AcksApi
from overrides.api.loosening import (
    LooseningApi,
    LooseningApproveApi,
    LooseningRefuseApi,
    LooseningWithdrawApi,
)
from overrides.api.switches import ChangeApi, EmergencyClearApi, SwitchesApi, TightenApi
from overrides.api.terms import NotesApi, TermsApi
from overrides.clients import views

ASSIGNMENT_ACTS = [
    ("approve", assignments.ApproveApi),
    ("refuse", assignments.RefuseApi),
    ("decline", assignments.DeclineApi),
    ("delegate", assignments.DelegateApi),
    ("hand-over", assignments.HandOverApi),
    ("end", assignments.EndApi),
]

urlpatterns = [
    path("assignments", assignments.AssignmentsApi.as_view(), name="assignments"),
    path("assignments/accept", assignments.AcceptApi.as_view()),
    *(path(f"assignments/<uuid:assignment_id>/{name}", view.as_view()) for name, view in ASSIGNMENT_ACTS),
    path("assignments/<uuid:assignment_id>/terms", TermsApi.as_view(), name="terms"),
    path("systems/<slug:slug>/accountability-notes", NotesApi.as_view(), name="accountability-notes"),
    path("control/acks", AcksApi.as_view(), name="control-acks"),
    path("control/changes/<uuid:change_id>", ChangeApi.as_view(), name="control-change"),
    path("control/emergency-clear", EmergencyClearApi.as_view(), name="control-emergency-clear"),
    path("control/events", views.stream, name="control-events"),
    path("control/loosen", LooseningApi.as_view(), name="control-loosen"),
    path("control/loosen/<uuid:request_id>/approve", LooseningApproveApi.as_view(), name="control-loosen-approve"),
    path("control/loosen/<uuid:request_id>/refuse", LooseningRefuseApi.as_view(), name="control-loosen-refuse"),
    path("control/loosen/<uuid:request_id>/withdraw", LooseningWithdrawApi.as_view(), name="control-loosen-withdraw"),
    path("control/state", views.reads, name="control-state"),
    path("control/switches", SwitchesApi.as_view(), name="control-switches"),
    path("control/tighten", TightenApi.as_view(), name="control-tighten"),
    path("appeals", appeals.AppealsApi.as_view(), name="appeals"),
    path("appeals/<uuid:appeal_id>/decide", appeals.AppealDecideApi.as_view(), name="appeal-decide"),
    path("appeals/<uuid:appeal_id>/remedy", appeals.AppealRemedyApi.as_view(), name="appeal-remedy"),
    path("decisions/<uuid:decision_id>/appeals", appeals.DecisionAppealsApi.as_view(), name="decision-appeals"),
    path("decisions/<uuid:decision_id>/effect", effective.EffectApi.as_view(), name="decision-effect"),
    path("decisions/<uuid:decision_id>/effective", effective.EffectiveItem.as_view(), name="decision-effective"),
    path("decisions/<uuid:decision_id>/execution", effective.ExecutionApi.as_view(), name="decision-execution"),
    path("decisions/<uuid:decision_id>/override", effective.OverrideApi.as_view(), name="decision-override"),
    path(
        "decisions/<uuid:decision_id>/override-reports",
        effective.OverrideReportApi.as_view(),
        name="decision-override-reports",
    ),
    path("decisions/<uuid:decision_id>/withdraw", effective.WithdrawApi.as_view(), name="decision-withdraw"),
    path("overrides/<uuid:override_id>/agree", effective.OverrideAgreeApi.as_view(), name="override-agree"),
    path("overrides/<uuid:override_id>/refuse", effective.OverrideRefuseApi.as_view(), name="override-refuse"),
    path("queue-changes/<uuid:change_id>/approve", rules.QueueChangeApproveApi.as_view(), name="queue-change-approve"),
    path("queue-changes/<uuid:change_id>/refuse", rules.RuleChangeRefuseApi.as_view(), name="queue-change-refuse"),
    path("review-queues", rules.QueuesApi.as_view(), name="review-queues"),
    path("review-queues/<slug:slug>", rules.QueueItem.as_view(), name="review-queue"),
    path("review-queues/<slug:slug>/reasons", rules.ReasonsApi.as_view(), name="review-queue-reasons"),
    path("review-rules", rules.RulesApi.as_view(), name="review-rules"),
    path("review-rules/<uuid:rule_id>", rules.RuleItem.as_view(), name="review-rule"),
    path("reviewer-skills", skills.SkillsApi.as_view(), name="reviewer-skills"),
    path("reviewer-skills/end", skills.SkillEndApi.as_view(), name="reviewer-skill-end"),
    path("rule-changes/<uuid:change_id>/approve", rules.RuleChangeApproveApi.as_view(), name="rule-change-approve"),
    path("rule-changes/<uuid:change_id>/refuse", rules.RuleChangeRefuseApi.as_view(), name="rule-change-refuse"),
    path("reviews", reviews.ReviewsApi.as_view(), name="reviews"),
    path("reviews/claim-next", reviews.ClaimNextApi.as_view(), name="review-claim-next"),
    path("reviews/counts", reviews.ReviewCountsApi.as_view(), name="review-counts"),
    path("reviews/mine", reviews.MyReviewsApi.as_view(), name="my-reviews"),
    path("reviews/work/<uuid:token>", reviews.WorkItem.as_view(), name="review-work"),
    path("reviews/work/<uuid:token>/draft", reviews.DraftApi.as_view(), name="review-draft"),
    path("reviews/work/<uuid:token>/hand-over", reviews.HandOverApi.as_view(), name="review-hand-over"),
    path("reviews/work/<uuid:token>/hold", reviews.HoldApi.as_view(), name="review-hold"),
    path("reviews/work/<uuid:token>/judge", reviews.JudgeApi.as_view(), name="review-judge"),
    path("reviews/work/<uuid:token>/release", reviews.ReleaseApi.as_view(), name="review-release"),
    path("reviews/work/<uuid:token>/submit", reviews.SubmitApi.as_view(), name="review-submit"),
    path("reviews/work/<uuid:token>/undo", reviews.UndoApi.as_view(), name="review-undo"),
    path("reviews/<uuid:review_id>", reviews.ReviewItem.as_view(), name="review"),
    path("reviews/<uuid:review_id>/claim", reviews.ClaimApi.as_view(), name="review-claim"),
    path("reviews/<uuid:review_id>/decline", reviews.DeclineApi.as_view(), name="review-decline"),
    path("control/armed", drills.ArmedApi.as_view(), name="control-armed"),
    path("drill-findings/<uuid:finding_id>/close", drills.DrillFindingApi.as_view()),
    path("drills", drills.DrillsApi.as_view(), name="drills"),
    path("drills/<uuid:drill_id>", drills.DrillApi.as_view(), name="drill"),
    path("drills/<uuid:drill_id>/conclude", drills.DrillConclusionApi.as_view()),
    path("drills/<uuid:drill_id>/findings", drills.DrillFindingsApi.as_view()),
    path("drills/<uuid:drill_id>/<slug:act>", drills.DrillActApi.as_view()),
    path("parameter-changes/<uuid:version_id>/approve", parameters.ParameterApprovalApi.as_view()),
    path("parameter-changes/<uuid:version_id>/refuse", parameters.ParameterRefusalApi.as_view()),
    path("parameter-changes/<uuid:version_id>/withdraw", parameters.ParameterWithdrawalApi.as_view()),
    path("parameters", parameters.ParametersApi.as_view(), name="parameters"),
    path("parameters/<uuid:parameter_id>", parameters.ParameterApi.as_view(), name="parameter"),
    path("parameters/<uuid:parameter_id>/changes", parameters.ParameterChangesApi.as_view(), name="parameter-changes"),
    path("parameters/<uuid:parameter_id>/retire", parameters.ParameterRetirementApi.as_view()),
]

ofrep_urls = [
    path("ofrep/v1/evaluate/flags", views.reads, name="ofrep-bulk"),
    path("ofrep/v1/evaluate/flags/", views.reads),
    path("ofrep/v1/evaluate/flags/<path:key>", views.reads, name="ofrep-single"),
    path("ofrep/v1/events", views.stream, name="ofrep-events"),
]
