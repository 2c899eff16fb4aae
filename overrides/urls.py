"""Addresses of human control."""

from django.urls import path

from overrides.api import drills, parameters
from overrides.api.acks import AcksApi
from overrides.api.loosening import (
    LooseningApi,
    LooseningApproveApi,
    LooseningRefuseApi,
    LooseningWithdrawApi,
)
from overrides.api.switches import ChangeApi, EmergencyClearApi, SwitchesApi, TightenApi

urlpatterns = [
    path("control/acks", AcksApi.as_view(), name="control-acks"),
    path("control/changes/<uuid:change_id>", ChangeApi.as_view(), name="control-change"),
    path("control/emergency-clear", EmergencyClearApi.as_view(), name="control-emergency-clear"),
    path("control/loosen", LooseningApi.as_view(), name="control-loosen"),
    path("control/loosen/<uuid:request_id>/approve", LooseningApproveApi.as_view(), name="control-loosen-approve"),
    path("control/loosen/<uuid:request_id>/refuse", LooseningRefuseApi.as_view(), name="control-loosen-refuse"),
    path("control/loosen/<uuid:request_id>/withdraw", LooseningWithdrawApi.as_view(), name="control-loosen-withdraw"),
    path("control/switches", SwitchesApi.as_view(), name="control-switches"),
    path("control/tighten", TightenApi.as_view(), name="control-tighten"),
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
