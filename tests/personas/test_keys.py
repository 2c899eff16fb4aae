"""Every address of the API, asked for with every sort of key: nothing out of its reach, and every refusal alike."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from config.problems import is_api_path
from governance import memory
from governance.models import ServiceKey
from governance.services.keys import revoke_service_key
from ledger.entries import COMMAND
from tests.factories.register import make_key
from tests.personas.crawling import Seen, seen
from tests.personas.routes import Route, routes
from tests.personas.world import World, make_world

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_rate_limit")]
STREAMS = {"api/v1/control/events", "ofrep/v1/events"}
"""They end when the caller goes: tests of the control process read them."""
OPEN = {"healthz", "readyz", "metrics", "api/schema", "api/docs"}
"""What asks for no key, or for another one."""
DECIDED = "dec|pay|appeal|quar|case|title"
"""What a key is given for one environment."""
FOR_ALL = "org|people"
"""What belongs to no AI system."""


class Program:
    """A service that calls with a key."""

    def __init__(self, text: str) -> None:
        self._client = APIClient(raise_request_exception=False, headers={"Authorization": f"Bearer {text}"})

    def get(self, address: str, method: str = "GET") -> Seen:
        return seen(self._client.generic(method, address))

    def post(self, address: str, body: dict[str, str]) -> Any:
        return self._client.post(address, body, format="json").json()


def _addresses() -> list[Route]:
    return [each for each in routes() if is_api_path(f"/{each.pattern}") and each.pattern not in STREAMS | OPEN]


def test_a_key_reads_nothing_of_another_ai_system() -> None:
    near, far = make_world("zqnear"), make_world("zqfar")
    found = []
    for scope in ServiceKey.Scope:
        program = Program(make_key(near.system, scopes=[scope.value]).text)
        for route in _addresses():
            for method in ("GET", "OPTIONS"):
                found += [f"{scope}: {each}" for each in _leaks(program, method, route, near, far)]
    assert found == [], "\n".join(found)


def test_a_key_of_another_environment_reads_no_decision_of_its_own_ai_system() -> None:
    """All that was decided in this world was decided in production."""
    world = make_world("zqnear")
    system, found = world.system, []
    routes_here = [(each, each.at(world)) for each in _addresses()]
    key = make_key(system, environment="staging", scopes=[each.value for each in ServiceKey.Scope])
    program = Program(key.text)
    for route, address in routes_here:
        seen = program.get(address)
        if re.search(rf"{world.mark}-({DECIDED})", seen.without(address)[1].lower()):
            found.append(f"{route.pattern} {seen.status}: {world.mark}")
        nothing = program.get(route.nowhere())
        if "decision_id" in route.pattern and seen.without(address) != nothing.without(route.nowhere()):
            found.append(f"{route.pattern}: not as for what is not there ({seen.status}, {nothing.status})")
    for asked in ({"subject": world.named("pay", "subject")}, {"text": world.named("pay", "text")}):
        assert program.post("/api/v1/decisions/search", asked)["items"] == []
    assert found == [], "\n".join(found)


def test_a_key_that_does_not_count_is_refused_alike_everywhere() -> None:
    """Expired, revoked, altered, of nobody: each address says the same, of what is there and of what is not."""
    near = make_world("zqnear")
    revoked = make_key(near.system, scopes=list(ServiceKey.Scope))
    revoke_service_key(actor=COMMAND, key_id=revoked.row.pk)
    expired = make_key(near.system, scopes=list(ServiceKey.Scope))
    ServiceKey.objects.filter(pk=expired.row.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    memory.forget()
    good = make_key(near.system, scopes=list(ServiceKey.Scope)).text
    programs = [Program(each) for each in (revoked.text, expired.text, f"{good}x", "ans_nobody_nothing")]
    for route in _addresses():
        address = route.at(near)
        answers = {program.get(address).without(address) for program in programs}
        assert len(answers) == 1, (address, answers)
        assert answers.pop() == programs[0].get(route.nowhere()).without(route.nowhere()), address


def _leaks(program: Program, method: str, route: Route, near: World, far: World) -> Iterator[str]:
    is_same = route.at(far) == route.at(near)
    other, nothing = program.get(route.at(far), method), program.get(route.nowhere(), method)
    text = other.without(route.at(far))
    if re.search(rf"{far.mark}-(?!{FOR_ALL})", text[1].lower()):
        yield f"{method} {route.pattern} {other.status}: {far.mark}"
    if route.sort == "reg" and not is_same and text != nothing.without(route.nowhere()):
        yield f"{method} {route.pattern}: not as for what is not there ({other.status}, {nothing.status})"
