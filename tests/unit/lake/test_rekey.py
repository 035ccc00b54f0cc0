"""A lake is rewritten for another key, also in steps, and then is what loads under this key would have left."""

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pytest

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.extract.lingokids import LINGOKIDS_EVENTS, LINGOKIDS_USERS
from engagement_assets.extract.mobile import MOBILE_EVENTS
from engagement_assets.lake import rekey as rekey_module
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import open_load
from engagement_assets.lake.pseudonym_key import MARK, OtherPseudonymKeyError
from engagement_assets.lake.rekey import rekey
from engagement_assets.privacy.policy import PrivacyPolicy
from engagement_assets.privacy.pseudonyms import pseudonym
from tests.lake_loads import DAY_1, DAY_2, Found, Reject, parquet_rows, publish, window

OLD, NEW = "o" * 32, "n" * 32
BOTH = f"{NEW},{OLD}"
USER, CHILD, DEVICE = PersonalKind.USER, PersonalKind.CHILD, PersonalKind.DEVICE
DATASETS = (MOBILE_EVENTS, LINGOKIDS_EVENTS, LINGOKIDS_USERS)


def _policy(key: str | None, *kinds: PersonalKind, landed: bool = True) -> PrivacyPolicy:
    return PrivacyPolicy(key, frozenset(kinds or (CHILD, DEVICE)), frozenset({CHILD, DEVICE} if landed else ()))


def _loaded(folder: Path, policy: PrivacyPolicy) -> Lake:
    """A lake with two days, one of which is held, and a dataset without days; loaded once more if there is one."""
    if folder.exists() and any(folder.iterdir()):
        return _load(folder, policy)
    for name, content in _files(policy).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return Lake(str(folder), policy)


@cache
def _files(policy: PrivacyPolicy) -> Mapping[str, bytes]:
    """All files of a new lake, since five loads take a second."""
    with TemporaryDirectory() as folder:
        _load(Path(folder), policy)
        return {
            path.relative_to(folder).as_posix(): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()
        }


def _load(folder: Path, policy: PrivacyPolicy) -> Lake:
    lake = Lake(str(folder), policy)
    for number, day in enumerate((DAY_1, DAY_2)):
        held = {day: ["reconciles"]} if number else {}
        path = f"{day}.csv"
        mobile = [
            {"event_id": f"m{row}", "anonymous_id": "u1", "device_id": f"Phone-{row}", "day": day, "source_path": path}
            for row in (number, 7)
        ]
        rejects = [Reject(MOBILE_EVENTS, day, path)]
        publish(
            lake, Found({MOBILE_EVENTS: mobile}, rejects=rejects), window(day), number, name="mobile_events", held=held
        )
        event = {"event_id": "e", "user_id": "u1", "child_id": "kid", "device_id": "Phone-7", "day": day}
        found = Found({LINGOKIDS_EVENTS: [{**event, "source_path": "a.jsonl"}]})
        publish(lake, found, window(day), number, name="lingokids_events", held=held)
    users = Found({LINGOKIDS_USERS: [{"user_id": "u1", "source_path": "u.jsonl"}]})
    publish(lake, users, None, 1, name="lingokids_users")
    return lake


def _rows(lake: Lake, dataset: Dataset) -> list[tuple[object, ...]]:
    """All rows, published and held."""
    pattern = f"**/{dataset.key}/*/data.parquet"
    return parquet_rows(Path(lake.uri), pattern, "day", *dataset.columns)


def _rekeyed(lake: Lake, policy: PrivacyPolicy) -> list[str]:
    """The loads whose files were rewritten."""
    return [done.load_name for done in rekey(Lake(lake.uri, policy))]


@pytest.mark.parametrize(
    ("before", "after", "loads"),
    [
        (_policy(OLD), _policy(BOTH), ["lingokids_events", "mobile_events"]),
        (_policy(None), _policy(NEW), ["lingokids_events", "mobile_events"]),
        (_policy(None), _policy(BOTH), ["lingokids_events", "mobile_events"]),
        (_policy(OLD, DEVICE), _policy(OLD, DEVICE, CHILD), ["lingokids_events"]),
        (_policy(OLD), _policy(BOTH, CHILD, DEVICE, USER), ["lingokids_events", "lingokids_users", "mobile_events"]),
        (_policy(OLD), _policy(OLD, landed=False), ["lingokids_events"]),
        (_policy(None), _policy(None, landed=False), ["lingokids_events"]),
        (_policy(OLD), _policy(BOTH, landed=False), ["lingokids_events", "mobile_events"]),
    ],
)
def test_a_rewritten_lake_is_what_loads_under_the_new_key_leave(
    tmp_path: Path, before: PrivacyPolicy, after: PrivacyPolicy, loads: list[str]
) -> None:
    lake = _loaded(tmp_path / "rewritten", before)
    expected = _loaded(tmp_path / "loaded", after)

    assert _rekeyed(lake, after) == loads

    for dataset in DATASETS:
        assert _rows(lake, dataset) == _rows(expected, dataset)
    assert (Path(lake.uri) / MARK).read_text() == (Path(expected.uri) / MARK).read_text()
    assert _rekeyed(lake, after) == []
    with open_load(Lake(lake.uri, after), "strava", run_id="run"):
        pass


def test_days_that_are_loaded_after_a_rewriting_are_rewritten_by_the_next_one(tmp_path: Path) -> None:
    lake = _loaded(tmp_path / "a", _policy(OLD))
    _rekeyed(lake, _policy(BOTH))
    _loaded(tmp_path / "a", _policy(BOTH))
    third = _policy(f"{'3' * 32},{BOTH}")

    _rekeyed(lake, third)

    for dataset in DATASETS:
        assert _rows(lake, dataset) == _rows(_loaded(tmp_path / "b", third), dataset)


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_a_rewriting_that_was_killed_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """The steps are the first mark, the commits of three loads, and the last mark."""
    lake, after = _loaded(tmp_path / "a", _policy(OLD)), _policy(BOTH, CHILD, DEVICE, USER)
    done: list[object] = []

    def until_killed(step: Callable[..., None]) -> Callable[..., None]:
        def run(*arguments: Any) -> None:
            if len(done) == steps:
                raise KeyboardInterrupt
            done.append(step)
            step(*arguments)

        return run

    for name in ("commit", "write_mark"):
        monkeypatch.setattr(rekey_module, name, until_killed(getattr(rekey_module, name)))
    with pytest.raises(KeyboardInterrupt):
        _rekeyed(lake, after)
    monkeypatch.undo()
    with pytest.raises(OtherPseudonymKeyError, match="was interrupted"), open_load(lake, "strava", run_id="run"):
        pass
    with pytest.raises(OtherPseudonymKeyError, match="Run it with the settings of that time"):
        _rekeyed(lake, _policy(BOTH))

    # Also those that were rewritten before it was killed: the tables have followed none of them.
    assert len(_rekeyed(lake, after)) == 3

    for dataset in DATASETS:
        assert _rows(lake, dataset) == _rows(_loaded(tmp_path / "b", after), dataset)
    assert _rekeyed(lake, after) == []


@pytest.mark.parametrize(
    ("policy", "refusal"),
    [
        (_policy(NEW), "keep the old one behind the new one"),
        (_policy(f"{OLD},{NEW}"), "keep the old one behind the new one"),
        (_policy(None), "Restore PSEUDONYM_KEY. Nobody can turn"),
        (_policy(BOTH, DEVICE), "Restore PSEUDONYMIZE=child,device"),
    ],
)
def test_what_cannot_be_rewritten_is_refused_and_stays(tmp_path: Path, policy: PrivacyPolicy, refusal: str) -> None:
    lake = _loaded(tmp_path, _policy(OLD))
    before = _rows(lake, MOBILE_EVENTS)
    with pytest.raises(OtherPseudonymKeyError, match=refusal):
        _rekeyed(lake, policy)
    assert _rows(lake, MOBILE_EVENTS) == before
    _loaded(tmp_path, _policy(OLD))


def _with_rejects(lake: Lake, dataset: Dataset, **values: object) -> None:
    """A quarantined record with these values."""
    found = Found({dataset: []}, rejects=[Reject(dataset, DAY_1, "a.jsonl")])
    publish(lake, found, window(DAY_1), 9, name=dataset.load_name)
    (path,) = Path(lake.uri).glob(f"records/rejected/day={DAY_1}/{dataset.key.replace('/', '.')}.parquet")
    replaced = ", ".join(f"${name} as {name}" for name in values)
    with duckdb.connect() as connection:
        rows = f"select * replace ({replaced}) from read_parquet('{path}', hive_partitioning = false)"
        connection.execute(f"create table kept as {rows}", values)
        connection.execute(f"copy kept to '{path}'")


def _kept(lake: Lake, dataset: Dataset) -> list[tuple[Any, ...]]:
    pattern = f"records/rejected/day=*/{dataset.key.replace('/', '.')}.parquet"
    columns = ("record", "raw_text", "record_hash", "has_pseudonyms")
    return [(json.loads(record), *rest) for record, *rest in parquet_rows(Path(lake.uri), pattern, *columns)]


def test_pseudonyms_in_rejected_records_are_rewritten(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path), _policy(OLD))
    record = {"fields": {"context_device_id": pseudonym(OLD, "phone"), "anonymous_id": "u1"}, "others": []}
    _with_rejects(
        lake, MOBILE_EVENTS, record=json.dumps(record), record_hash=pseudonym(OLD, "digest"), has_pseudonyms=True
    )
    _rekeyed(lake, _policy(BOTH, USER, CHILD, DEVICE))
    hidden = {"context_device_id": pseudonym(BOTH, "phone"), "anonymous_id": pseudonym(BOTH, "u1")}
    assert _kept(lake, MOBILE_EVENTS) == [({"fields": hidden, "others": []}, None, pseudonym(BOTH, "digest"), True)]


@pytest.mark.parametrize("has_pseudonyms", [False, True])
def test_of_a_text_that_an_older_version_kept_the_fields_of_the_contract_stay(
    tmp_path: Path, has_pseudonyms: bool
) -> None:
    lake = Lake(str(tmp_path), _policy(None))
    text = '{"event_id": "e1", "child_id": "kid", "mail": "kid@example.com"}'
    _with_rejects(lake, LINGOKIDS_EVENTS, raw_text=text, record=None, record_hash=None, has_pseudonyms=has_pseudonyms)
    (tmp_path / MARK).unlink()
    _rekeyed(lake, _policy(NEW))
    fields = {"event_id": "e1", "child_id": pseudonym(NEW, "kid")}
    others = [{"name": "mail", "type": "string", "length": 15}]
    digest = pseudonym(NEW, hashlib.sha256(text.encode()).hexdigest()[:32])
    assert _kept(lake, LINGOKIDS_EVENTS) == [
        ({"fields": fields, "others": others}, None, None if has_pseudonyms else digest, True)
    ]


@pytest.mark.parametrize("key", [None, NEW])
def test_of_an_older_version_what_no_table_needs_goes_and_the_rest_is_hidden(tmp_path: Path, key: str | None) -> None:
    lake = _loaded(tmp_path, _policy(None))
    (tmp_path / MARK).unlink()
    _rekeyed(lake, _policy(key))
    children = parquet_rows(tmp_path, "**/raw_lingokids/events/*/data.parquet", "child_id", "device_id")
    assert children == [(None, None)] * 2
    phones = {"Phone-0", "Phone-1", "Phone-7"}
    expected = {pseudonym(key, phone.lower()) for phone in phones} if key else phones
    found = parquet_rows(tmp_path, "**/raw_mobile/events/*/data.parquet", "device_id")
    assert {phone for (phone,) in found} == expected
