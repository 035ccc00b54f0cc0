"""What devices write for none, and times that cannot be: NULL and counted, while the activity and its laps load."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from engagement_assets.contracts.extraction import ALL_DAYS, DayWindow, Extraction
from engagement_assets.extract.landing.files import Landing
from engagement_assets.extract.runna import extraction as runna
from engagement_assets.extract.runna.source import RUNNA_ACTIVITIES, RUNNA_ACTIVITY_LAPS

FIXTURES = Path(__file__).parents[3] / "fixtures" / "runna"
# The day on which the activity of the fixtures was run.
RUN_ON = date(2024, 2, 5)
NOT_MEASURED = ("activity_id", "lap_index", "started_at", "_extra", "source_path", "extracted_at")


class Loaded:
    """The extraction of one file, and the connection that its queries need."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, extraction: Extraction) -> None:
        self.connection = connection
        self.extraction = extraction

    def accepted(self, dataset: Any, columns: str) -> list[tuple[Any, ...]]:
        query = f"select {columns} from ({self.extraction.accepted[dataset.key]}) order by all"
        return self.connection.execute(query).fetchall()

    def placeholders(self) -> list[tuple[Any, ...]]:
        query = f"select dataset, day, field, records from ({self.extraction.placeholders}) order by all"
        return self.connection.execute(query).fetchall()

    def rejected(self) -> int:
        return len(self.connection.execute(self.extraction.rejected).fetchall())


Load = Callable[[bytes], Loaded]


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    folder = tmp_path / "landing" / "runna" / "activities" / RUN_ON.isoformat()
    folder.mkdir(parents=True)
    with duckdb.cursor() as connection:

        def load(content: bytes) -> Loaded:
            (folder / "a.json").write_bytes(content)
            window = DayWindow(RUN_ON, RUN_ON + timedelta(days=1))
            at = datetime(2024, 2, 6, tzinfo=UTC)
            zone = Landing(str(tmp_path / "landing"))
            reading = runna.BatchReading(connection, zone, window, tmp_path, ALL_DAYS, at, lambda _: None)
            return Loaded(connection, runna.extract(reading))

        yield load


def activity(**fields: Any) -> bytes:
    content = json.loads((FIXTURES / "activity.json").read_bytes())
    return json.dumps(content | fields).encode()


FIRST_LAP = datetime(2024, 2, 5, 16, 21, 53)
END_OF_NEXT_DAY_MS = int(datetime(2024, 2, 7, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("created_on", "expected", "counted"),
    [
        (None, FIRST_LAP, 0),
        ("", FIRST_LAP, 0),
        (0, FIRST_LAP, 1),
        (-1, FIRST_LAP, 1),
        (946_684_800_000 - 1, FIRST_LAP, 1),
        (946_684_800_000, datetime(2000, 1, 1), 0),
        (END_OF_NEXT_DAY_MS - 1, datetime(2024, 2, 6, 23, 59, 59, 999000), 0),
        (END_OF_NEXT_DAY_MS, FIRST_LAP, 1),
        (1_707_150_113, FIRST_LAP, 1),
        (1_707_150_113_000_000_000, FIRST_LAP, 1),
    ],
)
def test_a_creation_time_that_cannot_be_is_that_of_the_earliest_lap(
    created_on: Any, expected: datetime, counted: int, load: Load
) -> None:
    loaded = load(activity(createdOn=created_on))
    assert loaded.accepted(RUNNA_ACTIVITIES, "created_on") == [(expected,)]
    assert loaded.placeholders() == ([(RUNNA_ACTIVITIES.key, RUN_ON, "createdOn", 1)] if counted else [])
    assert loaded.rejected() == 0


@pytest.mark.parametrize("name", ["created_on_in_1989.json", "created_on_in_2100.json"])
def test_a_creation_time_of_another_time_is_that_of_the_earliest_lap(name: str, load: Load) -> None:
    loaded = load((FIXTURES / name).read_bytes())
    assert loaded.accepted(RUNNA_ACTIVITIES, "created_on") == [(FIRST_LAP,)]
    assert loaded.placeholders() == [(RUNNA_ACTIVITIES.key, RUN_ON, "createdOn", 1)]


def test_without_a_plausible_time_of_a_lap_there_is_none(load: Load) -> None:
    loaded = load(activity(createdOn=0, laps=[{"startTimestamp": 1}, {"distance": 5}]))
    assert loaded.accepted(RUNNA_ACTIVITIES, "created_on, lap_count") == [(None, 2)]
    assert loaded.placeholders() == [
        (RUNNA_ACTIVITIES.key, RUN_ON, "createdOn", 1),
        (RUNNA_ACTIVITY_LAPS.key, RUN_ON, "laps.startTimestamp", 1),
    ]


def test_the_start_of_a_lap_that_cannot_be_is_null_and_the_lap_loads(load: Load) -> None:
    content = json.loads((FIXTURES / "lap_started_at_in_seconds.json").read_bytes())
    loaded = load(json.dumps(content | {"createdOn": None}).encode())
    starts = loaded.accepted(RUNNA_ACTIVITY_LAPS, "lap_index, started_at")
    assert starts[:2] == [(0, None), (1, datetime(2024, 2, 5, 16, 33, 54, 401000))]
    assert loaded.accepted(RUNNA_ACTIVITIES, "created_on, lap_count") == [(starts[1][1], 4)]
    assert loaded.placeholders() == [(RUNNA_ACTIVITY_LAPS.key, RUN_ON, "laps.startTimestamp", 1)]
    assert loaded.rejected() == 0


def test_what_devices_write_for_none_is_null_and_counted(load: Load) -> None:
    loaded = load((FIXTURES / "lap_of_fit_placeholders.json").read_bytes())
    columns = [name for name in RUNNA_ACTIVITY_LAPS.columns if name not in NOT_MEASURED]
    laps = loaded.accepted(RUNNA_ACTIVITY_LAPS, f"lap_index, {', '.join(columns)}")
    assert laps[1] == (1, *[None] * len(columns))
    assert dict(zip(columns, laps[2][1:], strict=True)) == dict(zip(columns, laps[0][1:], strict=True)) | {
        "distance_m": None,
        "average_speed_m_per_s": None,
        "workout_template_step_index": 2,
    }
    assert None not in laps[0] + laps[3]
    fields = [
        *("averageCadence", "averageHeartRate", "averageSpeed", "distance", "elevationGain", "maxCadence"),
        *("maxElevation", "maxHeartRate", "maxSpeed", "minElevation", "minHeartRate", "movingTime", "totalTime"),
        "wktStepIndex",
    ]
    assert loaded.placeholders() == [
        (RUNNA_ACTIVITY_LAPS.key, RUN_ON, f"laps.{field}", 2 if field in ("averageSpeed", "distance") else 1)
        for field in fields
    ]


@pytest.mark.parametrize(
    ("field", "column", "value"),
    [
        ("averageSpeed", "average_speed_m_per_s", 65.5),
        ("averageSpeed", "average_speed_m_per_s", 255.0),
        ("maxHeartRate", "max_heart_rate", 254.0),
        ("maxCadence", "max_cadence", 254.0),
        ("distance", "distance_m", 65.535),
        ("distance", "distance_m", 65535.0),
        ("movingTime", "moving_time_ms", 65535),
        ("movingTime", "moving_time_ms", 4294967),
        ("maxElevation", "max_elevation_m", 255.0),
        ("wktStepIndex", "workout_template_step_index", 255),
    ],
)
def test_what_can_be_measured_stays(field: str, column: str, value: float, load: Load) -> None:
    loaded = load(activity(laps=[{field: value}]))
    assert loaded.accepted(RUNNA_ACTIVITY_LAPS, column) == [(value,)]
    assert loaded.placeholders() == []
