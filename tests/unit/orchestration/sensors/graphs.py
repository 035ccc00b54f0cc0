"""The graph of a deployment, with an instance in memory whose history a test makes up.

Belongs here: made-up materializations and runs. Not here: what a test expects.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.test_utils import create_run_for_test, freeze_time

from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.definitions import build_defs
from engagement_assets.orchestration.jobs import SourceSet, source_sets
from engagement_assets.orchestration.sensors.runs import INPUTS_TAG, SENSOR_TAG, SOURCE_TAG
from engagement_assets.partitions import range_tags
from engagement_assets.settings import Settings

NOW = datetime.now(UTC)
TODAY = NOW.date()
SUCCESS, FAILURE = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE


def day(back: int) -> date:
    """The day so many days before today."""
    return TODAY - timedelta(days=back)


def window(first_back: int, last_back: int | None = None) -> DayWindow:
    """Days by how many days ago they were, both inclusive."""
    return DayWindow(day(first_back), day(first_back if last_back is None else last_back) + timedelta(days=1))


@dataclass
class Graph:
    """The project's graph over file sources, and an instance that has run nothing."""

    repository: dg.RepositoryDefinition
    instance: dg.DagsterInstance

    @cached_property
    def sets(self) -> dict[str, SourceSet]:
        """The sources, by their names."""
        return {item.name: item for item in source_sets(self.repository.asset_graph.assets_defs)}

    def sense(self, sensor: str, cursor: str | None = None) -> dg.SensorResult:
        """One tick of a sensor, on the day that the tests count from, also if midnight has passed."""
        context = dg.build_sensor_context(instance=self.instance, repository_def=self.repository, cursor=cursor)
        with freeze_time(NOW):
            result = self.repository.get_sensor_def(sensor)(context)
        if isinstance(result, dg.SensorResult):
            return result
        if isinstance(result, dg.RunRequest):
            return dg.SensorResult(run_requests=[result])
        assert isinstance(result, dg.SkipReason)
        return dg.SensorResult(skip_reason=result)

    def materialize(self, keys: Iterable[dg.AssetKey], days: Iterable[date] | None = None) -> None:
        """Record that assets were made, of these days if they have any."""
        for key in keys:
            for partition in [None] if days is None else sorted(days):
                self.instance.report_runless_asset_event(
                    dg.AssetMaterialization(key, partition=None if partition is None else partition.isoformat())
                )

    def load(self, days: Iterable[date], *, sources: Iterable[str] = ()) -> None:
        """Record that raw data and models of these days were made, of all sources unless some are named."""
        for item in self.sets.values():
            if item.name in (sources or self.sets):
                self.materialize(item.raw, days)
                self.materialize(item.windowed, days)

    def run(
        self,
        item: SourceSet,
        days: DayWindow,
        status: dg.DagsterRunStatus,
        *,
        sensor: str = "catch_up",
        newest_input: int = 0,
    ) -> dg.DagsterRun:
        """Record a run that a sensor requested."""
        tags = {SENSOR_TAG: sensor, SOURCE_TAG: item.name, INPUTS_TAG: str(newest_input)}
        run: dg.DagsterRun = create_run_for_test(
            self.instance, job_name=item.job_name, status=status, tags={**range_tags(days), **tags}
        )
        return run


@contextmanager
def graph(folder: Path = Path("/nowhere"), /, **settings: Any) -> Iterator[Graph]:
    """A graph with its landing zone and lake in `folder`, and an instance of its own."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield Graph(_repository(folder, tuple(sorted(settings.items()))), instance)


@cache
def _repository(folder: Path, settings: tuple[tuple[str, Any], ...]) -> dg.RepositoryDefinition:
    values = {
        "landing_uri": str(folder / "landing"),
        "lake_uri": str(folder / "lake"),
        "start_date": day(5),
        "schedule_hour": 0,
        "landing_settle_s": 0,
        **dict(settings),
    }
    return build_defs(Settings(_env_file=None, **values)).get_repository_def()
