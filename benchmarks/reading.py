"""Reading at size: inclusion proofs, the list of decisions, the search.

All through Django's test client, so with the whole of a request's work but the server's sockets.
"""

import random
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import Any, cast

from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.urls import NoReverseMatch, reverse

from benchmarks import workload
from benchmarks.bench import Bench, say
from benchmarks.installation import SMALL
from benchmarks.register import connected_to
from benchmarks.report import Row, at_most, percentile
from ledger.selectors import latest_head

PROOFS, PAGES = 300, 40
MOST_QUERIES = 8


def measure(bench: Bench) -> None:
    _measure_proofs(bench)
    _measure_pages(bench)


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
            taken.append(_timed(_getting(client, f"/api/v1/decisions/{decision_id}/proof", {})))
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
        taken = [_timed(ask) for _ in range(PAGES + 1)][1:]
        bench.add(at_most(f"{what}, p95", percentile(taken, 95) * 1000, "ms", 300, f"{PAGES} times"))


Questions = list[tuple[str, Callable[[], Any]]]


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
        *[(f"decision list in the admin, {name}", _getting(client, page, asked)) for name, asked in _filters()],
        *[(f"search in the admin, {name}", _posting(client, search, asked)) for name, asked in _admin_terms()],
    ]


def _api_questions(bench: Bench) -> Questions:
    client = _caller(bench)
    page, search = "/api/v1/decisions", "/api/v1/decisions/search"
    return [
        *[(f"decision list over the API, {name}", _getting(client, page, asked)) for name, asked in _filters()],
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


def _getting(client: Client, path: str, asked: dict[str, str]) -> Callable[[], HttpResponse]:
    return lambda: cast(HttpResponse, client.get(path, asked or None))


def _posting(client: Client, path: str, asked: dict[str, Any], *, as_json: bool = False) -> Callable[[], Any]:
    if as_json:
        return lambda: cast(HttpResponse, client.post(path, asked, content_type="application/json"))
    return lambda: cast(HttpResponse, client.post(path, asked))


def _caller(bench: Bench) -> Client:
    return Client(headers={"Authorization": f"Bearer {bench.key}"}, SERVER_NAME="localhost")


def _timed(ask: Callable[[], Any]) -> float:
    started = time.perf_counter()
    answer = ask()
    taken = time.perf_counter() - started
    if answer.status_code != 200:
        raise RuntimeError(f"answered {answer.status_code}: {answer.content[:500]!r}")
    return taken
