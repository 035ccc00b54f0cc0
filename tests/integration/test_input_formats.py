"""Input as docs/input_formats.md describes it: the document is up to date, and what it shows is accepted."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import msgspec
import pytest

from engagement_assets.assets.raw_assets import raw_assets
from engagement_assets.commands.input_formats import FORMATS_PATH, SERVICES, example, example_text, fields_of, render
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.extract import lingokids, mobile
from engagement_assets.extract.instants import (
    BOUND_SPELLINGS,
    INSTANT_SPELLINGS,
    NAMED_UTC_SPELLING,
)
from engagement_assets.extract.lines.csv_shape import CsvShape
from engagement_assets.extract.lines.json_records import RecordShape
from engagement_assets.extract.runna.documents import Activity
from engagement_assets.extract.runna.source import RUNNA
from engagement_assets.extract.services.records import BadValueError
from engagement_assets.installation import PROJECT_ROOT
from engagement_assets.partitions import range_tags
from engagement_assets.resources import ApiClients
from engagement_assets.settings import Settings
from tests.lake_loads import parquet_rows

pytestmark = pytest.mark.integration

DAY = date(2024, 1, 5)
SHAPES: dict[str, CsvShape | RecordShape | type[msgspec.Struct]] = {
    "mobile_events/{}.csv": mobile.EVENT,
    "lingokids/events/{}.jsonl": lingokids.EVENT,
    "lingokids/users/{}.jsonl": lingokids.USER,
    "lingokids/activities/{}.jsonl": lingokids.ACTIVITY,
    f"runna/activities/{DAY}/{{}}.json": Activity,
}


def test_the_document_is_up_to_date() -> None:
    assert FORMATS_PATH.read_text(encoding="utf-8") == render(), "docs/input_formats.md is stale; run `make dictionary`"


def test_every_field_has_a_meaning() -> None:
    shapes = [*SHAPES.values(), *(shape for shape, _ in SERVICES.values())]
    assert [field.name for shape in shapes for field in fields_of(shape) if not field.note.meaning] == []


def _loaded(landing: Path, lake: Path) -> tuple[dict[str, tuple[int, int, int]], list[Any]]:
    """Load all files of a landing zone: records read, accepted and quarantined by dataset, and checks not passed."""
    settings = Settings(_env_file=None, landing_uri=str(landing), lake_uri=str(lake), start_date=DAY, max_days_ahead=0)
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [asset for source in (RUNNA, lingokids.LINGOKIDS, mobile.MOBILE) for asset in raw_assets(source, settings)],
            instance=instance,
            resources={"settings": settings, "api_clients": ApiClients(settings)},
            tags=range_tags(DayWindow(DAY, date(2024, 1, 6))),
            raise_on_error=False,
        )
    rows = parquet_rows(
        lake, "records/loads/*/*.parquet", "source", "dataset", "records_read", "accepted", "quarantined"
    )
    counts = {f"{source}/{dataset}": counted for source, dataset, *counted in rows}
    failed = [(check.asset_key, check.check_name, check.description) for check in _failed(result)]
    return {name: (read, accepted, bad) for name, (read, accepted, bad) in counts.items()}, failed


def _failed(result: dg.ExecuteInProcessResult) -> list[Any]:
    return [check for check in result.get_asset_check_evaluations() if not check.passed]


def test_the_examples_are_loaded_whole(tmp_path: Path) -> None:
    assert _loaded(PROJECT_ROOT / "examples" / "landing", tmp_path) == (
        {
            "runna/activities": (1, 1, 0),
            "runna/activity_laps": (1, 1, 0),
            "runna/workout_steps": (1, 1, 0),
            "lingokids/events": (2, 2, 0),
            "lingokids/users": (2, 2, 0),
            "lingokids/activities": (1, 1, 0),
            "mobile/events": (2, 2, 0),
        },
        [],
    )


def test_the_records_of_the_document_are_loaded_whole(tmp_path: Path) -> None:
    """With every spelling of a time; the least and the full record have one identity, unless they are rows."""
    landing = tmp_path / "landing"
    for key, shape in SHAPES.items():
        for full in (False, True):
            path = landing / key.format(f"full={full}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(example_text(shape, full=full), encoding="utf-8")
    bounds = [{"user_id": f"u{text}", "trial_start_at": text} for text in BOUND_SPELLINGS]
    (landing / "lingokids/users/times.jsonl").write_text("\n".join(map(json.dumps, bounds)), encoding="utf-8")
    moments = [text.replace("2024-01-31", "2024-01-05") for text in (*INSTANT_SPELLINGS, NAMED_UTC_SPELLING)]
    rows = [f"u;d;Opened;{text}" for text in moments]
    header = "anonymous_id;context_device_id;event_name;created_at"
    (landing / "mobile_events/times.csv").write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    counts, failed = _loaded(landing, tmp_path / "lake")
    assert {name: bad for name, (_, _, bad) in counts.items() if bad} == {}
    assert failed == []
    assert counts["lingokids/users"] == (2 + len(bounds), 1 + len(bounds), 0)
    assert counts["mobile/events"][0] == 2 + len(moments)


@pytest.mark.parametrize("source", SERVICES)
def test_the_records_of_the_services_are_read_whole_and_need_what_is_required(source: str) -> None:
    shape, _ = SERVICES[source]
    fields = fields_of(shape)
    full, least = (example(fields, full=full) for full in (True, False))
    assert shape.read(full).extra == {}
    assert {field.name for field in fields if field.required} == set(least)
    shape.read(least)
    for name in least:
        with pytest.raises(BadValueError):
            shape.read({key: value for key, value in least.items() if key != name})
