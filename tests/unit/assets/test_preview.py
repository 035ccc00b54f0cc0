"""The rows of a load that Dagster shows."""

from pathlib import Path

from engagement_assets.assets.raw_load import preview
from engagement_assets.extract.lingokids import LINGOKIDS_EVENTS, LINGOKIDS_USERS
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import open_load
from tests.lake_loads import DAY_1, DAY_2, Found, event, events, load_time, window, write


def test_a_preview_shows_no_personal_columns(tmp_path: Path) -> None:
    secrets = {name: f"secret {name}" for name in LINGOKIDS_EVENTS.kinds if name != "user_id"}
    rows = [event(f"e{number}", DAY_1, **{**secrets, "user_id": "secret user"}) for number in range(3)]
    with open_load(Lake(str(tmp_path / "lake")), "source", run_id="run", started_at=load_time(1)) as load:
        write(load, events(*[dict(row) for row in rows]), window(DAY_1, DAY_2))
        lines = preview(load, LINGOKIDS_EVENTS, 2).splitlines()
    assert len(lines) == 4
    assert "e0" in lines[2]
    assert "secret" not in "".join(lines)
    shown = {name.strip() for name in lines[0].strip("|").split("|")}
    assert shown == set(LINGOKIDS_EVENTS.columns) - set(LINGOKIDS_EVENTS.kinds)


def test_a_preview_of_no_rows_shows_the_columns(tmp_path: Path) -> None:
    with open_load(Lake(str(tmp_path / "lake")), "source", run_id="run") as load:
        write(load, Found({LINGOKIDS_USERS: []}), None)
        header = preview(load, LINGOKIDS_USERS, 5).splitlines()[0]
    assert [name.strip() for name in header.strip("|").split("|")] == [
        name for name in LINGOKIDS_USERS.columns if name not in LINGOKIDS_USERS.kinds
    ]
