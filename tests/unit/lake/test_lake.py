"""The lake's places, its lock, and a commit that breaks off."""

import os
import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from engagement_assets.extract.lingokids import LINGOKIDS_EVENTS, LINGOKIDS_USERS
from engagement_assets.extract.runna.source import RUNNA_ACTIVITY_LAPS
from engagement_assets.lake import commit as commit_module
from engagement_assets.lake.commit import FileChange, commit, exclusive, finish_commits
from engagement_assets.lake.lake import WHOLE_DATASET_DAY, Lake, LakeBusyError
from tests.lake_loads import DAY_1, DAY_2, files_below


def _root(lake: Lake) -> Path:
    return Path(lake.uri)


def _staged(staging: Path, name: str, content: str) -> Path:
    path = staging / name
    path.write_text(content)
    return path


def _contents(lake: Lake) -> dict[str, str]:
    return {key: (_root(lake) / key).read_text() for key in files_below(_root(lake))}


def _break_off_at_rename(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """The disk fails at a rename of a commit; the first one puts the journal in place."""
    replace, done = Path.replace, []

    def failing_replace(path: Path, target: Path) -> Path:
        done.append(path)
        if len(done) == number:
            raise OSError(28, "No space left on device", str(path))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", failing_replace)


def _commit_two_files_that_breaks_off(lake: Lake, monkeypatch: pytest.MonkeyPatch, at_rename: int) -> None:
    with exclusive(lake, "source") as staging, monkeypatch.context() as patch:
        changes = [FileChange(key, _staged(staging, key, "new")) for key in ("a", "b")]
        _break_off_at_rename(patch, at_rename)
        commit(lake, "source", [*changes, FileChange("c", None)])


def test_keys_say_source_dataset_and_day(lake: Lake) -> None:
    assert lake.day_key(RUNNA_ACTIVITY_LAPS, DAY_1) == "raw_runna/activity_laps/day=2024-03-01/data.parquet"
    assert (
        lake.quarantine_key(RUNNA_ACTIVITY_LAPS, DAY_1)
        == "records/rejected/day=2024-03-01/raw_runna.activity_laps.parquet"
    )
    assert lake.held_key("raw_runna/x") == "held/raw_runna/x"
    assert lake.loads_key("runna", DAY_2, "runna-1") == "records/loads/day=2024-03-02/runna.parquet"
    on_s3 = Lake("s3://bucket/lake").loads_key("runna", DAY_2, "runna-20240302T010203")
    assert on_s3 == "records/loads/day=2024-03-02/runna.20240302T010203.parquet"


@pytest.mark.parametrize("uri", ["{tmp_path}/it's a lake", "memory://test_quarantine_keys"])
def test_quarantine_keys_are_those_of_all_days_of_one_dataset(tmp_path: Path, uri: str) -> None:
    lake = Lake(uri.format(tmp_path=tmp_path))
    assert lake.quarantine_keys(LINGOKIDS_EVENTS) == []
    keys = [
        lake.quarantine_key(dataset, day) for dataset in (LINGOKIDS_EVENTS, LINGOKIDS_USERS) for day in (DAY_2, DAY_1)
    ]
    with exclusive(lake, "source") as staging:
        commit(lake, "source", [FileChange(key, _staged(staging, str(number), "")) for number, key in enumerate(keys)])
    assert lake.quarantine_keys(LINGOKIDS_EVENTS) == [keys[1], keys[0]]


def test_location_is_a_path_or_a_url(tmp_path: Path) -> None:
    assert Lake(f"file://{tmp_path}/lake/").location("a/b") == f"{tmp_path}/lake/a/b"
    remote = Lake("memory://bucket/lake/")
    assert (remote.is_local, remote.location("a/b")) == (False, "memory://bucket/lake/a/b")


@pytest.mark.parametrize("folder", ["source=x", "a*", "what?", "[a]"])
def test_a_path_that_readers_take_for_a_pattern_or_a_column_is_refused(tmp_path: Path, folder: str) -> None:
    with pytest.raises(ValueError, match=r"set LAKE_URI to a path without \* \? \[ ="):
        Lake(str(tmp_path / folder / "lake"))


def test_days_are_those_with_a_folder_and_nothing_else(lake: Lake) -> None:
    assert lake.days(LINGOKIDS_EVENTS) == []
    folder = _root(lake) / LINGOKIDS_EVENTS.key
    for name in (f"day={DAY_2}", f"day={DAY_1}", f"day={WHOLE_DATASET_DAY}", ".DS_Store", "notes"):
        (folder / name).mkdir(parents=True)
    assert lake.days(LINGOKIDS_EVENTS) == [DAY_1, DAY_2]


def test_exclusive_yields_an_empty_folder_that_goes(lake: Lake) -> None:
    litter = _root(lake) / ".aside" / "source" / "work" / "left by a killed load"
    litter.mkdir(parents=True)
    with exclusive(lake, "source") as staging:
        assert list(staging.iterdir()) == []
        _staged(staging, "a", "new")
    assert files_below(_root(lake)) == []


def test_a_load_that_fails_leaves_nothing_staged(lake: Lake) -> None:
    def load() -> None:
        with exclusive(lake, "source") as staging:
            _staged(staging, "a", "new")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        load()
    assert files_below(_root(lake)) == []


def test_a_second_load_of_the_same_name_waits_and_one_of_another_name_does_not(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit_module, "LOCK_WAIT_S", 0)
    with exclusive(lake, "source") as first:
        _staged(first, "a", "new")
        expected = r"another load of source has held .*source\.lock for 0 s"
        with pytest.raises(LakeBusyError, match=expected), exclusive(lake, "source"):
            pytest.fail("two loads of one name at once")
        with exclusive(lake, "other") as second:
            assert first != second
        assert (first / "a").read_text() == "new"
    with exclusive(lake, "source") as staging:
        assert list(staging.iterdir()) == []


def test_commit_replaces_adds_and_removes(lake: Lake) -> None:
    for changes in ({"a": "old", "b/c": "old"}, {"a": "new", "b/c": None, "b/d": "new", "never there": None}):
        with exclusive(lake, "source") as staging:
            files = {
                key: None if content is None else _staged(staging, str(number), content)
                for number, (key, content) in enumerate(changes.items())
            }
            commit(lake, "source", [FileChange(key, path) for key, path in files.items()])
    assert _contents(lake) == {"a": "new", "b/d": "new"}


def test_all_staged_files_are_on_disk_before_the_journal_is_in_place(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: list[list[str]] = []
    monkeypatch.setattr(os, "sync", lambda: there.append(files_below(_root(lake))))
    with exclusive(lake, "source") as staging:
        commit(lake, "source", [FileChange(key, _staged(staging, key, "new")) for key in ("a", "b")])
    assert there == [[".aside/source/a", ".aside/source/b", ".aside/source/journal.json"]]
    assert _contents(lake) == {"a": "new", "b": "new"}


def test_a_commit_that_fails_before_its_journal_changes_nothing(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="No space left"):
        _commit_two_files_that_breaks_off(lake, monkeypatch, at_rename=1)
    finish_commits(lake)
    with exclusive(lake, "source"):
        pass
    assert _contents(lake) == {}


@pytest.mark.parametrize("at_rename", [2, 3])
@pytest.mark.parametrize("finisher", ["reader", "next load"])
def test_a_commit_that_breaks_off_is_finished_by_the_next_use(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, at_rename: int, finisher: str
) -> None:
    _root(lake).mkdir()
    for name in ("a", "b", "c"):
        _staged(_root(lake), name, "old")
    with pytest.raises(OSError, match="No space left"):
        _commit_two_files_that_breaks_off(lake, monkeypatch, at_rename)
    assert sorted(set(_contents(lake).values())) != ["new"]

    finish_commits(lake) if finisher == "reader" else None
    with exclusive(lake, "source") as staging:
        assert {key: (_root(lake) / key).read_text() for key in "ab"} == {"a": "new", "b": "new"}
        assert list(staging.iterdir()) == []
    assert _contents(lake) == {"a": "new", "b": "new"}


def test_a_lake_that_has_moved_still_finishes_its_commit(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(OSError, match="No space left"):
        _commit_two_files_that_breaks_off(lake, monkeypatch, at_rename=2)
    moved = Lake(str(tmp_path / "moved"))
    shutil.move(_root(lake), _root(moved))
    finish_commits(moved)
    assert _contents(moved) == {"a": "new", "b": "new"}


def test_readers_leave_a_commit_to_its_living_owner(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="No space left"):
        _commit_two_files_that_breaks_off(lake, monkeypatch, at_rename=2)
    with FileLock(_root(lake) / ".locks" / "source.lock"):
        finish_commits(lake)
        assert not lake.exists("a")
    finish_commits(lake)
    assert lake.exists("a")


def test_finish_commits_of_a_lake_that_is_not_there_does_nothing(lake: Lake) -> None:
    finish_commits(lake)
    assert not _root(lake).exists()


def test_a_remote_commit_replaces_adds_and_removes() -> None:
    lake = Lake("memory://test_a_remote_commit")
    for changes in ({"a": "old", "c": "old"}, {"a": "new", "b/c": "new", "c": None, "never there": None}):
        with exclusive(lake, "source") as staging:
            files = {
                key: None if content is None else _staged(staging, str(number), content)
                for number, (key, content) in enumerate(changes.items())
            }
            commit(lake, "source", [FileChange(key, path) for key, path in files.items()])
    assert {key: lake.exists(key) for key in ("a", "b/c", "c")} == {"a": True, "b/c": True, "c": False}
    finish_commits(lake)
    assert lake.days(LINGOKIDS_EVENTS) == []
