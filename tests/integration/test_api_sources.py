"""Both services to their tables: what was served is what the tables hold, id by id, and no secret is left behind.

The expectation comes from the sandbox's own ledger and from rules written once more in plain Python.
"""

import os
import re
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.integration.served_records import assert_tables_hold_what_was_served, found_activities
from tests.integration.services import CREDENTIALS, FIRST_DAY, Services, services

pytestmark = pytest.mark.integration

STRAVA, PRODUCT = "+group:strava", "+group:product"
SELECTION = f"{STRAVA} or {PRODUCT}"
# `make soak` simulates 30.
DAYS = int(os.environ.get("API_DAYS", "12"))
# How many simulated days pass between two builds of the models; 1 by hand.
DAYS_PER_BUILD = int(os.environ.get("DAYS_PER_BUILD", "6"))


def test_a_run_with_faults_in_a_fifth_of_all_answers_loses_and_doubles_nothing(tmp_path: Path) -> None:
    with services(tmp_path / "services", chaos=0.2, activities_per_day=12) as running:
        run = running.run(FIRST_DAY, date(2024, 2, 4), SELECTION)
        assert run.success, run.failures
        assert_tables_hold_what_was_served(running)
        faults = [request for request in running.apis.user_events.requests if request.fault]
        assert len(faults) >= 5


def test_daily_runs_end_with_what_the_services_say_now(tmp_path: Path) -> None:
    with services(tmp_path / "services", activities_per_day=3, events_per_day=60) as running:
        seen_kudos: set[tuple[int, date, int]] = set()
        exchanges = 0
        for number in range(DAYS):
            day = FIRST_DAY + timedelta(days=number)
            running.apis.clock.set(datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=26))
            if (number + 1) % DAYS_PER_BUILD:
                assert running.load(day).success
            else:
                run = running.run(day - timedelta(days=DAYS_PER_BUILD - 1), day, SELECTION)
                assert run.success, run.failures
                assert running.load(day).success  # the run over several days reads no trailing ones
            observed_on = running.apis.clock.now().date()
            seen_kudos |= {
                (activity_id, observed_on, document["kudos_count"])
                for activity_id, document in running.apis.strava.served_activities().items()
                if activity_id not in running.apis.strava.deleted_ids()
            }
            exchanges = sum(request.path.endswith("/token") for request in running.apis.strava.requests)
        assert exchanges >= DAYS  # an access token lives for six hours
        run = running.run(FIRST_DAY, FIRST_DAY + timedelta(days=DAYS - 1), SELECTION)
        assert run.success, run.failures
        assert_tables_hold_what_was_served(running)
        assert any(is_deleted for *_, is_deleted in found_activities(running))
        history = running.query("select activity_id, observed_on, kudos_count from strava.strava_kudos_history")
        assert set(history) == seen_kudos
        assert len(history) == len(seen_kudos)


@pytest.fixture(scope="module")
def left_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Services, list[str]]]:
    """A good run, one with refusals and one that is stopped, and everything that they printed."""
    folder = tmp_path_factory.mktemp("services")
    with services(folder, activities_per_day=5) as running, pytest.MonkeyPatch.context() as patch:
        printed: list[str] = []

        def write(text: str) -> int:
            printed.append(text)
            return len(text)

        patch.setattr("sys.stdout.write", write, raising=False)
        patch.setenv("STRAVA_PLACES", "coarse")
        running.run(FIRST_DAY, date(2024, 1, 20), SELECTION)
        running.apis.strava.faults.next("unavailable", times=40)
        running.run(date(2024, 1, 21), date(2024, 1, 22), STRAVA)
        running.run(date(2024, 1, 21), date(2024, 1, 22), PRODUCT, user_events_api_token="wrong-api-token")
        running.apis.strava.tokens.refresh_token = "somebody-elses-refresh-token"
        running.apis.clock.advance(timedelta(days=1))
        running.run(date(2024, 1, 21), date(2024, 1, 22), STRAVA)
        yield running, printed


def texts_left_behind(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of a deployment but the token file: as it is, and what is in it where it is packed."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name.startswith("strava_token.json"):
            continue
        yield str(path), path.read_bytes()
        if path.suffix == ".parquet":
            rows = duckdb.execute("select columns(*)::varchar from read_parquet($1)", [str(path)]).fetchall()
            yield f"{path} (rows)", repr(rows).encode()
        if path.suffix == ".duckdb":
            yield f"{path} (rows)", repr(list(rows_of_tables(path))).encode()
        if path.suffix == ".db":
            with sqlite3.connect(path) as database:
                yield f"{path} (rows)", "\n".join(database.iterdump()).encode()


def rows_of_tables(path: Path) -> Iterable[Any]:
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute(
            "select table_schema || '.' || table_name from information_schema.tables where table_type = 'BASE TABLE'"
        ).fetchall()
        for (table,) in tables:
            yield connection.execute(f"select columns(*)::varchar from {table}").fetchall()


def test_no_secret_is_left_behind(left_behind: tuple[Services, list[str]]) -> None:
    running, printed = left_behind
    secrets = {
        CREDENTIALS.strava_client_secret,
        CREDENTIALS.strava_refresh_token,
        CREDENTIALS.user_events_api_token,
        "wrong-api-token",
        "somebody-elses-refresh-token",
        *running.apis.strava.tokens.expiry_by_access_token,
    }
    assert len(secrets) == 6
    texts = [*texts_left_behind(running.folder), ("printed", "".join(printed).encode())]
    assert len(texts) > 100
    found = [(name, secret) for name, text in texts for secret in secrets if secret.encode() in text]
    assert found == []


def test_no_exact_place_is_left_behind(left_behind: tuple[Services, list[str]]) -> None:
    running, printed = left_behind
    now = running.apis.clock.now()
    places: set[str] = set()
    for activity in running.apis.strava.history.activities:
        document = activity.document(now)
        for name in ("start_latlng", "end_latlng"):
            places |= {str(value) for value in document.get(name) or []}
        places.add((document.get("map") or {}).get("summary_polyline") or "")
    exact = {place for place in places if re.fullmatch(r"-?\d+\.\d{4,}", place) or len(place) > 20}
    assert len(exact) > 100
    texts = [*texts_left_behind(running.folder), ("printed", "".join(printed).encode())]
    found = [(name, place) for name, text in texts for place in exact if place.encode() in text]
    assert found == []
    cells = running.query("select distinct start_latitude, start_longitude from strava.fct__strava_activities")
    assert len([cell for cell in cells if cell[0] is not None]) == 1
