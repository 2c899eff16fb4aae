"""Pages of the web admin that look across floors. The roof puts them inside the admin's own addresses."""

from django.urls import URLPattern, path

from console.views import (
    accountability,
    decision,
    decisions,
    logs,
    loosening,
    overview,
    switchboard,
    switches,
    systems,
)

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
    # who has no second factor yet may stop, and may not loosen: the names say which is which
    path("switchboard/", switchboard.switchboard, name="switchboard"),
    path("switchboard/live", switchboard.live, name="switchboard_live"),
    path("switchboard/tighten", switchboard.tighten_page, name="switchboard_tighten"),
    path("switchboard/changes/<uuid:change_id>/", switchboard.change, name="switchboard_change"),
    path("switchboard/changes/<uuid:change_id>/live", switchboard.change_live, name="switchboard_change_live"),
    path("switchboard/systems/<uuid:system_id>/", switches.places, name="switchboard_system"),
    path("switchboard/switches/<uuid:switch_id>/", switches.switch, name="switchboard_switch"),
    path("switchboard/switches/<uuid:switch_id>/resume", loosening.ask, name="loosening_ask"),
    path("switchboard/switches/<uuid:switch_id>/emergency", loosening.emergency, name="emergency_clear"),
    path("switchboard/requests/<uuid:request_id>/", loosening.request_page, name="loosening"),
    path("switchboard/requests/<uuid:request_id>/approve", loosening.approve, name="loosening_approve"),
    path("switchboard/requests/<uuid:request_id>/refuse", loosening.refuse, name="loosening_refuse"),
    path("switchboard/requests/<uuid:request_id>/withdraw", loosening.withdraw, name="loosening_withdraw"),
]
