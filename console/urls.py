"""Pages of the web admin that look across floors. The roof puts them inside the admin's own addresses."""

from django.urls import URLPattern, path

from console.views import accountability, decision, decisions, logs, overview, systems

urlpatterns: list[URLPattern] = [
    path("", overview.overview, name="index"),
    path("decisions/", decisions.decision_list, name="decisions"),
    path("decisions/search", decisions.search, name="decision_search"),
    path("decisions/<uuid:decision_id>/", decision.decision, name="decision"),
    path("decisions/<uuid:decision_id>/payload", decision.payload, name="decision_payload"),
    path("decisions/<uuid:decision_id>/payload/<str:part>", decision.payload_part, name="decision_payload_part"),
    path("decisions/<uuid:decision_id>/disclosure", decision.disclosure, name="decision_disclosure"),
    path("decisions/<uuid:decision_id>/proof", decision.proof, name="decision_proof"),
    path("decisions/<uuid:decision_id>/proof.tlog-proof", decision.proof_file, name="decision_proof_file"),
    path("decisions/<uuid:decision_id>/entry.json", decision.entry_file, name="decision_entry_file"),
    path("systems/<uuid:system_id>/", systems.system, name="system"),
    path("accountability/", accountability.accountability, name="accountability"),
    path("logs/", logs.log_list, name="logs"),
    path("logs/<uuid:log_id>/checkpoint", logs.checkpoint, name="log_checkpoint"),
]
