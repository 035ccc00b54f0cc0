"""`make serve SERVICE=exporter`: what a monitor such as Prometheus asks for, as OpenMetrics under `/metrics`.

Belongs here: which numbers there are, and reading them where they lie already. Not here: metrics about engagement
(`metrics/`), or what is an alert of its own (`alerts/`).

Every scrape reads the published copy, the alert store, Dagster's records and sizes of files; it changes nothing. A part
that cannot be read leaves its numbers out, says so in `engagement_part_readable` and on standard error, and the others
are there. Labels are names of sources, datasets, schemas and states: no value of a record, and no URL.
"""

import stat
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import dagster as dg
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from engagement_assets.alerts.alerting import SENSOR, SHELL, Alerting
from engagement_assets.alerts.caught import Caught, kind_and_place
from engagement_assets.alerts.incidents import Severity
from engagement_assets.alerts.store import alert_store
from engagement_assets.checks.freshness import deadline_of
from engagement_assets.commands.preflight import local_path
from engagement_assets.commands.published_query import opened
from engagement_assets.extract.services.client import Clock
from engagement_assets.settings import Settings
from engagement_assets.spark_settings import WarehouseEngine

Families = Iterator[GaugeMetricFamily]
# The newest load that published each dataset, and what it found on its newest day; a snapshot covers the days before
# that of its load.
_LOADS = """
select
    source,
    dataset,
    max(loaded_at) as loaded_at,
    max(coalesce(partition_date, cast(loaded_at as date) - 1)) as newest_day,
    arg_max(accepted, (partition_date, loaded_at)) as accepted,
    arg_max(quarantined, (partition_date, loaded_at)) as quarantined,
    arg_max(duplicates, (partition_date, loaded_at)) as duplicates
from audit.ingestion_loads
where status = 'published'
group by all
order by all
"""
_HELD = "select source, count(distinct partition_date) from audit.held_days group by all order by all"
_PUBLISHED = "select schema_name, max(published_at) from audit.published_tables group by all order by all"


class Exporter(Collector):
    """Collects the numbers of a deployment at each scrape, one scrape at a time."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance, clock: Clock) -> None:
        """Read the places that `settings` name, and the runs of `instance`."""
        self._settings, self._instance, self._clock = settings, instance, clock
        self._one_at_a_time = threading.Lock()

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing: to register the collector, nothing need be read."""
        return ()

    def collect(self) -> Families:
        """All numbers of all parts that can be read."""
        readable = GaugeMetricFamily("engagement_part_readable", "1 if this part could be read.", labels=["part"])
        parts = {"published": self._published, "alerts": self._alerts, "runs": self._runs, "files": self._files}
        with self._one_at_a_time:
            for name, read in parts.items():
                found: list[GaugeMetricFamily] = []
                with Caught() as caught:
                    found = list(read())
                if caught.error:
                    print(f"error: the part {name} cannot be read: {kind_and_place(caught.error)}", file=sys.stderr)
                readable.add_metric([name], 0 if caught.error else 1)
                yield from found
        yield readable

    def _published(self) -> Families:
        by_dataset = ["source", "dataset"]
        loaded = _instants("engagement_last_load", "When a load last published a day of the dataset.", by_dataset)
        newest = _instants("engagement_newest_day", "When the newest day that is loaded began (UTC).", by_dataset)
        overdue = GaugeMetricFamily(
            "engagement_overdue_seconds",
            "For how long the next day should have been loaded, by FRESHNESS_HOURS; 0 if it need not be there yet.",
            labels=by_dataset,
        )
        records = GaugeMetricFamily(
            "engagement_newest_day_records",
            "What became of the records of the newest day.",
            labels=[*by_dataset, "became"],
        )
        held = GaugeMetricFamily("engagement_held_days", "Days that a load check holds back.", labels=["source"])
        published = _instants("engagement_last_publication", "When tables of the area were last published.", ["area"])
        with opened(self._settings.published_warehouse_path) as connection:
            loads, held_days, publications = (
                connection.execute(query).fetchall() for query in (_LOADS, _HELD, _PUBLISHED)
            )
        for source, dataset, loaded_at, day, *counts in loads:
            labels = [source, dataset]
            loaded.add_metric(labels, _seconds(loaded_at))
            newest.add_metric(labels, datetime.combine(day, time(), UTC).timestamp())
            if hours := self._settings.freshness_hours_of(source):
                overdue.add_metric(labels, self._overdue_s(day, hours))
            for became, count in zip(("accepted", "quarantined", "duplicates"), counts, strict=True):
                records.add_metric([*labels, became], count)
        for source, days in held_days:
            held.add_metric([source], days)
        for area, published_at in publications:
            published.add_metric([area], _seconds(published_at))
        yield from (loaded, newest, overdue, records, held, published)

    def _overdue_s(self, newest: date, hours: float) -> float:
        due = deadline_of(newest + timedelta(days=1), hours)
        return max(0.0, (self._clock.now() - due).total_seconds())

    def _alerts(self) -> Families:
        failing = GaugeMetricFamily("engagement_failing", "Checks and steps that fail now.", labels=["severity"])
        waiting = GaugeMetricFamily("engagement_undelivered_alerts", "Messages that a channel has not taken yet.")
        worked = _instants("engagement_alerts_worked", "When runs were last read and messages sent.", ["worker"])
        alerting = Alerting.of(self._settings)
        if not alerting.store_path.exists():
            raise FileNotFoundError  # to open it would create it
        with alert_store(alerting.store_path) as store:
            severities = [incident.severity for incident in store.incidents().values()]
            undelivered = store.undelivered([channel.name for channel in alerting.channels])
            beats = {worker: store.last_beat(worker) for worker in (SENSOR, SHELL)}
        for severity in Severity:
            failing.add_metric([severity.value], severities.count(severity))
        waiting.add_metric([], len(undelivered))
        for worker, beat in beats.items():
            if beat is not None:
                worked.add_metric([worker], beat.timestamp())
        yield from (failing, waiting, worked)

    def _runs(self) -> Families:
        runs = GaugeMetricFamily("engagement_runs", "Runs that Dagster keeps, by status.", labels=["status"])
        for status in dg.DagsterRunStatus:
            count = self._instance.get_runs_count(dg.RunsFilter(statuses=[status]))
            runs.add_metric([status.value.lower()], count)
        yield runs

    def _files(self) -> Families:
        """A lake on S3 has no size here: to list it costs money."""
        sizes = GaugeMetricFamily("engagement_size_bytes", "Bytes of files on this machine.", labels=["what"])
        places = {
            "lake": local_path(self._settings.lake_uri),
            "published": self._settings.published_warehouse_path,
            "warehouse": self._settings.warehouse_path if self._settings.warehouse is WarehouseEngine.DUCKDB else None,
            "dagster_home": self._settings.dagster_home,
        }
        for what, path in places.items():
            if path is not None:
                sizes.add_metric([what], _bytes_of(path))
        yield sizes


def serve(settings: Settings, listen: str, port: int) -> None:
    """Answer scrapes until the process ends. It has no login, so it listens for those who may read it alone."""
    registry = CollectorRegistry()
    with dg.DagsterInstance.get() as instance:
        registry.register(Exporter(settings, instance, Clock()))
        _, thread = start_http_server(port, listen, registry)
        thread.join()


def _instants(name: str, text: str, labels: list[str]) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{name}_timestamp_seconds", text, labels=labels)


def _seconds(instant: datetime) -> float:
    """Since 1970; instants of tables have no zone, and are UTC."""
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()


def _bytes_of(path: Path) -> int:
    """Of a file, or of all files below a folder; files come and go meanwhile."""
    total = 0
    for each in path.rglob("*") if path.is_dir() else [path]:
        with suppress(FileNotFoundError):
            found = each.stat()
            total += found.st_size if stat.S_ISREG(found.st_mode) else 0
    return total
