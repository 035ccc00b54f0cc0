"""The landing zone: what is listed, in which order, and what must not be opened."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from engagement_assets.extract.landing.files import Landing, LandingFile

JSON = (".json",)


@pytest.fixture
def zone(tmp_path: Path) -> Path:
    folder = tmp_path / "it's a landing zone"
    folder.mkdir()
    return folder


@pytest.fixture
def remote() -> Iterator[fsspec.AbstractFileSystem]:
    filesystem = fsspec.filesystem("memory")
    filesystem.mkdirs("/test_landing", exist_ok=True)
    yield filesystem
    filesystem.rm("/test_landing", recursive=True)


def _write(path: Path, content: str = "{}") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def _keys(files: list[LandingFile]) -> list[str]:
    assert [file.refused for file in files] == [None] * len(files)
    return [file.key for file in files]


def _refusals(files: list[LandingFile]) -> dict[str, str | None]:
    return {file.key: file.refused for file in files}


def test_files_come_from_all_depths_in_order_of_their_keys(zone: Path) -> None:
    for name in ("b.json", "a/z.json", "a/b/c.json", "B.json", "a.json", "ä.json", "a'b c.json", "10.json", "9.json"):
        _write(zone / "in" / name)
    assert _keys(Landing(str(zone)).files("in", JSON)) == [
        *("in/10.json", "in/9.json", "in/B.json", "in/a'b c.json", "in/a.json"),
        *("in/a/b/c.json", "in/a/z.json", "in/b.json", "in/ä.json"),
    ]


def test_only_the_prefix_and_the_suffixes_asked_for_are_listed(zone: Path) -> None:
    for name in ("in/a.csv", "in/a.csv.gz", "in/a.json", "in/a.csv.tmp", "inner/a.csv", "a.csv"):
        _write(zone / name)
    assert _keys(Landing(str(zone)).files("in", (".csv", ".csv.gz"))) == ["in/a.csv", "in/a.csv.gz"]


def test_work_in_progress_is_left_out(zone: Path) -> None:
    for name in (".a.json", "_a.json", "_tmp/a.json", ".hidden/a.json", "b/_c/a.json", "b_.json"):
        _write(zone / "in" / name)
    assert _keys(Landing(str(zone)).files("in", JSON)) == ["in/b_.json"]


def test_size_and_version_tell_that_a_file_has_changed(zone: Path) -> None:
    path = _write(zone / "in" / "a.json", "12345")
    os.utime(path, ns=(1, 1_700_000_000_000_000_001))
    version = f"1700000000000000001 {path.stat().st_ctime_ns}"
    assert Landing(str(zone)).files("in", JSON) == [LandingFile("in/a.json", 5, version)]


def test_a_folder_that_is_not_there_holds_no_files(zone: Path) -> None:
    landing = Landing(str(zone))
    assert landing.files("runna/activities/2024-01-01", JSON) == []
    assert landing.batch_names("runna/activities") == []


def test_a_landing_zone_that_is_not_there_fails(tmp_path: Path) -> None:
    told = "set LANDING_URI to the folder that holds those of the sources, such as runna/"
    with pytest.raises(NotADirectoryError, match=told):
        Landing(str(tmp_path / "unmounted")).files("in", JSON)


def test_links_are_read_inside_the_zone_and_refused_outside_of_it(zone: Path, tmp_path: Path) -> None:
    inside = _write(zone / "elsewhere" / "inside.json", "123")
    outside = _write(tmp_path / "outside.json")
    (zone / "in").mkdir()
    (zone / "in" / "a.json").symlink_to(inside)
    (zone / "in" / "b.json").symlink_to(outside)
    (zone / "in" / "c.json").symlink_to(zone / "gone.json")
    (zone / "in" / "d.json").symlink_to("../../outside.json")
    (zone / "in" / "no suffix").symlink_to("/etc/hostname")
    (zone / "in" / "loop.json").symlink_to("loop.json")
    files = Landing(str(zone)).files("in", JSON)
    assert _refusals(files) == {
        "in/a.json": None,
        "in/b.json": "the link leads out of the landing zone",
        "in/c.json": "the link points nowhere",
        "in/d.json": "the link leads out of the landing zone",
        "in/loop.json": "the link points nowhere",
        "in/no suffix": "the link leads out of the landing zone",
    }
    assert files[0].size == 3


def test_linked_folders_are_not_entered(zone: Path, tmp_path: Path) -> None:
    _write(tmp_path / "outside" / "secret.json")
    _write(zone / "in" / "a" / "a.json")
    (zone / "in" / "out").symlink_to(tmp_path / "outside")
    (zone / "in" / "twice").symlink_to(zone / "in" / "a")
    assert _refusals(Landing(str(zone)).files("in", JSON)) == {
        "in/a/a.json": None,
        "in/out": "the link leads out of the landing zone",
        "in/twice": "the link is a folder, whose files would be read twice",
    }


@pytest.mark.parametrize("prefix", ["in/2024-01-01", "in/2024-01-01/deeper"])
def test_a_prefix_that_is_a_link_is_not_entered_either(zone: Path, tmp_path: Path, prefix: str) -> None:
    _write(tmp_path / "outside" / "deeper" / "secret.json")
    (zone / "in").mkdir()
    (zone / "in" / "2024-01-01").symlink_to(tmp_path / "outside")
    (zone / "in" / "2024-01-02").symlink_to(zone / "unmounted")
    landing = Landing(str(zone))
    assert _refusals(landing.files(prefix, JSON)) == {"in/2024-01-01": "the link leads out of the landing zone"}
    assert _refusals(landing.files("in/2024-01-02", JSON)) == {"in/2024-01-02": "the link points nowhere"}


def test_a_landing_zone_may_be_a_link_itself(zone: Path, tmp_path: Path) -> None:
    _write(zone / "in" / "a.json")
    (zone / "in" / "b.json").symlink_to(zone / "in" / "a.json")
    (tmp_path / "link").symlink_to(zone)
    assert _keys(Landing(str(tmp_path / "link")).files("in", JSON)) == ["in/a.json", "in/b.json"]


def test_a_pipe_is_refused_since_reading_it_would_never_end(zone: Path) -> None:
    (zone / "in").mkdir()
    os.mkfifo(zone / "in" / "a.json")
    (zone / "in" / "b.json").symlink_to(zone / "in" / "a.json")
    refused = "it is a pipe, a socket or a device, not a file"
    assert _refusals(Landing(str(zone)).files("in", JSON)) == {"in/a.json": refused, "in/b.json": refused}


def test_a_file_that_goes_while_it_is_listed_is_not_there(zone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.json", "b.json"):
        _write(zone / "in" / name)
    scandir = os.scandir

    def scandir_while_files_are_moved(folder: Path) -> Any:
        entries = scandir(folder)
        if Path(folder).name == "in":
            (zone / "in" / "a.json").unlink(missing_ok=True)
        return entries

    # Without a cache, entries are looked up when they are asked for.
    monkeypatch.setattr(os, "scandir", scandir_while_files_are_moved)
    assert _keys(Landing(str(zone)).files("in", JSON)) == ["in/b.json"]


def test_batch_names_are_folders_and_links_to_folders(zone: Path, tmp_path: Path) -> None:
    for name in ("2024-01-02", "2024-01-01", "tmp", ".hidden"):
        (zone / "in" / name).mkdir(parents=True)
    _write(zone / "in" / "loose.json")
    (zone / "in" / "linked").symlink_to(tmp_path)
    assert Landing(str(zone)).batch_names("in") == [".hidden", "2024-01-01", "2024-01-02", "linked", "tmp"]


def test_a_local_file_is_read_where_it_lies(zone: Path, tmp_path: Path) -> None:
    path = _write(zone / "in" / "a.json")
    landing = Landing(f"file://{zone}")
    assert landing.is_local
    assert landing.local_path(landing.files("in", JSON)[0], tmp_path / "work") == path


def test_remote_files_are_listed_like_local_ones(remote: fsspec.AbstractFileSystem) -> None:
    for name in ("in/b.json", "in/a/a.json", "in/a.txt", "in/_tmp/a.json", "in/.a.json", "inner/a.json"):
        remote.pipe(f"/test_landing/{name}", b"{}")
    landing = Landing("memory://test_landing")
    assert not landing.is_local
    assert _keys(landing.files("in", JSON)) == ["in/a/a.json", "in/b.json"]
    assert [file.size for file in landing.files("in", JSON)] == [2, 2]
    assert landing.files("missing", JSON) == []
    assert landing.batch_names("in") == ["_tmp", "a"]


def test_remote_keys_that_lead_elsewhere_are_refused(remote: fsspec.AbstractFileSystem) -> None:
    for name in ("in/../../secret.json", "in//a.json", "in/a.json"):
        remote.pipe(f"/test_landing/{name}", b"{}")
    reason = "the key holds '..' or an empty name and could lead to another file"
    assert _refusals(Landing("memory://test_landing").files("in", JSON)) == {
        "in/../../secret.json": reason,
        "in//a.json": reason,
        "in/a.json": None,
    }


def test_the_version_of_a_remote_file_changes_with_it(remote: fsspec.AbstractFileSystem) -> None:
    landing = Landing("memory://test_landing")
    versions = set()
    for content in (b"{}", b"[]"):
        remote.pipe("/test_landing/in/a.json", content)
        versions.add(landing.files("in", JSON)[0].version)
    assert len(versions) == 2


def test_a_remote_file_is_fetched_once(remote: fsspec.AbstractFileSystem, tmp_path: Path) -> None:
    remote.pipe("/test_landing/in/it's.json", b"first")
    landing = Landing("memory://test_landing")
    file = landing.files("in", JSON)[0]
    path = landing.local_path(file, tmp_path)
    remote.pipe("/test_landing/in/it's.json", b"second")
    assert landing.local_path(file, tmp_path) == path
    assert path.is_relative_to(tmp_path)
    assert path.read_bytes() == b"first"


def test_a_remote_file_is_fetched_whatever_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object's key may be longer than a file name, and may be the folder of another."""

    def get_file(_: object, source: str, target: str) -> None:
        Path(target).write_text(source, encoding="utf-8")

    monkeypatch.setattr(MemoryFileSystem, "get_file", get_file)
    keys = ["in/a.json", "in/a.json/b.json", f"in/{'k' * 300}.json.gz"]
    landing = Landing("memory://test_landing")
    paths = [landing.local_path(LandingFile(key, 1, "v"), tmp_path) for key in keys]
    assert [path.read_text(encoding="utf-8") for path in paths] == [f"/test_landing/{key}" for key in keys]
    assert [path.suffix for path in paths] == [".json", ".json", ".gz"]


def test_a_remote_landing_zone_that_is_not_there_fails() -> None:
    with pytest.raises(NotADirectoryError, match="memory://nothing_here"):
        Landing("memory://nothing_here").files("in", JSON)
