"""An erasure in training, Strava, product and mobility ends with the tables of a clean build without the person.

Belongs here: random records of two persons and more, on days of which retention has removed the first. Not here: the
area learning, loads after an erasure and kills (see `test_erasure.py`).
"""

import random
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from dbt.contracts.graph.manifest import Manifest
from hypothesis import given

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.extract.mobile import MOBILE_EVENTS
from engagement_assets.extract.strava.source import STRAVA_ACTIVITIES, STRAVA_ACTIVITY_KUDOS
from engagement_assets.extract.user_events.source import USER_EVENTS
from engagement_assets.lake.erasure import days_of, erase
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.tombstones import persons_of
from engagement_assets.privacy.policy import PrivacyPolicy
from engagement_assets.sources import RAW_DATASETS
from engagement_assets.transform.erased_rows import delete_erased_rows, forget_on_days, write_warehouse_anew
from tests.integration.build_sequences import draws, sequences
from tests.integration.runna_batches import ActivityFile, write_batch
from tests.integration.warehouse_builder import Row, WarehouseBuilder
from tests.lake_loads import load_time

pytestmark = pytest.mark.integration

Tables = Mapping[str, Sequence[Row]]

AREAS = ("training", "product", "mobility", "strava")
MODELS = " ".join(f"+path:models/marts/{area}" for area in AREAS)
DAYS = [date(2023, 12, 29) + timedelta(days=offset) for offset in range(5)]
PERSONS = ("anna", "anna", "ben", "carl")
# Who is erased of a source, by the column that names them.
ERASED: Mapping[str, Sequence[tuple[str | None, PersonalKind, str]]] = {
    "runna": [("user_id", PersonalKind.USER, "anna")],
    "user_events": [("user_id", PersonalKind.USER, "anna"), ("user_corporate_id", PersonalKind.CORPORATION, "acme")],
    "mobile": [("anonymous_id", PersonalKind.USER, "anna"), ("device_id", PersonalKind.DEVICE, "phone")],
    "strava": [(None, PersonalKind.ATHLETE, "4711")],
}
# Days alone: which of them have ever had an event in common, and how many records each had when it was read last.
DAYS_ONLY = {"int_user_events_days_linked", "int_mobile_days_changed"}


def _activities(draw: random.Random) -> list[ActivityFile]:
    """A batch; an activity, a plan or a workout may be another person's on another day."""
    return [
        ActivityFile(
            f"a{number}",
            user_id=draw.choice(PERSONS),
            workout_id=f"w{draw.randrange(3)}",
            plan_id=f"p{draw.randrange(2)}",
            laps=tuple(draw.sample((2.0, 2.5, 3.0), draw.randint(1, 3))),
            steps=tuple(draw.sample((2.0, 2.5, 3.0), draw.randint(1, 2))),
            week_of_plan=draw.randint(1, 2),
        )
        for number in draw.sample(range(5), 3)
    ]


def _rows(draw: random.Random, day: date) -> dict[Dataset, list[Row]]:
    def at(number: int) -> datetime:
        return datetime.combine(day, time(9 + number, draw.randrange(60)))

    read: Row = {"extracted_at": datetime(2024, 6, 1), "source_path": "page"}
    activities = [(number, draw.randrange(9)) for number in draw.sample(range(9), 2)]
    return {
        USER_EVENTS: [
            {
                "event_id": f"e{number}",
                "event_time": at(number),
                "server_upload_time": at(number),
                "user_id": draw.choice(PERSONS),
                "user_corporate_id": draw.choice(("acme", "other", "other")),
                "user_corporate_status": "active",
                "is_user_corporate_demo": False,
                **read,
            }
            for number in draw.sample(range(6), 4)
        ],
        MOBILE_EVENTS: [
            {
                "event_id": f"{day}-{number}",
                "anonymous_id": (person := draw.choice(PERSONS)),
                "device_id": draw.choice(("phone", person)),
                "event_name": draw.choice(("Application Opened", "Ride Started", "Ride Done")),
                # Sessions go over midnight.
                "created_at": datetime.combine(day, time(0 if number < 3 else 23, 10 * number)),
                **read,
            }
            for number in range(6)
        ],
        STRAVA_ACTIVITIES: [
            {"activity_id": number, "started_at": at(1), "sport_type": "Run", "kudos_count": kudos, **read}
            for number, kudos in activities
        ],
        STRAVA_ACTIVITY_KUDOS: [
            {"activity_id": number, "observed_on": day, "kudos_count": kudos, "started_at": at(1), **read}
            for number, kudos in activities
        ],
    }


def _tables(warehouse: WarehouseBuilder) -> Tables:
    names = warehouse.query(
        "select schema_name, table_name from duckdb_tables() where list_contains("
        f"{list(AREAS)}, schema_name) or regexp_matches(table_name, '^int_(runna|strava|user_events|mobile)_')"
    )
    return warehouse.tables([f"{schema}.{name}" for schema, name in names if name not in DAYS_ONLY])


def _different(found: Tables, expected: Tables) -> dict[str, dict[str, list[Row]]]:
    return {
        table: {
            "too many": [row for row in found[table] if row not in expected[table]],
            "missing": [row for row in expected[table] if row not in found[table]],
        }
        for table in found.keys() | expected.keys()
        if found[table] != expected[table]
    }


@sequences("ERASURE_EXAMPLES")
@given(draw=draws)
def test_every_table_is_that_of_a_clean_build_without_the_persons(manifest: Manifest, draw: random.Random) -> None:
    found, expected = _built(manifest, draw)
    of_strava = {table for table in found if "strava" in table}
    assert len(of_strava) >= 10
    # An athlete is all of Strava.
    assert {table: found[table] for table in of_strava if found[table]} == {}
    assert len(expected) >= 25
    assert _different({table: rows for table, rows in found.items() if table not in of_strava}, expected) == {}


def _built(manifest: Manifest, draw: random.Random) -> tuple[Tables, Tables]:
    """The tables after an erasure, and those of a clean build."""
    erased = {source: draw.choice(chosen) for source, chosen in ERASED.items()}
    with TemporaryDirectory() as name:
        folder = Path(name)
        warehouse, clean = (WarehouseBuilder(folder / side, manifest) for side in ("erased", "clean"))
        for day in DAYS:
            batch = _activities(draw)
            write_batch(warehouse, day, batch)
            write_batch(clean, day, [file for file in batch if file.user_id != "anna"])
            for dataset, rows in _rows(draw, day).items():
                warehouse.write_day(dataset, day, rows)
                column, _, person = erased[dataset.source]
                clean.write_day(dataset, day, [row for row in rows if column and row[column] != person])
        warehouse.build(DAYS[0], DAYS[-1] + timedelta(days=1), MODELS)
        lake = Lake(str(warehouse.lake_folder), PrivacyPolicy(erasure_key="e" * 32, erasures=folder / "erasures"))
        for dataset in (item for item in RAW_DATASETS if Path(lake.location(lake.day_key(item, DAYS[0]))).exists()):
            path = Path(lake.location(lake.day_key(dataset, DAYS[0])))
            # Runna's laps and steps stay.
            if dataset.source != "runna" or dataset.name == "activities":
                path.unlink()
                path.with_name("pruned.json").write_text("{}", encoding="utf-8")

        requests = [erase(lake, source, kind, [person], load_time(50)) for source, (_, kind, person) in erased.items()]
        for request in requests:
            persons = persons_of(lake, [request])
            assert persons
            forget_on_days(warehouse.warehouse_path, request.source, persons, DAYS[:1])
        days = [day for request in requests for found in days_of(lake, request).values() for day in found]
        first = max(min(days), DAYS[1])
        warehouse.build(first, max(days) + timedelta(days=1), MODELS, exclude="config.materialized:view")
        for request in requests:
            persons = persons_of(lake, [request])
            assert persons
            delete_erased_rows(warehouse.warehouse_path, request.source, persons)
        write_warehouse_anew(warehouse.warehouse_path)

        clean.build(DAYS[0], DAYS[-1] + timedelta(days=1), MODELS.replace(" +path:models/marts/strava", ""))
        return _tables(warehouse), _tables(clean)
