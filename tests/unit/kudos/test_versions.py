"""Versions of the model of kudos: which one is in use, and what a kill leaves."""

from pathlib import Path

import pytest

from engagement_assets.kudos.versions import VERSIONS_KEPT, Versions
from tests.unit.kudos.trained_versions import GOOD, of_week


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return Versions(tmp_path / "models")


def test_without_a_version_there_is_none(versions: Versions) -> None:
    assert (versions.newest(), versions.in_use(), versions.forget()) == (None, None, 0)
    assert not versions.folder.exists()


def test_a_version_is_read_as_it_was_written(versions: Versions) -> None:
    kept = versions.keep(GOOD)
    assert kept.name.startswith("2024-01-01-")
    assert versions.newest() == versions.in_use() == kept
    assert kept.trained == GOOD
    assert versions.keep(GOOD) == kept
    assert [path.name for path in versions.folder.iterdir()] == [f"{kept.name}.json"]


@pytest.mark.parametrize("error", [2.6, 99.0])
def test_a_version_that_is_worse_than_a_baseline_leaves_the_old_one_in_use(versions: Versions, error: float) -> None:
    old = versions.keep(of_week(0))
    worse = versions.keep(of_week(1, error))
    assert (versions.newest(), versions.in_use()) == (worse, old)
    as_good = versions.keep(of_week(2, 2.5))
    assert versions.in_use() == as_good


def test_a_version_that_was_never_good_is_not_used(versions: Versions) -> None:
    worse = versions.keep(of_week(0, 9.0))
    assert (versions.newest(), versions.in_use()) == (worse, None)


def test_the_newest_versions_stay_and_the_one_in_use(versions: Versions) -> None:
    used = versions.keep(of_week(0))
    kept = [versions.keep(of_week(number, 9.0)) for number in range(1, 15)]
    names = sorted(path.stem for path in versions.folder.iterdir())
    assert names == [used.name, *(version.name for version in kept[-VERSIONS_KEPT:])]
    assert versions.in_use() == used


def test_a_kill_while_a_version_is_written_leaves_the_old_one(
    versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = versions.keep(of_week(0))

    def killed(_draft: Path, _target: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            versions.keep(of_week(1))
    assert versions.newest() == versions.in_use() == old
    assert len(list(versions.folder.iterdir())) == 2
    # Whoever comes next clears away what was left.
    new = versions.keep(of_week(1))
    assert versions.newest() == versions.in_use() == new
    assert {path.stem for path in versions.folder.iterdir()} == {old.name, new.name}


def test_all_versions_can_be_forgotten(versions: Versions) -> None:
    versions.keep(of_week(0))
    versions.keep(of_week(1))
    (versions.folder / ".2024-01-15-00000000.draft").write_bytes(b"{")
    assert versions.forget() == 3
    assert list(versions.folder.iterdir()) == []


def test_a_file_that_is_no_version_is_named(versions: Versions) -> None:
    path = versions.path(versions.keep(GOOD))
    path.write_text('{"model": 1}')
    with pytest.raises(ValueError, match=r"2024-01-01-\w+\.json, found what cannot be read"):
        versions.newest()
