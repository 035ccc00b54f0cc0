"""`make erase`: an athlete whose id nobody knows, and requests of which nothing is proven."""

import io
import tempfile
from datetime import date
from pathlib import Path

import duckdb
import fsspec
import pytest

from engagement_assets.commands import erase
from engagement_assets.extract.lingokids import LINGOKIDS_EVENTS
from engagement_assets.extract.strava.source import STRAVA_ACTIVITIES
from engagement_assets.kudos.versions import Versions
from engagement_assets.lake.erasure import unfinished
from engagement_assets.lake.lake import Lake
from engagement_assets.settings import Settings
from tests.erasing_settings import erasing_settings
from tests.lake_loads import DAY_1, Found, event, events, publish, published, window
from tests.unit.kudos.trained_versions import GOOD

ATHLETE = "47110815"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    made = erasing_settings(tmp_path, start_date=date(2024, 1, 1))
    monkeypatch.setattr(erase, "load_settings", lambda: made)
    return made


def _erase(monkeypatch: pytest.MonkeyPatch, source: str, kind: str, ids: str = "", *options: str) -> int:
    monkeypatch.setattr("sys.argv", ["erase", "--source", source, "--kind", kind, *options])
    monkeypatch.setattr("sys.stdin", io.StringIO(ids))
    return erase.main()


def test_an_athlete_is_erased_without_an_id_and_the_token_file_too(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = Lake(settings.lake_uri, settings.privacy_policy)
    found = Found({STRAVA_ACTIVITIES: [{"activity_id": 1, "day": DAY_1, "source_path": "page"}]})
    publish(lake, found, window(DAY_1), 1, name="strava")
    cells = Path(lake.location(lake.places_key("strava")))
    cells.parent.mkdir()
    cells.write_text(f'{{"{ATHLETE}": {{"2024-1": [51.525, -0.125]}}}}', encoding="utf-8")
    settings.strava_token_path.write_text("{}", encoding="utf-8")
    Versions(settings.models_dir).keep(GOOD)
    message = settings.dagster_home / "alerts" / "alerts.jsonl"
    message.parent.mkdir(parents=True)
    message.write_text(f'{{"athlete": "{ATHLETE}"}}', encoding="utf-8")

    assert _erase(monkeypatch, "strava", "athlete", "", "--verify") == 1
    assert published(lake, STRAVA_ACTIVITIES, "activity_id") == [(DAY_1, 1)]
    assert _erase(monkeypatch, "strava", "athlete") == 0
    said = "".join(capsys.readouterr())
    assert "Take STRAVA_REFRESH_TOKEN out of the settings, too" in said
    # The lake knew the id, and it is shown nowhere.
    assert ATHLETE not in said
    assert "99999999" in message.read_text(encoding="utf-8")
    assert not settings.strava_token_path.exists()
    assert Versions(settings.models_dir).newest() is None
    assert published(lake, STRAVA_ACTIVITIES, "activity_id") == []
    assert unfinished(lake) == []
    publish(lake, found, window(DAY_1), 2, name="strava")
    assert published(lake, STRAVA_ACTIVITIES, "activity_id") == []
    # Now nobody knows the id, and the rows are still looked for.
    assert _erase(monkeypatch, "strava", "athlete", "", "--verify") == 0
    assert "no file was searched" in capsys.readouterr().out


@pytest.mark.parametrize("place", ["{}", "memory:/{}"])
def test_an_export_that_did_not_follow_is_found(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    exports = place.format(tmp_path / "exports")
    made = erasing_settings(tmp_path, export_dir=exports)
    monkeypatch.setattr(erase, "load_settings", lambda: made)
    filesystem, root = fsspec.core.url_to_fs(exports)
    for area, user in (("learning", "anna"), ("strava", "an athlete")):
        duckdb.execute(f"copy (select '{user}' as user_id) to '{tmp_path}/rows.parquet'")
        filesystem.makedirs(f"{root}/{area}", exist_ok=True)
        filesystem.pipe_file(f"{root}/{area}/rows.parquet", (tmp_path / "rows.parquet").read_bytes())
    assert _erase(monkeypatch, "lingokids", "user", "anna\n", "--verify") == 1
    assert capsys.readouterr().err == f"FOUND in {exports}/learning/rows.parquet\n"
    assert _erase(monkeypatch, "lingokids", "user", "ben\n", "--verify") == 0
    assert _erase(monkeypatch, "strava", "athlete", "", "--verify") == 1
    assert capsys.readouterr().err == f"FOUND in {exports}/strava/rows.parquet\n"


def test_pages_are_searched_also_if_the_lake_is_in_a_bucket(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    in_bucket = settings.model_copy(update={"lake_uri": "s3://bucket/lake"})
    pages = [Lake(uri).pages_folder("user_events") / "run" / "page.json" for uri in ("s3://bucket/lake", "s3://other")]
    for page in pages:
        page.parent.mkdir(parents=True)
        page.write_text("[]", encoding="utf-8")
    assert [page in set(erase._own_files(in_bucket)) for page in pages] == [True, False]


def test_others_need_ids(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _erase(monkeypatch, "lingokids", "user") == 2
    assert not settings.erasures_path.exists()


def test_a_request_of_which_nothing_is_proven_is_not_done_with_another(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = Lake(settings.lake_uri, settings.privacy_policy)
    rows = [event(f"of-{user}", DAY_1, user_id=user, child_id=f"{user}-kid") for user in ("anna", "ben")]
    publish(lake, events(*rows), window(DAY_1), 1, name="lingokids_events")
    with monkeypatch.context() as patch:
        patch.setattr(erase, "_prove", lambda *_: 1)
        assert _erase(monkeypatch, "lingokids", "user", "anna\n") == 1
    assert _erase(monkeypatch, "lingokids", "user", "ben\n") == 0
    assert "Request 1 of " in (said := capsys.readouterr().err)
    assert "is not proven" in said
    assert [request.number for request in unfinished(lake)] == [1]
    assert _erase(monkeypatch, "lingokids", "user", "ANNA\nben\n") == 0
    assert "is not proven" not in capsys.readouterr().err
    assert unfinished(lake) == []
    assert published(lake, LINGOKIDS_EVENTS, "event_id") == []
