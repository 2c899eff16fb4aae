"""What the database knows, computed when asked: the same from whichever process a scrape reaches."""

from collections.abc import Iterable
from datetime import datetime

from django.db import connection
from django.db.models import Count, Min, TextChoices
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from audit.models import ErasureRequest, Purge
from config.metrics import metrics_response
from evidence.anchors import asked_identities
from evidence.exports.models import Export
from evidence.exposure import exposures
from evidence.models import Anchor, Outcome
from evidence.standstills import failing_exports, oldest_waiting, still_erasures, still_purges, undeleted_exports
from intake.models import QuarantineCase, QuarantinedRecord
from intake.selectors import count_bounded, silent_sources, watched_sources
from ledger.errors import HeadStoreUnavailable
from ledger.heads import head_store
from notices.models import Alert, Delivery, Message

# the newest head of each log, by index: never a count over entries
HEAD_SIZES = """
    SELECT log.origin, log.kind, coalesce(head.tree_size, 0)
    FROM ledger_log log LEFT JOIN LATERAL (
        SELECT tree_size FROM ledger_head WHERE log_id = log.id ORDER BY tree_size DESC LIMIT 1
    ) head ON true
"""


class DatabaseCollector(Collector):
    """Sizes and ages. Labels name logs and severities, never people or subjects."""

    def collect(self) -> Iterable[Metric]:
        yield from self._logs()
        yield _head_store()
        yield from self._alerts()
        yield from self._quarantine()
        yield from self._sources()
        yield from _exposure()
        yield from _outgoing()
        yield from _taken_out_and_erased()

    def _logs(self) -> Iterable[Metric]:
        sizes = GaugeMetricFamily("answerable_log_tree_size", "Sealed entries of a log.", labels=["origin", "kind"])
        total = 0
        with connection.cursor() as cursor:
            cursor.execute(HEAD_SIZES)
            for origin, kind, size in cursor.fetchall():
                sizes.add_metric([origin, kind], size)
                total += size
        yield sizes
        yield GaugeMetricFamily("answerable_sealed_entries", "Sealed entries of all logs.", value=total)

    def _alerts(self) -> Iterable[Metric]:
        unclosed = Alert.objects.exclude(status=Alert.Status.CLOSED).values("severity", "status")
        family = GaugeMetricFamily("answerable_alerts", "Alerts not closed.", labels=["severity", "status"])
        for row in unclosed.annotate(number=Count("pk")).order_by():
            family.add_metric([row["severity"], row["status"]], row["number"])
        yield family
        oldest = Alert.objects.filter(status=Alert.Status.OPEN).aggregate(at=Min("opened_at"))["at"]
        yield _age("answerable_alert_oldest_seconds", "Age of the oldest open alert.", oldest)

    def _quarantine(self) -> Iterable[Metric]:
        cases = QuarantineCase.objects.values_list("status").annotate(number=Count("pk")).order_by()
        numbers = dict.fromkeys(QuarantineCase.Status.values, 0) | dict(cases)
        # nobody has acted on these yet, so they have no case
        untouched = QuarantinedRecord.objects.filter(case=None, original__isnull=False).order_by()
        numbers[QuarantineCase.Status.WAITING] += count_bounded(untouched)
        family = GaugeMetricFamily("answerable_quarantine_cases", "Quarantined records by state.", labels=["status"])
        for status, number in numbers.items():
            family.add_metric([status], number)
        yield family

    def _sources(self) -> Iterable[Metric]:
        quietest = watched_sources().aggregate(at=Min("last_heard_at"))["at"]
        about = "Since the quietest source was heard, of those that send heartbeats or are expected."
        yield _age("answerable_source_longest_silence_seconds", about, quietest)
        silent = silent_sources().count()
        yield GaugeMetricFamily("answerable_sources_silent", "Sources not heard from as expected.", value=silent)


def _exposure() -> Iterable[Metric]:
    """What neither witnesses nor time-stamp authorities have seen: with nobody asked, everything."""
    entries = GaugeMetricFamily("answerable_log_exposed_entries", "Entries nobody outside saw.", labels=["origin"])
    ages = GaugeMetricFamily("answerable_log_exposed_seconds", "Since the first of them was sealed.", labels=["origin"])
    for each in exposures():
        entries.add_metric([each.origin], each.entries)
        ages.add_metric([each.origin], max(0.0, each.age.total_seconds()))
    yield entries
    yield ages
    asked = Anchor.objects.filter(identity__in=asked_identities(), log__closure=None)
    failing = asked.exclude(outcome__in=(Outcome.ANCHORED, Outcome.WAITING)).count()
    about = "Pairs of a log and a witness or authority of which the last attempt failed."
    yield GaugeMetricFamily("answerable_anchors_failing", about, value=failing)


def _outgoing() -> Iterable[Metric]:
    """What waits to be told to others. A delivery is overdue from when it should have gone: a pause is no delay."""
    deliveries = Delivery.objects.values_list("status").annotate(number=Count("pk")).order_by()
    yield _by_status("answerable_webhook_deliveries", "Deliveries of the last 30 days.", Delivery.Status, deliveries)
    late = Delivery.objects.filter(status=Delivery.Status.WAITING, lease=None).aggregate(at=Min("next_attempt_at"))
    yield _age("answerable_webhook_overdue_seconds", "Since the most overdue delivery was due.", late["at"])
    messages = Message.objects.values_list("status").annotate(number=Count("pk")).order_by()
    yield _by_status("answerable_emails", "E-mails of the last 30 days.", Message.Status, messages)


def _taken_out_and_erased() -> Iterable[Metric]:
    """Exports, purges and erasures: how many, and how long what could go on has waited."""
    exports = Export.objects.values_list("status").annotate(number=Count("pk")).order_by()
    yield _by_status("answerable_exports", "Exports by state.", Export.Status, exports)
    waiting = oldest_waiting()
    yield _age("answerable_export_oldest_seconds", "Since an export waits that nobody is making.", waiting)
    failing, kept = failing_exports().number, undeleted_exports().number
    yield GaugeMetricFamily("answerable_exports_failing", "Failed within a day, or tried in vain.", value=failing)
    yield GaugeMetricFamily("answerable_exports_undeleted", "Files kept an hour past their time.", value=kept)
    purges = Purge.objects.values_list("status").annotate(number=Count("pk")).order_by()
    yield _by_status("answerable_purges", "Purges by state.", Purge.Status, purges)
    erasures = ErasureRequest.objects.values_list("status").annotate(number=Count("pk")).order_by()
    yield _by_status("answerable_erasures", "Erasures by state.", ErasureRequest.Status, erasures)
    for name, standing in (("purge", still_purges()), ("erasure", still_erasures())):
        about = f"Since anything went of the {name} that stands still longest, from three hours on."
        yield _age(f"answerable_{name}_standstill_seconds", about, standing.since)


def _by_status(name: str, about: str, known: type[TextChoices], counted: Iterable[tuple[str, int]]) -> Metric:
    family = GaugeMetricFamily(name, about, labels=["status"])
    for status, number in (dict.fromkeys(known.values, 0) | dict(counted)).items():
        family.add_metric([status], number)
    return family


def _head_store() -> Metric:
    """Tried at each scrape: without it nothing is acknowledged, and nobody may have posted since it broke."""
    try:
        head_store().check_writable()
        writable = 1
    except HeadStoreUnavailable:
        writable = 0
    return GaugeMetricFamily("answerable_head_store_writable", "1 while a write goes through.", value=writable)


def _age(name: str, description: str, since: datetime | None) -> Metric:
    """Seconds since a moment; 0 where there is none, so that the series never vanishes."""
    seconds = (timezone.now() - since).total_seconds() if since else 0.0
    return GaugeMetricFamily(name, description, value=max(0.0, seconds))


def metrics(request: HttpRequest) -> HttpResponse:
    return metrics_response(request, [DatabaseCollector()])
