"""The doors of control: switches, parameters, drills, what callers do when they lose contact."""

from datetime import timedelta

from django.utils import timezone

from governance.acts import Act
from overrides.models import LooseningRequest
from overrides.services.drills import plan_drill
from overrides.services.loosening import withdraw_loosening
from tests.factories.register import actor_of
from tests.personas.doors.knocking import AGREE, ASK, Door, after, now, sends, slug, switch_of
from tests.personas.world import World


def _taken_back(world: World) -> None:
    request = LooseningRequest.objects.get(switch__system_id=world.system.pk)
    withdraw_loosening(actor=actor_of(world.staff.operator), request_id=request.pk)


def _live_drill(world: World) -> None:
    plan_drill(
        actor=actor_of(world.staff.operator),
        system_id=world.system.pk,
        drill_type="live_production",
        environment="production",
        starts_at=timezone.now() + timedelta(hours=1),
        expectation="All hear.",
    )


CONTROL: list[Door] = [
    Door(
        Act.SWITCH_TIGHTEN,
        ASK,
        sends("POST", "/api/v1/control/tighten", system=slug, mode="stop", reason_code="harm-reported"),
    ),
    Door(
        Act.SWITCH_LOOSEN,
        ASK,
        after(
            _taken_back,
            sends(
                "POST",
                "/api/v1/control/loosen",
                switch_id=lambda world: str(switch_of(world).pk),
                epoch=lambda world: str(switch_of(world).epoch),
                mode="run",
                reason_code="cause-removed",
                evidence_url="https://example.org/incident/4",
            ),
        ),
    ),
    Door(Act.SWITCH_LOOSEN, AGREE, sends("POST", "/api/v1/control/loosen/{loosening}/approve")),
    Door(
        Act.SWITCH_EMERGENCY_CLEAR,
        ASK,
        sends(
            "POST",
            "/api/v1/control/emergency-clear",
            switch_id=lambda world: str(switch_of(world).pk),
            epoch=lambda world: str(switch_of(world).epoch),
            reason_code="harm-of-stop",
            note="Lives depend on it.",
        ),
    ),
    Door(
        Act.FAIL_POLICY_LOOSEN,
        ASK,
        sends("POST", "/api/v1/systems/{slug}/fail-policy/milder", max_staleness_s=700, safe_mode="review"),
    ),
    Door(
        Act.FAIL_POLICY_LOOSEN,
        AGREE,
        sends("POST", "/api/v1/fail-policy-requests/{governance__failpolicyrequest}/approve"),
    ),
    Door(
        Act.DRILL_PLAN,
        ASK,
        sends("POST", "/api/v1/drills", system=slug, type="table_top", starts_at=now(hours=1), expectation="All hear."),
    ),
    Door(
        Act.DRILL_RUN_LIVE,
        ASK,
        sends(
            "POST",
            "/api/v1/drills",
            system=slug,
            type="live_production",
            environment="production",
            starts_at=now(hours=1),
            expectation="All hear.",
        ),
    ),
    Door(Act.DRILL_RUN_LIVE, AGREE, after(_live_drill, sends("POST", "/api/v1/drills/{planned}/approve"))),
    Door(
        Act.PARAMETER_DEFINE,
        ASK,
        sends(
            "POST",
            "/api/v1/parameters",
            system=slug,
            name="another",
            type="number",
            default=1000,
            safe_direction="lower",
            minimum=0,
            maximum=10000,
        ),
    ),
    Door(
        Act.PARAMETER_TIGHTEN,
        ASK,
        sends("POST", "/api/v1/parameters/{overrides__parameter}/changes", value=500, reason_code="tuning"),
    ),
    Door(
        Act.PARAMETER_LOOSEN,
        ASK,
        sends("POST", "/api/v1/parameters/{overrides__parameter}/changes", value=5000, reason_code="tuning"),
    ),
    Door(
        Act.PARAMETER_LOOSEN,
        AGREE,
        sends("POST", "/api/v1/parameter-changes/{overrides__parameterversion}/approve"),
    ),
]
