"""Addresses of human control, without the leading `api/v1/`."""

from django.urls import path

from overrides.api import parameters

urlpatterns = [
    path("parameter-changes/<uuid:version_id>/approve", parameters.ParameterApprovalApi.as_view()),
    path("parameter-changes/<uuid:version_id>/refuse", parameters.ParameterRefusalApi.as_view()),
    path("parameter-changes/<uuid:version_id>/withdraw", parameters.ParameterWithdrawalApi.as_view()),
    path("parameters", parameters.ParametersApi.as_view(), name="parameters"),
    path("parameters/<uuid:parameter_id>", parameters.ParameterApi.as_view(), name="parameter"),
    path("parameters/<uuid:parameter_id>/changes", parameters.ParameterChangesApi.as_view(), name="parameter-changes"),
    path("parameters/<uuid:parameter_id>/retire", parameters.ParameterRetirementApi.as_view()),
]
