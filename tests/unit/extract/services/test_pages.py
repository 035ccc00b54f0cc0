"""Pages on disk: found again by the same run, gone for any other, whole or not at all."""

import stat
from pathlib import Path

import pytest

from engagement_assets.extract.services.pages import Page, PageStore

RECORDS: list[object] = [{"id": 1, "name": "Søndag 🎉"}, None, [], "text", 10**30, 1.5]


def test_a_page_is_found_again_by_the_same_run(tmp_path: Path) -> None:
    kept = PageStore(tmp_path / "pages", "run").keep("page-1", RECORDS)
    assert PageStore(tmp_path / "pages", "run").find("page-1") == kept == Page("page-1", RECORDS, kept.size)
    assert kept.size == (tmp_path / "pages/run/page-1.json").stat().st_size


def test_an_empty_page_is_a_page(tmp_path: Path) -> None:
    pages = PageStore(tmp_path, "run")
    assert pages.find("page-1") is None
    pages.keep("page-1", [])
    assert pages.find("page-1") == Page("page-1", [], 2)


def test_a_page_that_is_kept_again_is_replaced(tmp_path: Path) -> None:
    pages = PageStore(tmp_path, "run")
    pages.keep("page-1", [1, 2, 3])
    assert pages.keep("page-1", [4]) == pages.find("page-1") == Page("page-1", [4], 3)


def test_the_pages_of_other_runs_go(tmp_path: Path) -> None:
    PageStore(tmp_path, "first").keep("page-1", RECORDS)
    assert PageStore(tmp_path, "second").find("page-1") is None
    assert [path.name for path in tmp_path.iterdir()] == ["second"]


def test_a_file_beside_the_runs_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / ".DS_Store").write_text("a desktop's")
    assert PageStore(tmp_path, "run").keep("page-1", []).size == 2


def test_a_page_that_a_kill_cut_off_is_not_found(tmp_path: Path) -> None:
    pages = PageStore(tmp_path, "run")
    (tmp_path / "run" / ".page-1").write_text('[{"id": ')
    assert pages.find("page-1") is None
    assert pages.keep("page-1", [1]) == pages.find("page-1")


def test_a_page_that_cannot_be_kept_leaves_nothing(tmp_path: Path) -> None:
    pages = PageStore(tmp_path, "run")
    with pytest.raises(TypeError):
        pages.keep("page-1", [object()])
    assert pages.find("page-1") is None


def test_only_the_owner_reads_pages_and_nothing_stays_of_a_published_load(tmp_path: Path) -> None:
    pages = PageStore(tmp_path / "a/b", "run")
    pages.keep("page-1", RECORDS)
    assert stat.S_IMODE((tmp_path / "a/b/run").stat().st_mode) == 0o700
    pages.clear()
    assert list((tmp_path / "a/b").iterdir()) == []
