"""Events, users and activities as a whole: which record wins, what is personal, what is refused."""

import json
from datetime import date
from pathlib import Path

import fsspec
import pytest

from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.extract.lines.jsonl_records import JsonlRecords
from engagement_assets.extract.lingokids import USER_FILES
from tests.unit.extract.lingokids_loads import (
    DAY,
    event,
    landing_with,
    load_events,
    load_snapshots,
    write_events,
)


def test_of_one_event_twice_in_a_file_the_text_that_sorts_last_wins(tmp_path: Path) -> None:
    root = landing_with(tmp_path, a="same_event_twice_in_a_file.jsonl")

    loaded = load_events(root, tmp_path / "w")

    assert loaded.column("duration_ms") == [2_000, 12_500]
    assert loaded.counts[DAY] == (1, 1_726, 4, 0, 2)


@pytest.mark.parametrize(("first", "second"), [("a", "b"), ("b", "a")])
def test_of_one_event_in_two_files_the_winner_does_not_hang_on_their_names(
    first: str, second: str, tmp_path: Path
) -> None:
    fixtures = {
        first: "same_event_twice_in_a_file.jsonl",
        second: "same_event_in_another_file.jsonl",
    }

    loaded = load_events(landing_with(tmp_path, **fixtures), tmp_path / "w")

    assert loaded.column("duration_ms") == [2_000, 12_500]
    # The two texts of e2 are equal: the file with the greater path is its source.
    assert loaded.column("source_path") == [f"lingokids/events/{name}.jsonl" for name in (first, "b")]
    assert loaded.counts[DAY][2:] == (6, 0, 4)


def test_one_event_id_on_two_days_is_two_events(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    write_events(root, "a.jsonl", event("e1"), event("e1", "2021-01-06 00:00:00"), event("e1", "2021-01-06"))

    loaded = load_events(root, tmp_path / "w")

    assert loaded.column("day") == [DAY, date(2021, 1, 6)]
    assert loaded.reasons() == [(3, "bad_timestamp")]


def test_every_layout_of_a_line_gives_the_same_rows(tmp_path: Path) -> None:
    """Lines in the usual layout are compared as a whole, others are judged field by field."""
    events = [event("e1"), event("e2", child_id=None), event("e3")]
    events[2]["data"]["duration"] = 7
    root = landing_with(tmp_path)
    write_events(root, "spaced.jsonl", *events)
    write_events(root, "dense.jsonl", *(json.dumps(e, separators=(",", ":")) for e in events))
    write_events(root, "sorted.jsonl", *(json.dumps(e, sort_keys=True) for e in events))
    write_events(root, "ragged.jsonl", *(json.dumps(e).replace(": ", " :  ") for e in events))
    rows = []

    for name in ("spaced", "dense", "sorted", "ragged"):
        for other in (root / "lingokids/events").iterdir():
            hidden = other.with_name(other.name.lstrip("_"))
            other.rename(hidden if hidden.stem == name else hidden.with_name(f"_{hidden.name}"))
        loaded = load_events(root, tmp_path / name)
        rows.append([row | {"source_path": ""} for row in loaded.accepted])

    assert rows[0] == rows[1] == rows[2] == rows[3]
    assert [row["duration_ms"] for row in rows[0]] == [12_500, 12_500, 7_000]


def test_a_value_that_imitates_the_layout_is_one_value(tmp_path: Path) -> None:
    imitation = 'x", "name": "y'
    root = landing_with(tmp_path)
    write_events(root, "a.jsonl", *(event(f"e{n}") for n in range(5)), event("e5", name=imitation))

    assert load_events(root, tmp_path / "w").column("event_name")[5] == imitation


@pytest.mark.parametrize("value", ["true", 1, {}, [], "1.5"])
@pytest.mark.parametrize("name", ["duration", "completed", "source"])
def test_a_value_of_the_wrong_type_is_found_among_lines_that_look_alike(
    name: str, value: object, tmp_path: Path
) -> None:
    events = [event(f"e{number}") for number in range(4)]
    events[2]["data"][name] = value
    root = landing_with(tmp_path)
    write_events(root, "a.jsonl", *events)
    # An empty list says nothing, whatever the field holds.
    is_right = (name, type(value)) in {("duration", int), ("source", str)} or value == []

    loaded = load_events(root, tmp_path / "w")

    assert loaded.reasons() == ([] if is_right else [(3, "wrong_type")])


def test_files_with_glob_characters_in_their_names_are_read_as_they_are(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    write_events(root, "part-*.jsonl", event("e1"))
    write_events(root, "part-1.jsonl", event("e2"))
    write_events(root, "day=2021-01-05/it's [1].jsonl", event("e3"))

    loaded = load_events(root, tmp_path / "w")

    assert {row["event_id"]: row["source_path"] for row in loaded.accepted} == {
        "e1": "lingokids/events/part-*.jsonl",
        "e2": "lingokids/events/part-1.jsonl",
        "e3": "lingokids/events/day=2021-01-05/it's [1].jsonl",
    }
    assert loaded.counts[DAY][2:] == (3, 0, 0)


def test_line_numbers_are_those_of_the_file(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    (root / "lingokids/events/a.jsonl").write_text("\nx\n\n  \nx", encoding="utf-8")
    write_events(root, "b.jsonl", event("e1"), event("e1"), "y", "y")
    (root / "lingokids/events/c.jsonl").write_bytes(b"\r\n\xff\r\nz\r\n\r\nz")

    loaded = load_events(root, tmp_path / "w")

    assert [(row["source_path"][-7:-6], row["position"]) for row in loaded.rejected] == [
        ("a", 2),
        ("a", 5),
        ("b", 3),
        ("b", 4),
        ("c", 2),
        ("c", 3),
        ("c", 5),
    ]


def test_a_link_out_of_the_landing_zone_is_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside.jsonl"
    outside.write_text(json.dumps(event("e1")), encoding="utf-8")
    root = landing_with(tmp_path)
    (root / "lingokids/events/2021-01-05.jsonl").symlink_to(outside)

    loaded = load_events(root, tmp_path / "w")

    assert loaded.rejected == [
        {
            "dataset": "raw_lingokids/events",
            "day": DAY,
            "source_path": "lingokids/events/2021-01-05.jsonl",
            "position": None,
            "raw_text": None,
            "record_hash": None,
            "header": None,
            "reason_code": "refused_path",
            "message": "the link leads out of the landing zone",
        }
    ]
    assert loaded.counts[DAY] == (1, 0, 1, 1, 0)


def test_a_key_that_leads_out_of_the_landing_zone_is_refused(tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    text = json.dumps(event("e1")).encode()
    memory.store.clear()
    memory.pipe("/landing/lingokids/events/a.jsonl", text)
    memory.pipe("/landing/lingokids/events/../../../b.jsonl", text)

    loaded = load_events("memory://landing", tmp_path / "w")

    assert loaded.column("source_path") == ["lingokids/events/a.jsonl"]
    assert [(row["source_path"], row["reason_code"]) for row in loaded.rejected] == [
        ("lingokids/events/../../../b.jsonl", "refused_path")
    ]


def test_a_file_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    (root / "lingokids/events").joinpath(b"caf\xe9.jsonl".decode("utf-8", "surrogateescape")).touch()

    loaded = load_events(root, tmp_path / "w")

    assert [(row["source_path"], row["message"]) for row in loaded.rejected] == [
        ("lingokids/events/caf\ufffd.jsonl", "the file name is not UTF-8")
    ]


def test_without_a_key_ids_land_as_sent(tmp_path: Path) -> None:
    root = landing_with(tmp_path, a="not_json.jsonl")

    loaded = load_events(root, tmp_path / "w")

    assert loaded.column("child_id") == ["c1", "c1"]


def test_without_files_there_is_nothing(tmp_path: Path) -> None:
    root = tmp_path / "landing"
    root.mkdir()

    events = load_events(root, tmp_path / "w")
    users = load_snapshots(USER_FILES, root)

    assert set(events.counts.values()) == {(0, 0, 0, 0, 0)}
    assert users.counts == {None: (0, 0, 0, 0, 0)}


def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = landing_with(tmp_path, a="not_json.jsonl")
    read_lines = JsonlRecords.read_lines

    def read_and_change(records: JsonlRecords, window: DayWindow | None) -> None:
        read_lines(records, window)
        write_events(root, "a.jsonl", event("e1"))

    monkeypatch.setattr(JsonlRecords, "read_lines", read_and_change)

    with pytest.raises(RuntimeError, match=r"^lingokids/events/a.jsonl: .* run this again$"):
        load_events(root, tmp_path / "w")
