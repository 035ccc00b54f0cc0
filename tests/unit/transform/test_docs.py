"""dbt's page is written when the project or the warehouse has changed, and stays as it is otherwise."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest

from engagement_assets.transform import docs
from engagement_assets.transform.docs import write_dbt_docs
from engagement_assets.transform.project import DbtProjectError


class Written:
    """Stands for dbt: each page says which one it is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.pages, self.fingerprint = 0, "version 1"
        self.warehouse, self.target = folder / "warehouse.duckdb", folder / "report" / "dbt_docs.html"
        monkeypatch.setattr(docs, "invoke_dbt", self._invoke)
        monkeypatch.setattr(docs, "manifest", lambda: {"nodes": {}})
        monkeypatch.setattr(docs, "project_fingerprint", lambda: self.fingerprint)

    def _invoke(self, _arguments: Sequence[str], _warehouse: Path, _lake: str, target: Path) -> SimpleNamespace:
        self.pages += 1
        (target / "static_index.html").write_text(f"page {self.pages}")
        return SimpleNamespace(success=True)

    def execute(self, statement: str) -> None:
        with duckdb.connect(str(self.warehouse)) as connection:
            connection.execute(statement)

    def write(self) -> str:
        write_dbt_docs(self.warehouse, "lake", self.target)
        return self.target.read_text()


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Written:
    written = Written(monkeypatch, tmp_path)
    written.execute("create table weeks as select 1 as users")
    return written


def test_the_page_stays_while_project_and_columns_are_the_same(written: Written) -> None:
    assert written.write() == "page 1"
    written.execute("insert into weeks values (2)")
    assert written.write() == "page 1"


@pytest.mark.parametrize(
    "change",
    [
        lambda written: written.execute("alter table weeks add column plays bigint"),
        lambda written: written.execute("create table days as select 1 as users"),
        lambda written: setattr(written, "fingerprint", "version 2"),
        lambda written: written.target.unlink(),
    ],
    ids=["a column", "a table", "the project", "the page is gone"],
)
def test_the_page_is_written_anew_after_a_change(written: Written, change: object) -> None:
    written.write()
    assert callable(change)
    change(written)
    assert written.write() == "page 2"


def test_a_warehouse_that_cannot_be_read_is_named(written: Written) -> None:
    written.warehouse.write_text("no database")
    with pytest.raises(DbtProjectError, match=r"could not write its docs about .*warehouse\.duckdb"):
        written.write()
