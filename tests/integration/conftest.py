"""Fixtures that the integration tests share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from dbt.contracts.graph.manifest import Manifest
from filelock import FileLock
from playwright.sync_api import Browser, sync_playwright

from engagement_assets.report import pictures
from engagement_assets.transform import project
from tests.integration.quick_dbt import quick_dbt
from tests.integration.reports import STATES, Loaded, ReportPage, chromium, load_sources, make_report
from tests.integration.warehouse_builder import WarehouseBuilder

_DRAWN = pictures._svg


@pytest.fixture(scope="session", autouse=True)
def _dbt_does_not_do_what_nobody_reads() -> Iterator[None]:
    with quick_dbt():
        yield


@pytest.fixture(scope="module", autouse=True)
def _pictures_are_empty() -> Iterator[None]:
    """Vega draws a sixth of a run's time, for the UI; `drawn_pictures` are for tests that look at them.

    Not for the session, which goes on with unit tests.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "_svg", lambda _chart: "<svg/>")
        yield


@pytest.fixture
def drawn_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are drawn, as in production."""
    monkeypatch.setattr(pictures, "_svg", _DRAWN)


@pytest.fixture(scope="session")
def manifest() -> Manifest:
    """The dbt project as it is prepared for production: parsed whole only after a dbt file has changed."""
    project.manifest()
    parsed = project.parsed_manifest()
    assert isinstance(parsed, Manifest)
    return parsed


@pytest.fixture
def warehouse(tmp_path: Path, manifest: Manifest) -> WarehouseBuilder:
    """An empty lake with an empty warehouse."""
    return WarehouseBuilder(tmp_path / "warehouse", manifest)


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Loaded:
    """All five sources, loaded and published once for all workers, and a report; nothing may be written into it."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "loaded"
    with FileLock(folder.with_suffix(".lock")):
        warehouse, published = load_sources(folder, manifest)
    return Loaded(warehouse, published, folder / "lake", make_report(published, own / "report", states=STATES))


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    """An empty landing zone."""
    path = tmp_path / "landing"
    path.mkdir()
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium, for this module only, since Playwright keeps an event loop in the thread."""
    path = chromium()
    if path is None:
        pytest.skip("there is no Chromium to open the report in: `apt-get install chromium`, or put one on PATH")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def opened(loaded: Loaded, browser: Browser) -> ReportPage:
    return ReportPage(browser, loaded.report.path)


@pytest.fixture
def report(opened: ReportPage) -> Iterator[ReportPage]:
    """The report as it opens; whatever a test does, the browser must not complain."""
    opened.complaints.clear()
    # A test that fails may have left the page as it is printed.
    opened.page.emulate_media(media="screen", color_scheme="light")
    opened.page.set_viewport_size({"width": 1280, "height": 720})
    opened.open()
    yield opened
    assert opened.complaints == []
