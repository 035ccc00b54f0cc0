"""The whole graph: days in any order and grouping, with files that arrive late, give the rows of one full run."""

import random
import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest

from engagement_assets.sandbox.sample_data import write_sample_landing
from engagement_assets.transform.project import manifest
from tests.integration.deployment import Deployment, differences

pytestmark = pytest.mark.integration

# The report is made of the tables and adds none.
EVERY_TABLE = "not group:report"
FIRST, DAYS = date(2024, 1, 28), 5  # over the end of a week and of a month
LAST = FIRST + timedelta(days=DAYS - 1)


def _groups(days: list[date], draw: random.Random) -> list[tuple[date, date]]:
    """Neighbouring days in groups of two to four, the groups shuffled."""
    groups = []
    while days:
        size = min(draw.randint(2, 4), len(days))
        groups.append((days[0], days[size - 1]))
        days = days[size:]
    draw.shuffle(groups)
    return groups


def _arrive(landing: Path, target: Path, until: date) -> None:
    """Copy the files dated up to `until`, and the snapshots, as if the rest had not landed yet."""
    for path in sorted(landing.rglob("*")):
        dates = [part[:10] for part in path.relative_to(landing).parts if part[:4] == str(FIRST.year)]
        if path.is_file() and all(date.fromisoformat(text) <= until for text in dates):
            copy = target / path.relative_to(landing)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Everything in one run."""
    root = tmp_path_factory.mktemp("full")
    landing = root / "landing"
    write_sample_landing(landing, start=FIRST, days=DAYS, runna_activities_per_day=12, lingokids_events_per_day=60)
    deployment = Deployment(root, landing=landing)
    assert deployment.run(FIRST, LAST, EVERY_TABLE).failures == ()
    return deployment


def test_tables_have_the_columns_and_types_that_the_yaml_says(full: Deployment) -> None:
    built = {
        tuple(place): dict(zip(names, types, strict=True))
        for *place, names, types in full.query(
            """
            select
                table_schema, table_name,
                list(column_name order by ordinal_position),
                -- DuckDB calls a string VARCHAR, whatever it was created as.
                list(replace(lower(data_type), 'varchar', 'string') order by ordinal_position)
            from information_schema.columns
            group by all
            """,
            published=False,
        )
    }
    for node in manifest()["nodes"].values():
        if node["resource_type"] in {"model", "seed"}:
            described = {name: column["data_type"] for name, column in node["columns"].items()}
            assert described == built[node["schema"], node["alias"]], node["original_file_path"]


def test_any_order_and_grouping_with_late_files_equals_one_full_run(full: Deployment, tmp_path: Path) -> None:
    expected = full.tables()
    assert len(expected) > 20
    assert all(expected.values()), "every table must hold rows, or the comparison says nothing"

    piecewise = Deployment(tmp_path / "piecewise")
    draw = random.Random(7)
    days = [FIRST + timedelta(days=offset) for offset in range(DAYS)]
    for first, until in _groups(days, draw):
        _arrive(full.landing, piecewise.landing, until)
        assert piecewise.run(first, until, EVERY_TABLE).failures == ()
    _arrive(full.landing, piecewise.landing, LAST)
    for first, until in _groups(days, draw):
        assert piecewise.run(first, until, EVERY_TABLE).failures == ()

    assert differences(piecewise.tables(), expected) == {}
