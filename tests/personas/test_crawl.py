"""Every address of the service, asked for by every persona: no answer tells them of what is not theirs."""

from collections.abc import Callable, Iterator
from http import HTTPStatus

import pytest
from django.db import connection

from tests.personas.crawling import Visitor, Way, leaks, leaks_of
from tests.personas.people import PERSONAS, Persona, make_persona
from tests.personas.questions import addresses, posted
from tests.personas.routes import Route, routes
from tests.personas.table import ACTS
from tests.personas.world import World, make_neighbours, make_world

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_rate_limit")]
TOGETHER = 6
GROUPS = [PERSONAS[start : start + TOGETHER] for start in range(0, len(PERSONAS), TOGETHER)]
"""Some at a time, since the worlds they walk through take as long to make as one walk."""
OWN = ("admin/login", "admin/logout", "admin/password_change", "admin/your-sign-in", "admin/demonstration", "setup/")
"""What people change of their own, and how they come and go."""
ABOUT_DECISIONS = tuple(
    f"{place}{each}"
    for place in ("admin/", "api/v1/")
    for each in ("decisions", "letters", "reviews", "appeals", "overrides/<uuid", "cases", "holds", "payload-grants")
)
"""What is nothing to an administrator."""
KEPT_APART = {("django_session",), ("governance_persontoken",)}
"""They note that somebody was here."""
READABLE = "relnamespace = 'public'::regnamespace AND has_table_privilege(oid, 'SELECT')"


OPENS = {
    "admin/systems/<uuid:system_id>/": "system.view",
    "admin/systems/<uuid:system_id>/cards/": "system.view",
    "admin/systems/<uuid:system_id>/cards/<int:number>/": "system.view",
    "admin/switchboard/systems/<uuid:system_id>/": "system.view",
    "admin/governance/modelversion/<path:object_id>/change/": "system.view",
    "admin/governance/modelversion/<path:object_id>/trail/": "system.view",
    "admin/overrides/parameter/<path:object_id>/change/": "system.view",
    "admin/overrides/reviewrule/<path:object_id>/change/": "system.view",
    "admin/decisions/<uuid:decision_id>/": "decision.view",
    "admin/cases/<uuid:case_id>/": "case.view",
    "admin/cases/<uuid:case_id>/report": "case.read",
    "admin/cases/<uuid:case_id>/reports/<uuid:report_id>": "case.read",
    "api/v1/systems/<slug:slug>/oversight": "oversight.view",
    "admin/intake/quarantinedrecord/<path:object_id>/change/": "quarantine.view",
    "admin/notices/alert/<path:object_id>/change/": "alert.view",
    "admin/notices/webhookendpoint/<path:object_id>/change/": "webhook.manage",
    "admin/notices/message/": "settings.manage",
    "admin/governance/serviceaccount/": "accounts.manage",
    "admin/governance/servicekey/": "accounts.manage",
    "admin/governance/person/add/": "people.manage",
    "admin/governance/aisystem/add/": "system.register",
}
"""Pages, and the act that opens each."""


def test_what_the_table_opens_is_open_and_nothing_else() -> None:
    near = make_world("zqnear")
    wrong = []
    for name in PERSONAS:
        visitor = Visitor(make_persona(name, near.system))
        for pattern, act in OPENS.items():
            is_open = visitor.get(Route(pattern, None).at(near)).status == HTTPStatus.OK
            if is_open != (ACTS[act][name] in "ab"):
                wrong.append(f"{name}: {pattern} is {'open' if is_open else 'not open'}")
    assert wrong == [], "\n".join(wrong)


@pytest.mark.parametrize("names", GROUPS, ids="-".join)
def test_no_address_tells_anybody_of_what_is_not_theirs(names: tuple[str, ...]) -> None:
    near, far = make_world("zqnear"), make_world("zqfar")
    make_neighbours(near, far)
    ways, found = Way.all_of(near, far), []
    for name in names:
        visitor = Visitor(make_persona(name, near.system))
        found += [f"{name}: {each}" for way in ways for each in leaks(visitor, way, near, far)]
        found += [f"{name}: {each}" for each in _asked(visitor, near, far)]
    assert found == [], "\n".join(found)


def _asked(visitor: Visitor, near: World, far: World) -> Iterator[str]:
    for address in addresses(near, far):
        yield from leaks_of(visitor.get(address), address, visitor.persona, address, near, far)
    for each in posted(near, far):
        seen = visitor.post(each.address, each.body)
        yield from leaks_of(seen, each.named, visitor.persona, each.named, near, far)


def test_a_list_is_filtered_by_what_its_page_offers_and_by_no_hidden_column() -> None:
    """Else whoever sees people could read their password hashes letter by letter."""
    near = make_world("zqnear")
    visitor = Visitor(make_persona("viewer", near.system))
    for place, column in (
        ("governance/person", "password__startswith=a"),
        ("governance/assignment", "person__password__startswith=a"),
        ("governance/modelversion", "system__safe_state__startswith=Q"),
        ("governance/aisystem", "shutdown_contacts__startswith=D"),
    ):
        assert visitor.get(f"/admin/{place}/?{column}").status == HTTPStatus.BAD_REQUEST, column
    assert visitor.get(f"/admin/governance/modelversion/?system__id__exact={near.system.pk}").status == HTTPStatus.OK


def test_nothing_is_changed_by_who_may_not_change_it() -> None:
    """Whatever is sent to whatever address: no row is another, and no entry says that somebody tried."""
    world = make_world("zqnear")
    outside = [make_persona(name, world.system, in_scope=False) for name in ("stranger", "viewer", "accountable")]
    changed = {str(each): _changes(each, world, lambda pattern: not pattern.startswith(OWN)) for each in outside}
    assert changed == {str(each): [] for each in outside}
    administrator = make_persona("administrator", world.system)
    assert _changes(administrator, world, lambda pattern: pattern.startswith(ABOUT_DECISIONS)) == []


def _changes(persona: Persona, world: World, is_tried: Callable[[str], bool]) -> list[str]:
    """The tables in which a row is another one than before."""
    visitor, before = Visitor(persona), _rows()
    for route in routes():
        if is_tried(route.pattern):
            visitor.change(route.at(world))
    return sorted(table for table, rows in _rows().items() if rows != before.get(table))


def _rows() -> dict[str, str]:
    """A digest of every table."""
    with connection.cursor() as cursor:
        found = {}
        cursor.execute("SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND " + READABLE)
        for (table,) in sorted(set(cursor.fetchall()) - KEPT_APART):
            cursor.execute(f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {table} t")
            found[table] = str(cursor.fetchone())
    return found
