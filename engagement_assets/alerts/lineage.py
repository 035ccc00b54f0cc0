"""What the asset graph knows about something that fails: its owners, what depends on it, how to run it again.

Belongs here: reading Dagster's graph, and the links and commands that follow from names. Not here: the message in which
they appear (`messages.py`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from urllib.parse import quote

import dagster as dg

from engagement_assets.alerts.incidents import WHOLE, Incident, Kind, Subject
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.dagster_internals import AssetGraph
from engagement_assets.day_ranges import blocks_of, days_of_interval
from engagement_assets.installation import PROGRAM

# People query the other schemas. The first three are intermediate steps; the last two record every load.
INTERNAL_SCHEMAS = ("staging", "intermediate", "published", "records", "audit")
# dagster-dbt marks a dbt test with it. Such a test judges its table as a whole, whatever days a run is for.
DBT_TEST_METADATA = "dagster_dbt/unique_id"
_DBT_TESTS_ENTRY = "dbt-tests"
_FAILED_RUNS_ENTRY = "a-run-failed"
# More blocks of failing days than this get one command, for all days from the first to the last.
MOST_COMMANDS = 3


@dataclass(frozen=True)
class Links:
    """Where a person reads on: the Dagster UI and the runbook."""

    ui_url: str
    runbook_url: str

    def run(self, run_id: str) -> str | None:
        """The page of a run; None for an evaluation without a run."""
        return f"{self.ui_url.rstrip('/')}/runs/{quote(run_id, safe='')}" if run_id else None

    def asset(self, asset: str) -> str | None:
        """The page of an asset's checks; None for a step."""
        return f"{self.ui_url.rstrip('/')}/assets/{quote(asset)}?view=checks" if asset else None


@dataclass(frozen=True)
class Lineage:
    """The graph of the deployment, and where its pages are."""

    graph: AssetGraph
    links: Links

    def owners(self, subject: Subject) -> list[str]:
        """The owners of an asset, or of the assets of a step."""
        return sorted({owner for key in self._assets(subject) for owner in self.graph.get(key).owners})

    def tables_downstream(self, subject: Subject) -> list[str]:
        """The tables for people that depend on what fails, directly or indirectly."""
        found: set[dg.AssetKey] = set()
        front = set(self._assets(subject))
        while front:
            front = {child for key in front for child in self.graph.get(key).child_keys} - found
            found |= front
        return sorted(key.to_user_string() for key in found if key.path[0] not in INTERNAL_SCHEMAS)

    def step_is_partitioned(self, step: str) -> bool:
        """Whether a step makes an asset that has days."""
        return any(self.graph.get(key).is_partitioned for key in self._assets_of_step.get(step, ()))

    def judges_the_whole(self, check: dg.AssetCheckKey) -> bool:
        """Whether a check that names no days is about its asset as a whole, not about the days of its run."""
        # An asset that is no longer in the graph has no days.
        is_partitioned = self.graph.has(check.asset_key) and self.graph.get(check.asset_key).is_partitioned
        return not is_partitioned or self._is_dbt_test(check)

    def runbook_entry(self, subject: Subject) -> str:
        """Where the runbook says what to do."""
        if subject.kind in {Kind.STEP, Kind.RUN}:
            return f"{self.links.runbook_url}#{_FAILED_RUNS_ENTRY}"
        check = dg.AssetCheckKey(dg.AssetKey.from_user_string(subject.asset), subject.name)
        return f"{self.links.runbook_url}#{_DBT_TESTS_ENTRY if self._is_dbt_test(check) else quote(subject.name)}"

    def command(self, incidents: Sequence[Incident]) -> str:
        """What runs the failing days and all downstream again: a command per block of days, or one for many blocks.

        Empty if there are neither tables nor days, as in a job that removes what is old: a load would repair nothing.
        """
        incidents = [each for each in incidents if self._assets(each.subject) or days_of(each)]
        if not incidents:
            return ""
        failing = [day for incident in incidents for day in failing_dates(incident) or _days_of_run(incident)]
        blocks = blocks_of(failing or (incident.opened_at.date() for incident in incidents))
        assets = sorted({key.to_user_string() for incident in incidents for key in self._assets(incident.subject)})
        everything = not assets or any(incident.subject.kind == Kind.RUN for incident in incidents)
        selection = "*" if everything else " or ".join(f'key:"{asset}"+' for asset in assets)
        if len(blocks) <= MOST_COMMANDS:
            return "; ".join(_backfill(block, selection) for block in blocks)
        covering = DayWindow(blocks[0].start, blocks[-1].end)
        days = sum(len(block.days()) for block in blocks)
        return f"{_backfill(covering, selection)}  # covers the {days:,} failing days among {len(covering.days()):,}"

    def _is_dbt_test(self, check: dg.AssetCheckKey) -> bool:
        return self.graph.has(check) and DBT_TEST_METADATA in self.graph.get(check).metadata

    def _assets(self, subject: Subject) -> Iterable[dg.AssetKey]:
        if subject.asset:
            key = dg.AssetKey.from_user_string(subject.asset)
            return [key] if self.graph.has(key) else []
        return self._assets_of_step.get(subject.name, ()) if subject.kind == Kind.STEP else ()

    @cached_property
    def _assets_of_step(self) -> dict[str, list[dg.AssetKey]]:
        return {each.node_def.name: list(each.keys) for each in self.graph.assets_defs if each.is_executable}


def days_of(incident: Incident) -> list[str]:
    """The failing days, or the first and last day of the run if an asset as a whole fails."""
    named = [day for day in incident.failing_days if day != WHOLE]
    return named or sorted(set(incident.finding.run_days or ()))


def failing_dates(incident: Incident) -> list[date]:
    """The failing days as dates, without an asset as a whole and without partitions that are not days."""
    return [each for day in incident.failing_days for each in _dates(day)]


def _days_of_run(incident: Incident) -> list[date]:
    return _dates("/".join(incident.finding.run_days or ()))


def _dates(interval: str) -> list[date]:
    try:
        return days_of_interval(interval)
    except ValueError:
        return []


def _backfill(window: DayWindow, selection: str) -> str:
    return f"{PROGRAM} backfill FROM={window.start} TO={window.days()[-1]} SELECT='{selection}'"
