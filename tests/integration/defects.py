"""Tables of an area that are sound, defects that a build could have left in them, and what finds each defect.

Belongs here: what an area gives to `test_data_tests.py`. Not here: the areas (see `learning_defects.py` and its like).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.integration.warehouse_builder import WarehouseBuilder

# Statements that spoil the tables, and the names of the data tests that then fail or warn.
Defect = tuple[Sequence[str], Sequence[str]]


@dataclass(frozen=True)
class Area:
    """The tables of one area; `data_tests` and `unit_tests` select its dbt tests."""

    schema: str
    build: Callable[[WarehouseBuilder], None]
    data_tests: str
    defects: Mapping[str, Defect]
    unit_tests: str = ""


def tests_in(kind: str, *folders: str) -> str:
    """Selects the `unit` or `data` tests of folders of the dbt project."""
    return " ".join(f"test_type:{kind},path:{folder}" for folder in folders)
