"""Loads of a lake on S3: all of a commit or nothing, also after a kill; two loads of a day never mix."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import pytest

from engagement_assets.extract.landing.files import Landing
from engagement_assets.extract.lingokids import LINGOKIDS_EVENTS
from engagement_assets.lake import object_commit
from engagement_assets.lake.claims import Register
from engagement_assets.lake.columns_of_files import make_files_alike
from engagement_assets.lake.commit import FileChange, commit, exclusive, finish_commits
from engagement_assets.lake.lake import Lake, LakeBusyError
from engagement_assets.lake.load import open_load
from engagement_assets.lake.object_commit import ClaimLostError, StagedFileMissingError
from engagement_assets.lake.object_store import ConditionalWritesError, ObjectStore
from tests.lake_loads import DAY_1, DAY_2, DAY_3, event, events, load_time, window, write
from tests.s3_server import Bucket, serving

OLD, NEW, NEWER = ({"a": f"{age} a", "b/c": f"{age} c"} for age in ("old", "new", "newer"))


BUCKET = Bucket()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(BUCKET) as found:
        yield found


@pytest.fixture
def bucket(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """An empty bucket, which the settings of AWS name."""
    for name, value in (("ENDPOINT_URL", url), ("ACCESS_KEY_ID", "id"), ("SECRET_ACCESS_KEY", "secret")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setattr(object_commit, "_LOOK_EVERY_S", 0.05)
    yield BUCKET
    vars(BUCKET).update(vars(Bucket()))


def _lake() -> Lake:
    return Lake("s3://bucket/lake")


def _commit(lake: Lake, contents: Mapping[str, str | None], days: tuple[date, date] | None = None) -> None:
    with exclusive(lake, "source", window(*days) if days else None) as staging:
        _commit_in(lake, staging, contents)


def _commit_in(lake: Lake, staging: Path, contents: Mapping[str, str | None]) -> None:
    changes = []
    for number, (key, content) in enumerate(contents.items()):
        path = staging / str(number)
        path.write_text(content or "")
        changes.append(FileChange(key, None if content is None else path))
    commit(lake, "source", changes)


def _visible(bucket: Bucket) -> dict[str, str]:
    """What a reader of the lake sees."""
    found = {name.removeprefix("bucket/lake/"): content.decode() for name, content in bucket.objects.items()}
    return {key: content for key, content in found.items() if not key.startswith(".")}


def _litter(bucket: Bucket) -> list[str]:
    """What no claim needs any more."""
    return [name for name in bucket.objects if "/.aside/" in name or "/probe-" in name]


def _owner_is_silent(bucket: Bucket) -> None:
    """From now on whoever has claimed days is taken for dead, since the store's clock goes on and no owner renews."""
    bucket.ahead_s += 120


def test_a_commit_replaces_adds_and_removes(bucket: Bucket) -> None:
    _commit(_lake(), {"a": "old", "c": "old"})
    _commit(_lake(), {"a": "new", "b/c": "new", "c": None, "never there": None})
    assert _visible(bucket) == {"a": "new", "b/c": "new"}
    assert _litter(bucket) == []
    assert json.loads(bucket.objects["bucket/lake/.claims/source.json"]) == {}


class KilledError(BaseException):
    """The process is gone."""


class DyingClient:
    """A client whose process is dead from its n-th request on that changes something: the store hears no more of it."""

    def __init__(self, lake: Lake, fatal: int) -> None:
        self.protocol, self.is_dead = lake.filesystem.protocol, False
        self._filesystem, self._left = lake.filesystem, fatal
        lake.filesystem, lake.objects = self, ObjectStore(self, lake.root)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self._left -= name in {"put_file", "rm"} or arguments[0] in {"put_object", "delete_object"}
            self.is_dead = self.is_dead or self._left <= 0
            if self.is_dead:
                raise KilledError
            return getattr(self._filesystem, name)(*arguments, **options)

        return call


def test_a_commit_that_is_killed_before_any_of_its_requests_is_whole_or_not_at_all(bucket: Bucket) -> None:
    _commit(_lake(), {**OLD, "gone": "old"})
    before = dict(bucket.objects)
    outcomes = []
    for fatal in count(1):
        bucket.objects = dict(before)
        lake = _lake()
        client = DyingClient(lake, fatal)
        with suppress(KilledError):
            _commit(lake, {**NEW, "gone": None})
        if not client.is_dead:
            break
        _owner_is_silent(bucket)
        finish_commits(_lake())
        seen = _visible(bucket)
        assert seen in ({**OLD, "gone": "old"}, NEW), f"a mixture after a kill before request {fatal}"
        outcomes.append(seen == NEW)
        _commit(_lake(), {**NEWER, "gone": None})
        assert _visible(bucket) == NEWER
        assert _litter(bucket) == [], f"after a kill before request {fatal}"
    # Before: the claim, two staged files, their journal, the claim with it. After: three steps, the claim, tidying up.
    assert outcomes == [False] * 5 + [True] * 6


def _commit_and_die(contents: Mapping[str, str | None]) -> None:
    """A commit whose owner dies when it is decided, before the first file is in place."""
    with exclusive(_lake(), "source"):
        pass
    lake = _lake()
    DyingClient(lake, len(contents) + 4)
    with suppress(KilledError):
        _commit(lake, contents)


def test_a_reader_and_the_next_load_finish_a_commit_of_the_dead_and_leave_that_of_the_living(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    _commit_and_die(NEW)
    killed = dict(bucket.objects)
    monkeypatch.setattr(object_commit, "WAIT_S", 0)
    finish_commits(_lake())
    assert _visible(bucket) == {}
    with pytest.raises(LakeBusyError, match=r"other loads of source on .* have held days of all days for 0 s"):
        _commit(_lake(), {"a": "newer a"})
    _owner_is_silent(bucket)
    finish_commits(_lake())
    assert _visible(bucket) == NEW
    bucket.objects = killed
    _commit(_lake(), {"a": "newer a"})
    assert _visible(bucket) == {**NEW, "a": "newer a"}


def test_whoever_wakes_up_after_others_have_taken_its_days_commits_nothing(bucket: Bucket) -> None:
    with exclusive(lake := _lake(), "source") as staging:
        _owner_is_silent(bucket)
        _commit(_lake(), NEWER)
        with pytest.raises(ClaimLostError, match="this load of source was silent for more than 60 s"):
            _commit_in(lake, staging, NEW)
    assert (_visible(bucket), _litter(bucket)) == (NEWER, [])


@pytest.mark.parametrize("step", [1, 2, 3])
def test_whoever_wakes_up_in_its_commit_leaves_what_others_have_committed_since(
    bucket: Bucket, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stops for long between looking whether the commit is still its own, and the write that follows."""
    _commit(_lake(), {**OLD, "c": "old c"})
    is_journal, looks = Register.is_journal, count(1)

    def slow(register: Register, token: str, journal: str) -> bool:
        found = is_journal(register, token, journal)
        if next(looks) == step:
            _owner_is_silent(bucket)
            finish_commits(_lake())
            assert _visible(bucket) == {**NEW, "c": "new c"}
            _commit(_lake(), {**NEWER, "c": "newer c"})
        return found

    monkeypatch.setattr(Register, "is_journal", slow)
    _commit(_lake(), {**NEW, "c": "new c"})
    assert (_visible(bucket), _litter(bucket)) == ({**NEWER, "c": "newer c"}, [])


def test_two_who_finish_the_same_commit_do_each_other_no_harm(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    put, is_first = ObjectStore.put, True

    def put_after_another(store: ObjectStore, key: str, content: bytes, *, replaces: str | None) -> None:
        nonlocal is_first
        if key == "a" and is_first:
            is_first = False
            put(store, key, content, replaces=replaces)
        put(store, key, content, replaces=replaces)

    monkeypatch.setattr(ObjectStore, "put", put_after_another)
    _commit(_lake(), NEW)
    assert (is_first, _visible(bucket)) == (False, NEW)


def test_loads_of_other_days_go_on_meanwhile_and_a_load_of_all_days_waits(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_commit, "WAIT_S", 0)
    with exclusive(_lake(), "source", window(DAY_1, DAY_2)):
        _commit(_lake(), {"other days": "new"}, (DAY_3, DAY_3))
        for days in ((DAY_2, DAY_3), (DAY_1, DAY_1), None):
            with pytest.raises(LakeBusyError):
                _commit(_lake(), {"these days": "new"}, days)
        with exclusive(_lake(), "another source"):
            pass
    _commit(_lake(), {"these days": "new"}, None)
    assert _visible(bucket) == {"other days": "new", "these days": "new"}


def test_a_claim_lasts_as_long_as_it_is_renewed(bucket: Bucket) -> None:
    store = _lake().objects
    assert store
    register = Register(store, "source")
    assert register.claim("one", None) == []
    for _ in range(3):
        bucket.ahead_s += 50
        assert register.renew("one")
    assert len(register.claim("two", None)) == 1
    bucket.ahead_s += 70
    assert register.claim("two", None) == []
    assert not register.renew("one")


def test_a_store_that_ignores_conditions_is_refused_before_anything_is_written(bucket: Bucket) -> None:
    bucket.honours_conditions = False
    expected = "found one that ignores If-None-Match: [*] and If-Match. .* Use a store with conditional writes"
    with pytest.raises(ConditionalWritesError, match=expected):
        _commit(_lake(), NEW)
    assert bucket.objects == {}


@pytest.mark.parametrize("answers", range(4))
def test_a_folder_whose_last_object_goes_while_it_is_read_is_none(bucket: Bucket, answers: int) -> None:
    """As that of the claims, when another host tries out on an object whether the store honours conditions."""
    reads: list[Callable[[], list[str]]] = [
        lambda: _lake().keys(".claims/*.json"),
        lambda: _lake().names_below(".claims"),
        lambda: Landing("s3://bucket/lake").names_in(".claims"),
        lambda: Landing("s3://bucket/lake").batch_names(".claims"),
    ]
    for read in reads:
        bucket.objects["bucket/lake/.claims/probe"] = b""
        asked = count()
        bucket.before = lambda *_, asked=asked: bucket.objects.clear() if next(asked) == answers else None
        assert set(read()) <= {"probe"}
        bucket.objects.clear()


def test_a_commit_whose_staged_files_somebody_has_removed_says_so(bucket: Bucket) -> None:
    _commit_and_die(NEW)
    for name in _litter(bucket):
        if not name.endswith("journal.json"):
            del bucket.objects[name]
    _owner_is_silent(bucket)
    with pytest.raises(StagedFileMissingError, match="is needed to finish a commit and is gone"):
        finish_commits(_lake())


def test_loads_of_one_day_and_of_others_at_once_lose_no_row_and_no_record(bucket: Bucket, tmp_path: Path) -> None:
    """Each load of the event log adds an event to its day, which keeps what it has."""
    loads = [("a", DAY_1, 1), ("b", DAY_1, 2), ("c", DAY_1, 3), ("d", DAY_2, 1)]
    make_files_alike(local := Lake(str(tmp_path)))
    bucket.objects |= {f"bucket/lake/{key}": (tmp_path / key).read_bytes() for key in local.keys("*/**/*.parquet")}
    failures = []

    def load(name: str, day: date, number: int) -> None:
        try:
            at = load_time(10 * number + day.day)
            with open_load(_lake(), "source", run_id=name, started_at=at, window=window(day)) as opened:
                write(opened, events(event(name, day, source_path=name)), window(day))
                opened.publish({})
        except BaseException as error:  # noqa: BLE001 - of a thread
            failures.append(error)

    threads = [threading.Thread(target=load, args=each) for each in loads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    lake = _lake()
    days = [lake.location(key) for key in lake.all_day_keys(LINGOKIDS_EVENTS)]
    with duckdb.connect() as connection:
        lake.lend_file_system(connection)
        rows = connection.execute("select event_id from read_parquet($1) order by all", [days]).fetchall()
        told = connection.execute("select run_id from read_parquet($1)", [lake.loads_files("source")]).fetchall()
    assert [name for (name,) in rows] == sorted(name for name, _, _ in loads)
    assert sorted(name for (name,) in told) == sorted(name for name, _, _ in loads)
    assert _litter(bucket) == []
