"""The two walkthroughs of docs/extending.md, followed as a reader would: a new mart, and a sixth source."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from engagement_assets.installation import PROJECT_ROOT

pytestmark = pytest.mark.integration

EXAMPLES = PROJECT_ROOT / "examples"
GUIDE = PROJECT_ROOT / "docs" / "extending.md"
# What `make dictionary` writes anew.
PATCH = "existing_files.patch"
DAYS = ("2024-01-08", "2024-01-16")
# What the examples change: the area of the source, that of the mart, and what is made of all sources.
CHANGED = "+group:wellness or +group:learning or group:engagement or group:report"

# Prints what the definitions of a deployment hold, and loads it, in one process of the copy.
INSPECT_AND_LOAD = """
import json
from datetime import date
from pathlib import Path
from engagement_assets.commands.backfill import main
from engagement_assets.commands.process import exit_process
from engagement_assets.definitions import build_defs
from engagement_assets.sandbox.sample_data import write_sample_landing
from engagement_assets.settings import Settings

settings = Settings(freshness_hours="0, watch=6")
write_sample_landing(
    Path(settings.landing_uri), start=date(2024, 1, 8), days=9,
    runna_activities_per_day=1, lingokids_events_per_day=1, mobile_events_per_day=1,
)
repository = build_defs(settings).get_repository_def()
graph = repository.asset_graph
print("DEFINITIONS" + json.dumps({
    "assets": sorted(key.to_user_string() for key in graph.get_all_asset_keys()),
    "checks": sorted(f"{key.asset_key.to_user_string()}:{key.name}" for key in graph.asset_check_keys),
    "groups": sorted({graph.get(key).group_name for key in graph.get_all_asset_keys()}),
    "jobs": sorted(repository.job_names),
    "schedules": sorted(item.name for item in repository.schedule_defs),
    "sensor_targets": {
        item.name: sorted(target.job_name for target in item.targets if target.job_name)
        for item in repository.sensor_defs
    },
}))
exit_process(main())
"""


def _files_of(example: str) -> dict[Path, str]:
    folder = EXAMPLES / example
    return {
        path.relative_to(folder): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != PATCH and "__pycache__" not in path.parts
    }


def _patched_files() -> list[str]:
    return re.findall(
        r"^\+\+\+ b/(\S+)$", (EXAMPLES / "sixth_source" / PATCH).read_text(encoding="utf-8"), re.MULTILINE
    )


def _lines_added() -> int:
    patch = (EXAMPLES / "sixth_source" / PATCH).read_text(encoding="utf-8")
    return sum(line.startswith("+") and not line.startswith("+++") for line in patch.splitlines())


@pytest.mark.parametrize("example", ["new_mart", "sixth_source"])
def test_the_guide_shows_every_file_of_its_examples(example: str) -> None:
    blocks = re.findall(r"^```\w*\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    missing = [str(path) for path, text in _files_of(example).items() if text not in blocks]
    assert missing == []
    if example == "sixth_source":
        assert (EXAMPLES / example / PATCH).read_text(encoding="utf-8") in blocks


def test_a_new_mart_is_at_most_four_files_and_eighty_lines() -> None:
    files = _files_of("new_mart")
    # The data dictionary is the one file that exists; a command writes it anew.
    assert len(files) + 1 <= 4
    assert sum(len(text.splitlines()) for text in files.values()) <= 80


def test_a_sixth_source_changes_two_files_by_hand_and_adds_eight_and_four_hundred_lines() -> None:
    files = _files_of("sixth_source")
    # A command writes the data dictionary and the input formats anew.
    assert len(_patched_files()) <= 2
    assert len(files) <= 8
    assert sum(len(text.splitlines()) for text in files.values()) + _lines_added() <= 400
    assert [str(path) for path in files if (PROJECT_ROOT / path).exists()] == []


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with both examples laid in place."""
    copy = tmp_path_factory.mktemp("extended") / "project"
    left_out = shutil.ignore_patterns(".git", ".venv", "data", "target", "__pycache__", ".*_cache")
    shutil.copytree(PROJECT_ROOT, copy, ignore=left_out)
    for example in ("new_mart", "sixth_source"):
        for path, text in _files_of(example).items():
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            (copy / path).write_text(text, encoding="utf-8")
    patch = (EXAMPLES / "sixth_source" / PATCH).read_bytes()
    git = shutil.which("git")
    assert git
    subprocess.run([git, "apply", "-"], cwd=copy, input=patch, check=True)
    return copy


def _run(copy: Path, *arguments: str) -> str:
    # No setting of the test's own process, such as its DAGSTER_HOME.
    environment = {name: os.environ[name] for name in ("HOME", "PATH", "TMPDIR") if name in os.environ}
    environment |= {"PYTHONPATH": str(copy), "LANDING_URI": str(copy / "landing"), "LAND_UNNEEDED_IDS": "child"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def definitions(extended: Path) -> dict[str, Any]:
    """What the definitions hold; the sample data is written, loaded and published on the way."""
    first, last = DAYS
    window = (f"--from={first}", f"--to={last}")
    printed = _run(extended, "-c", INSPECT_AND_LOAD, *window, f"--select={CHANGED}")
    found: dict[str, Any] = json.loads(printed.partition("DEFINITIONS")[2].splitlines()[0])
    return found


@pytest.fixture(scope="module")
def published(extended: Path, definitions: dict[str, Any]) -> Path:
    """The published copy after a run over the sample's days."""
    assert definitions
    return extended / "data" / "published.duckdb"


def test_the_sixth_source_has_all_that_sources_have(definitions: dict[str, Any]) -> None:
    assert {"raw_watch/activities", "staging/stg_watch__activities", "wellness/fct__watch_activities"} <= set(
        definitions["assets"]
    )
    assert "published/wellness" in definitions["assets"]
    assert {"raw_watch", "wellness"} <= set(definitions["groups"])
    of_watch = {check.partition(":")[2] for check in definitions["checks"] if check.startswith("raw_watch/activities:")}
    assert of_watch == {
        "reconciles",
        "rejected_share",
        "schema_drift",
        "volume_as_expected",
        "every_file_is_read",
        "files_hold_what_was_loaded",
        "is_fresh",
    }
    assert {"daily_watch", "release_watch_activities", "replay_watch_activities"} <= set(definitions["jobs"])
    assert "daily_watch_schedule" in definitions["schedules"]
    # `late_data` compares days of windowed models, of which this source has none.
    for sensor in ("landing_files", "catch_up"):
        assert "daily_watch" in definitions["sensor_targets"][sensor]


def test_the_sixth_source_counts_in_every_table_over_all_sources(published: Path) -> None:
    with duckdb.connect(str(published), read_only=True) as connection:
        facts = connection.execute("select count(*), count(distinct activity_id) from wellness.fct__watch_activities")
        # Eight a day, of nine days; of the second day one has no time.
        assert facts.fetchall() == [(71, 71)]
        weeks = connection.execute(
            """
            select cast(week_start_date as varchar), engagement_units, days_observed, is_complete_week, engaged_ms > 0
            from engagement.weekly_engagement where source = 'watch' order by 1
            """
        ).fetchall()
        assert weeks == [("2024-01-08", 55, 7, True, True), ("2024-01-15", 16, 2, False, True)]
        users = connection.execute("select count(distinct user_id) from wellness.fct__watch_activities").fetchone()
        cohorts = connection.execute(
            "select sum(cohort_size) from engagement.weekly_retention where source = 'watch' and weeks_since = 0"
        ).fetchone()
        assert cohorts == users
        rejected = connection.execute(
            "select source_path, reason_code from audit.rejected_records where source = 'watch'"
        ).fetchall()
        assert rejected == [("watch/activities/2024-01-09.csv", "missing_started_at")]


def test_alerts_and_the_report_know_the_sixth_source(extended: Path, published: Path) -> None:
    assert published.exists()
    alerts = (extended / "data" / "dagster_home" / "alerts" / "alerts.jsonl").read_text(encoding="utf-8")
    assert "raw_watch/activities" in alerts
    report = next((extended / "data" / "report").glob("*.html")).read_text(encoding="utf-8")
    assert "Watch activities" in report


def test_the_new_mart_holds_plays_and_children_by_country_and_week(published: Path) -> None:
    with duckdb.connect(str(published), read_only=True) as connection:
        plays, children, rows = connection.execute(
            "select sum(plays), max(active_children), count(*) from learning.weekly_plays_per_child"
        ).fetchall()[0]
        facts = connection.execute("select count(*) from learning.fct__activity_exits").fetchone()
    assert (plays,) == facts
    assert 1 <= children <= plays
    assert rows >= 2
