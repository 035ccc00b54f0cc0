"""Users and activities: the last snapshot wins, lists are counted, and what says nothing is NULL."""

from datetime import datetime
from pathlib import Path

import pytest

from engagement_assets.extract.lingokids import ACTIVITY_FILES, USER_FILES
from tests.unit.extract.lingokids_loads import (
    FIXTURES,
    load_snapshots,
)


def landing_of_snapshots(tmp_path: Path, folder: str, **texts: str) -> Path:
    root = tmp_path / "landing"
    (root / "lingokids" / folder).mkdir(parents=True)
    for name, text in texts.items():
        (root / "lingokids" / folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return root


def test_the_last_snapshot_wins_per_user(tmp_path: Path) -> None:
    root = landing_of_snapshots(
        tmp_path,
        "users",
        a='{"user_id": "u1", "country_code": "zz"}\n{"user_id": "u2", "country_code": "fr"}\n',
        b='{"user_id": "u1", "country_code": "de"}\n{"user_id": "u1", "country_code": "at"}\n',
    )

    loaded = load_snapshots(USER_FILES, root)

    assert [(row["user_id"], row["country_code"]) for row in loaded.accepted] == [
        ("u1", "de"),
        ("u2", "fr"),
    ]
    assert loaded.counts[None][2:] == (4, 0, 2)


def test_users_have_a_number_of_children_and_no_child(tmp_path: Path) -> None:
    text = (FIXTURES / "users_with_bad_values.jsonl").read_text(encoding="utf-8")
    root = landing_of_snapshots(tmp_path, "users", a=text)

    loaded = load_snapshots(USER_FILES, root)

    assert [(row["user_id"], row["children_count"], row["_extra"]) for row in loaded.accepted] == [
        ("u1", 2, None),
        ("u2", 0, None),
        ("u6", None, '{"plan":"gold"}'),
    ]
    assert loaded.accepted[0]["trial_start_at"] == datetime(2021, 1, 1, 0, 0, 1, 500_000)
    assert loaded.rejections() == [
        (
            3,
            "bad_timestamp",
            "trial_end_at: expected a date or a time such as 2021-01-31 23:59:59.123, found a text of 4 characters",
        ),
        (4, "wrong_type", "children_ids: expected a list, found a text"),
        (5, "missing_user_id", "user_id: expected a text, found nothing"),
    ]
    assert not any(f'"c{number}"' in str(loaded.accepted) for number in range(1, 6))
    assert loaded.unknown_fields == [(None, "plan", 1)]


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        *(("[]", 0), ('["c"]', 1), ('["c","d"]', 2), ('["c", "d"]', 2), ('[["c"]]', 1), ('["[c"]', 1), ("null", None)),
        *((value, "wrong_type") for value in ('"[]"', "1", "{}")),
        *(('["c",]', "not_json"), ('["c"', "not_json")),
        # With the record, 128 levels and 129; then brackets, but no levels.
        *(("[" * levels + "]" * levels, outcome) for levels, outcome in ((127, 1), (128, "nesting_too_deep"))),
        *(("[" + ",".join(["[{}]"] * 200) + "]", 200), ('["' + '[{\\"' * 200 + '"]', 1)),
    ],
)
def test_a_list_is_counted_among_lines_that_look_alike(value: str, outcome: object, tmp_path: Path) -> None:
    lines = [f'{{"user_id":"u{number}","children_ids":{value if number == 2 else ["c"]}}}' for number in range(1, 5)]
    root = landing_of_snapshots(tmp_path, "users", a="\n".join(lines).replace("'", '"'))

    loaded = load_snapshots(USER_FILES, root)

    is_right = not isinstance(outcome, str)
    counts = {"u1": 1, **({"u2": outcome} if is_right else {}), "u3": 1, "u4": 1}
    assert {row["user_id"]: row["children_count"] for row in loaded.accepted} == counts
    assert loaded.reasons() == ([] if is_right else [(2, outcome)])


USER_TIMES = ("registration_at", "trial_start_at", "trial_end_at", "subscription_start_at", "subscription_expire_at")


def test_values_of_users_that_say_nothing_are_null(tmp_path: Path) -> None:
    text = (FIXTURES / "users_with_values_that_say_nothing.jsonl").read_text(encoding="utf-8")
    root = landing_of_snapshots(tmp_path, "users", a=text)

    loaded = load_snapshots(USER_FILES, root)

    assert [(row["user_id"], row["children_count"], row["country_code"]) for row in loaded.accepted] == [
        ("u1", None, None),
        # A list of children is meant, also an empty one.
        ("u2", 0, None),
    ]
    assert [loaded.accepted[0][name] for name in USER_TIMES] == [None, datetime(2021, 1, 1), None, None, None]
    assert loaded.rejections() == [(3, "missing_user_id", "user_id: expected a text, found an empty one")]


def test_open_ends_are_times_of_a_user(tmp_path: Path) -> None:
    text = (FIXTURES / "users_with_open_ends.jsonl").read_text(encoding="utf-8")
    root = landing_of_snapshots(tmp_path, "users", a=text)

    loaded = load_snapshots(USER_FILES, root)

    latest = datetime(9999, 12, 31, 23, 59, 59, 999_999)
    assert {row["user_id"]: [row[name] for name in USER_TIMES] for row in loaded.accepted} == {
        "u1": [datetime(1, 1, 1), None, None, datetime(2021, 1, 1), datetime(9999, 12, 31)],
        "u2": [datetime(1, 1, 1), datetime(1, 1, 1), latest, datetime(3000, 1, 1), latest],
    }
    assert loaded.reasons() == [(3, "bad_timestamp"), (4, "bad_timestamp"), (5, "bad_timestamp")]


def test_activity_names_stay_as_sent(tmp_path: Path) -> None:
    text = (FIXTURES / "activities_with_null_and_empty_names.jsonl").read_text(encoding="utf-8")
    root = landing_of_snapshots(tmp_path, "activities", a=text)

    loaded = load_snapshots(ACTIVITY_FILES, root)

    columns = ("activity_id", "activity_name", "activity_type", "activity_subtype")
    assert [tuple(row[name] for name in columns) for row in loaded.accepted] == [
        ("a1", None, "game", None),
        ("a2", None, "video", "song"),
        ("a3", None, None, None),
    ]
    assert loaded.reasons() == [(4, "missing_activity_id")]
