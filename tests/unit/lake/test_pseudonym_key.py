"""A lake has one key: the first load decides, and a load under another one halts before it reads anything."""

import json
from pathlib import Path

import duckdb
import pytest

from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.extract.mobile import MOBILE_EVENTS
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import open_load
from engagement_assets.lake.pseudonym_key import MARK, Mark, OtherPseudonymKeyError, Pseudonyms, write_mark
from engagement_assets.privacy.policy import PrivacyPolicy
from engagement_assets.privacy.pseudonyms import pseudonym
from tests.lake_loads import DAY_1, DAY_2, Found, Reject, parquet_rows, publish, published, window

OLD, NEW = "o" * 32, "n" * 32
USER, CHILD, DEVICE = PersonalKind.USER, PersonalKind.CHILD, PersonalKind.DEVICE


def _load(lake: Lake, number: int = 1) -> None:
    row = {"event_id": "e1", "device_id": "phone-1", "day": DAY_1, "source_path": "a.csv"}
    reject = Reject(MOBILE_EVENTS, DAY_1, "a.csv", number)
    publish(lake, Found({MOBILE_EVENTS: [row]}, rejects=[reject]), window(DAY_1), number, name="mobile_events")


def _lake(folder: Path, key: str | None, *kinds: PersonalKind) -> Lake:
    return Lake(str(folder), PrivacyPolicy(key, frozenset(kinds or (CHILD, DEVICE))))


def _refusal(lake: Lake) -> str:
    """What a load says that halts; it stages nothing."""
    with pytest.raises(OtherPseudonymKeyError) as refusal, open_load(lake, "strava", run_id="run"):
        pytest.fail("the load began")
    return str(refusal.value)


@pytest.mark.parametrize("key", [None, OLD, f"{NEW},{OLD}"])
def test_loads_under_the_same_key_go_on(tmp_path: Path, key: str | None) -> None:
    _load(_lake(tmp_path, key), 1)
    _load(_lake(tmp_path, key), 2)

    phone = pseudonym(key, "phone-1") if key else "phone-1"
    assert published(_lake(tmp_path, key), MOBILE_EVENTS, "device_id") == [(DAY_1, phone)]
    fingerprint = PrivacyPolicy(key).key_fingerprint
    records = parquet_rows(tmp_path, "records/loads/*/mobile_events.parquet", "pseudonym_key_fingerprint")
    assert records == [(fingerprint,)] * 2


@pytest.mark.parametrize(
    ("first", "then", "what_to_do"),
    [
        ((OLD,), (NEW,), "Restore PSEUDONYM_KEY; or, to change the key, keep the old one behind the new one"),
        ((OLD,), (f"{NEW},{OLD}",), "Run `make rekey`, which rewrites the lake"),
        ((f"{NEW},{OLD}",), (NEW,), "Restore PSEUDONYM_KEY; or"),
        ((OLD,), (None,), "Restore PSEUDONYM_KEY. Nobody can turn pseudonyms back into ids"),
        ((None,), (NEW,), "Run `make rekey`"),
        ((OLD,), (OLD, CHILD, DEVICE, USER), "Run `make rekey`"),
        ((OLD,), (OLD, DEVICE), "Restore PSEUDONYMIZE=child,device. Nobody"),
    ],
)
def test_a_load_under_another_key_halts_with_a_sentence(
    tmp_path: Path, first: tuple[str | None], then: tuple[str | None], what_to_do: str
) -> None:
    _load(_lake(tmp_path, *first))
    other = _lake(tmp_path, *then)

    refusal = _refusal(other)

    assert what_to_do in refusal
    found, brought = Pseudonyms.under(_lake(tmp_path, *first).policy), Pseudonyms.under(other.policy)
    assert f"{tmp_path} holds {found}, and this load would bring {brought}; expected the same" in refusal
    assert OLD not in refusal
    assert NEW not in refusal


def test_kinds_mean_nothing_without_a_key(tmp_path: Path) -> None:
    _load(_lake(tmp_path, None, USER), 1)
    _load(_lake(tmp_path, None, DEVICE), 2)


def test_no_load_runs_while_the_lake_gets_another_key(tmp_path: Path) -> None:
    lake = _lake(tmp_path, OLD)
    _load(lake)
    own = Pseudonyms.under(lake.policy)
    write_mark(lake, Mark(own, becomes=Pseudonyms.under(_lake(tmp_path, f"{NEW},{OLD}").policy)))
    assert "`make rekey` is at work or was interrupted" in _refusal(lake)


def _forget_the_mark(lake: Lake, *, has_pseudonyms: bool) -> None:
    """Make the lake one of an older version."""
    (Path(lake.uri) / MARK).unlink()
    with duckdb.connect() as connection:
        for path in Path(lake.uri).glob("records/rejected/day=2*/*.parquet"):
            columns = f"* replace ({has_pseudonyms} as has_pseudonyms)"
            rows = f"read_parquet('{path}', hive_partitioning = false)"
            connection.execute(f"create or replace table kept as select {columns} from {rows}")
            connection.execute(f"copy kept to '{path}'")


def test_a_lake_of_an_older_version_in_clear_goes_on_in_clear(tmp_path: Path) -> None:
    lake = _lake(tmp_path, None)
    _load(lake)
    _forget_the_mark(lake, has_pseudonyms=False)
    _load(lake, 2)
    assert json.loads((tmp_path / MARK).read_text()) == {"now": {"key_fingerprint": None, "kinds": []}, "becomes": None}


@pytest.mark.parametrize(
    ("key", "refusal"),
    [(NEW, "holds what an earlier version loaded"), (None, "holds pseudonyms that an earlier version made")],
)
def test_a_lake_in_which_an_older_version_hid_ids_is_rewritten_first(
    tmp_path: Path, key: str | None, refusal: str
) -> None:
    _load(_lake(tmp_path, None))
    lake = _lake(tmp_path, key)
    _forget_the_mark(lake, has_pseudonyms=True)
    assert refusal in _refusal(lake)
    assert not (tmp_path / MARK).exists()


def test_a_lake_without_rows_takes_any_key(tmp_path: Path) -> None:
    with open_load(_lake(tmp_path, None), "strava", run_id="run"):
        pass
    (tmp_path / MARK).unlink()
    _load(_lake(tmp_path, NEW))


def test_a_lake_elsewhere_has_a_mark_too(tmp_path: Path) -> None:
    uri = f"memory://{tmp_path.name}"
    found = Found({MOBILE_EVENTS: [{"event_id": "e1", "day": DAY_2, "source_path": "a.csv"}]})
    publish(Lake(uri, PrivacyPolicy(OLD)), found, window(DAY_2), 1)
    publish(Lake(uri, PrivacyPolicy(OLD)), found, window(DAY_2), 2)
    assert "Restore PSEUDONYM_KEY" in _refusal(Lake(uri, PrivacyPolicy(NEW)))
