"""The notebook of `examples/notebook`, run as a script over a published copy: its numbers, and its pictures."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engagement_assets.installation import PROJECT_ROOT
from tests.integration.installed_packages import environment_with
from tests.integration.reports import Loaded, query

pytestmark = pytest.mark.integration

NOTEBOOK = PROJECT_ROOT / "examples" / "notebook" / "engagement.py"
PICTURES = ("booking", "completion", "returns", "users")
# The same as `python engagement.py --published … --pictures …`, and tells what its charts show.
RUN = """
import json, sys
sys.path.insert(0, sys.argv.pop(1))
from engagement import app

_, found = app.run()
shown = {"users": "crowds", "completion": "rates", "booking": "steps", "returns": "shares"}
print(json.dumps({chart: json.loads(found[name].to_json(orient="records")) for chart, name in shown.items()}))
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return environment_with("marimo-0.25.2", tmp_path_factory.mktemp("marimo"))


def test_it_shows_what_is_published_and_draws_its_charts(
    loaded: Loaded, environment: dict[str, str], tmp_path: Path
) -> None:
    pictures = tmp_path / "pictures"
    arguments = [str(NOTEBOOK.parent), "--published", str(loaded.published), "--pictures", str(pictures)]
    ended = subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        env=environment,
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    shown: dict[str, list[dict[str, Any]]] = json.loads(ended.stdout)

    ((sessions, booked),) = query(
        loaded.published, "select sum(sessions), sum(searching_booked_sessions) from mobility.weekly_booking_conversion"
    )
    of_steps = {
        step: sum(row["count"] for row in shown["booking"] if row["step"] == step) for step in ("sessions", "booked")
    }
    assert of_steps == {"sessions": sessions, "booked": booked}
    assert 0 < booked < sessions

    rates = query(
        loaded.published,
        "select activity_type, sum(completed_plays), sum(plays) from learning.engagement_weekly "
        "group by week_start_date, activity_type having sum(plays) >= 30",
    )
    assert len(rates) > 3
    found = sorted((row["activity_type"], row["completed_plays"], row["plays"]) for row in shown["completion"])
    assert found == sorted(rates)
    assert all(row["rate"] == pytest.approx(row["completed_plays"] / row["plays"]) for row in shown["completion"])

    ((users,),) = query(
        loaded.published,
        "select sum(active_users) from engagement.weekly_engagement where is_complete_week and source <> 'strava'",
    )
    assert sum(row["active_users"] for row in shown["users"]) == users > 0
    first_weeks = [row for row in shown["returns"] if row["weeks_since"] == 0]
    assert {row["source"] for row in first_weeks} == {row["source"] for row in shown["users"]}
    assert {row["share"] for row in first_weeks} == {1}

    assert sorted(path.name for path in pictures.iterdir()) == [f"{name}.png" for name in PICTURES]
    for path in pictures.iterdir():
        content = path.read_bytes()
        assert content.startswith(b"\x89PNG")
        # One without marks has less.
        assert len(content) > 40_000, path.name


def test_without_a_published_copy_it_says_which_file_it_looked_for(environment: dict[str, str], tmp_path: Path) -> None:
    missing = tmp_path / "none.duckdb"
    ended = subprocess.run(
        [sys.executable, str(NOTEBOOK), "--published", str(missing)],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode != 0
    assert f'Cannot open database "{missing}" in read-only mode' in ended.stderr
