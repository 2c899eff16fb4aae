"""Reading at size: inclusion proofs, the list of decisions, counts, one decision, two side by side, the searches.

All through Django's test client, so with the whole of a request's work but the server's sockets.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.urls import NoReverseMatch, reverse
from psycopg import sql

from benchmarks import workload
from benchmarks.bench import Bench, say
from benchmarks.controlled import give_role
from benchmarks.installation import SMALL, SPREAD
from benchmarks.register import connected_to
from benchmarks.report import Row, at_most, percentile
from governance.acts import Role
from governance.models import Assignment, Person
from governance.scopes import ORGANISATION
from governance.services.assignments import accept_assignments
from governance.services.people import register_person
from governance.services.systems import register_system
from ledger.entries import COMMAND, Actor
from ledger.selectors import latest_head

PROOFS, PAGES, SEARCHES = 300, 40, 20
MOST_QUERIES = 8
DAYS = 30
SEARCH_MS = 2_000
PARTITIONS = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit_decision'::regclass"
Questions = list[tuple[str, Callable[[], Any]]]


def measure(bench: Bench) -> None:
    _measure_proofs(bench)
    _measure_pages(bench)
    with _spread_over_days(bench):
        _measure_investigation(bench)


# --- proofs -----------------------------------------------------------------------------------------------------------
def _measure_proofs(bench: Bench) -> None:
    large, queries = _prove(bench)
    with connected_to(bench.installation, SMALL):
        small, _ = _prove(bench)
    p95, reference = percentile(large, 95) * 1000, percentile(small, 95) * 1000
    what = f"inclusion proof at {bench.options.entries:,} entries, p95"
    bench.add(
        at_most(what, p95, "ms", 20, f"{PROOFS} decisions at random, over the API"),
        Row(
            f"{what}, against {bench.options.start:,}",
            p95,
            "ms",
            reference,
            p95 / reference,
            "<= 1.5 of the reference",
            p95 / reference <= 1.5,
        ),
        at_most("inclusion proof, queries at most", queries, "queries", MOST_QUERIES),
    )


def _prove(bench: Bench) -> tuple[list[float], int]:
    """Seconds of each proof, and the most queries that one took."""
    client, most = _caller(bench), 0
    taken = []
    for decision_id in _some_decisions(bench, PROOFS):
        with _counting() as counted:
            taken.append(timed(getting(client, f"/api/v1/decisions/{decision_id}/proof", {})))
        most = max(most, counted[0])
    return taken, most


def _some_decisions(bench: Bench, count: int) -> Sequence[str]:
    size = latest_head(bench.log_id).tree_size
    places = random.Random(7).sample(range(10, size), count)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id::text FROM ledger_entry"
            " WHERE log_id = %s AND leaf_index = ANY(%s) AND kind = 'decision.recorded'",
            [bench.log_id, places],
        )
        return [row[0] for row in cursor.fetchall()]


@contextmanager
def _counting() -> Any:
    counted = [0]

    def count(execute: Callable[..., Any], *arguments: Any) -> Any:
        counted[0] += 1
        return execute(*arguments)

    with connection.execute_wrapper(count):
        yield counted


# --- list and search --------------------------------------------------------------------------------------------------
def _measure_pages(bench: Bench) -> None:
    questions = _admin_questions(bench) or _api_questions(bench)
    for what, ask in questions:
        taken = [timed(ask) for _ in range(PAGES + 1)][1:]
        bench.add(at_most(f"{what}, p95", percentile(taken, 95) * 1000, "ms", 300, f"{PAGES} times"))


# --- investigating ----------------------------------------------------------------------------------------------------
@contextmanager
def _spread_over_days(bench: Bench) -> Iterator[None]:
    """A copy in which the decisions were recorded evenly over the last 30 days: as rows, not as entries say it.

    The product never changes when a decision was recorded, so this is done behind its back, where nothing is verified.
    """
    bench.clone(SPREAD)
    with bench.installation.cluster.connect(SPREAD) as keeper:
        for (partition,) in keeper.execute(PARTITIONS).fetchall():
            keeper.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER ALL").format(sql.Identifier(partition)))
        keeper.execute(
            "UPDATE audit_decision SET recorded_at = now() - make_interval(secs =>"
            " %s * (1 - leaf_index::float8 / (SELECT max(leaf_index) FROM audit_decision)))",
            [DAYS * 86_400],
        )
        keeper.execute("VACUUM (FULL, ANALYZE) audit_decision")
    with connected_to(bench.installation, SPREAD):
        yield


def _owner_of_two(bench: Bench) -> Person:
    """Accountable for two AI systems that have one decision of each ten thousand: as rows, not as entries say it."""
    owner = register_person(actor=COMMAND, name="Owner of two", email="two@example.org")
    for number in (1, 2):
        system = register_system(actor=COMMAND, slug=f"small-{number}", name=f"Small {number}", accountable=owner)
        with bench.installation.cluster.connect(SPREAD) as keeper:
            keeper.execute("SET session_replication_role = replica")
            keeper.execute(
                "UPDATE audit_decision SET system_id = %s WHERE leaf_index %% 10000 = %s", [system.pk, 5_000 + number]
            )
    offered = Assignment.objects.filter(person=owner).values_list("pk", flat=True)
    accept_assignments(actor=Actor("person", owner.pk), assignment_ids=list(offered))
    return owner


def _auditor() -> Person:
    person = register_person(actor=COMMAND, name="Auditor", email="auditor@example.org")
    give_role(person, Role.AUDITOR, ORGANISATION)
    return person


def _measure_investigation(bench: Bench) -> None:
    per_day = bench.options.entries // DAYS
    people = {"the owner of two small AI systems": _owner_of_two(bench), "an auditor of the organisation": _auditor()}
    for what, ask in [*_investigating(bench), *(each for item in people.items() for each in _others(*item))]:
        taken = [timed(ask) for _ in range(PAGES + 1)][1:]
        bench.add(at_most(f"{what}, p95", percentile(taken, 95) * 1000, "ms", 300, f"{PAGES} times, over {DAYS} days"))
    for what, text in (("a rare term", "never-said-by-anybody"), ("a rare term, not ASCII", "Überweisungsträger")):
        taken = [_search_to_the_end(bench, text) for _ in range(SEARCHES + 1)][1:]
        value = percentile(taken, 95) * 1000
        said = f"payload search for {what} over a day of {per_day:,}, p95"
        bench.add(at_most(said, value, "ms", SEARCH_MS, f"{SEARCHES} times, to its end"))


def _investigating(bench: Bench) -> Questions:
    client = Client(SERVER_NAME="localhost")
    client.force_login(bench.organisation.person)
    one, other = _some_decisions(bench, 2)
    page, counts = reverse("admin:decisions"), reverse("admin:decision_counts")
    filters = [
        ("newest", {}),
        ("refused, 7 days", {"outcome": "refused", "period": "7d"}),
        ("sure", {"confidence_min": "0.85"}),
    ]
    compare = f"{reverse('admin:decision_compare_inside')}?decision={one}&decision={other}"
    return [
        *[(f"decision list over 30 days, {name}", getting(client, page, asked)) for name, asked in filters],
        *[(f"counts beside the list, {name}", getting(client, counts, asked)) for name, asked in filters],
        ("decision page", getting(client, reverse("admin:decision", args=[one]), {})),
        ("two decisions side by side, with payloads", _posting(client, compare, {})),
    ]


def _others(who: str, person: Person) -> Questions:
    """The same for people whose reach is another."""
    client = Client(SERVER_NAME="localhost")
    client.force_login(person)
    page, counts = reverse("admin:decisions"), reverse("admin:decision_counts")
    filters = [*_filters(), ("flagged", {"flagged": "yes"}), ("with an error", {"error": "any"})]
    return [
        *[(f"decision list over 30 days, {who}, {name}", getting(client, page, asked)) for name, asked in filters],
        *[(f"counts beside the list, {who}, {name}", getting(client, counts, asked)) for name, asked in filters[:2]],
    ]


def _search_to_the_end(bench: Bench, text: str) -> float:
    """Seconds of a search over one day in the middle, over all its pages."""
    client, started = _caller(bench), time.perf_counter()
    until = datetime.now(UTC) - timedelta(days=DAYS // 2)
    asked = {"text": text, "from": (until - timedelta(days=1)).isoformat(), "to": until.isoformat()}
    cursor, path = None, "/api/v1/decisions/search"
    while cursor or cursor is None:
        answer = client.post(path, asked | ({"cursor": cursor} if cursor else {}), content_type="application/json")
        if answer.status_code != 200:
            raise RuntimeError(f"answered {answer.status_code}: {answer.content[:500]!r}")
        cursor = answer.json()["next_cursor"] or ""
    return time.perf_counter() - started


def _admin_questions(bench: Bench) -> Questions:
    """The pages of the web admin, as the accountable person sees them; nothing where they are not there."""
    try:
        page, search = reverse("admin:decisions"), reverse("admin:decision_search")
    except NoReverseMatch:
        say("the admin has no decision list yet: asking the API instead")
        return []
    client = Client(SERVER_NAME="localhost")
    client.force_login(bench.organisation.person)
    return [
        *[(f"decision list in the admin, {name}", getting(client, page, asked)) for name, asked in _filters()],
        *[(f"search in the admin, {name}", _posting(client, search, asked)) for name, asked in _admin_terms()],
    ]


def _api_questions(bench: Bench) -> Questions:
    client = _caller(bench)
    page, search = "/api/v1/decisions", "/api/v1/decisions/search"
    return [
        *[(f"decision list over the API, {name}", getting(client, page, asked)) for name, asked in _filters()],
        *[(f"search over the API, {name}", _posting(client, search, asked, as_json=True)) for name, asked in _terms()],
    ]


def _filters() -> list[tuple[str, dict[str, str]]]:
    return [
        ("newest", {}),
        ("refused", {"outcome": "refused"}),
        ("an outcome that never was", {"outcome": "escalated"}),
    ]


SUBJECT = f"c-{7919 * 5 % workload.SUBJECTS:06d}"


def _terms() -> list[tuple[str, dict[str, Any]]]:
    return [
        ("by subject", {"subject": SUBJECT}),
        ("by a label of every fifth decision", {"labels": {"branch": "north"}}),
        ("by text that is nowhere", {"text": "never-said-by-anybody"}),
    ]


def _admin_terms() -> list[tuple[str, dict[str, Any]]]:
    return [
        ("by subject", {"subject": SUBJECT, "period": "7d"}),
        ("by a label of every fifth decision", {"label_name": "branch", "label_value": "north", "period": "7d"}),
        ("by text that is nowhere", {"text": "never-said-by-anybody", "period": "7d"}),
    ]


def getting(client: Client, path: str, asked: dict[str, str]) -> Callable[[], HttpResponse]:
    return lambda: cast(HttpResponse, client.get(path, asked or None))


def _posting(client: Client, path: str, asked: dict[str, Any], *, as_json: bool = False) -> Callable[[], Any]:
    if as_json:
        return lambda: cast(HttpResponse, client.post(path, asked, content_type="application/json"))
    return lambda: cast(HttpResponse, client.post(path, asked, follow=True))


def _caller(bench: Bench) -> Client:
    return Client(headers={"Authorization": f"Bearer {bench.key}"}, SERVER_NAME="localhost")


def timed(ask: Callable[[], Any]) -> float:
    started = time.perf_counter()
    answer = ask()
    taken = time.perf_counter() - started
    if answer.status_code != 200:
        raise RuntimeError(f"answered {answer.status_code}: {answer.content[:500]!r}")
    return taken
