"""`make metrics`: which metrics there are.

Belongs here: the command. Not here: what a metric is (`metrics/catalog.py`), or its values (`metric.py`).
"""

import sys

from engagement_assets.commands.answer_output import status_of, terminal_width
from engagement_assets.commands.arguments import metrics_parser
from engagement_assets.commands.process import exit_process
from engagement_assets.commands.query_output import as_table, write_csv, write_json
from engagement_assets.metrics.catalog import METRICS
from engagement_assets.metrics.definition import Metric

_COLUMNS = ("metric", "title", "unit", "formula", "grains", "dimensions", "owner", "meaning", "caution")


def main() -> int:
    """List them; 0."""
    given = metrics_parser().parse_args()

    def answer() -> None:
        rows = [_row(metric) for metric in METRICS.values()]
        if given.format == "csv":
            write_csv(_COLUMNS, [rows], sys.stdout, for_spreadsheet=given.spreadsheet)
        elif given.format == "json":
            write_json(_COLUMNS, [rows], sys.stdout)
        else:
            _print_list()

    return status_of(answer)


def _row(metric: Metric) -> tuple[str, ...]:
    grains, dimensions = ", ".join(metric.table.grains), ", ".join(metric.table.dimensions)
    about = (metric.name, metric.title, metric.unit, metric.formula)
    return (*about, grains, dimensions, metric.owner, metric.meaning, metric.caution)


def _print_list() -> None:
    """What a metric can be asked by stands after its meaning: all columns would be wider than any terminal."""
    rows = []
    for metric in METRICS.values():
        grains = f" GRAIN={'|'.join(metric.table.grains)}" if metric.table.grains else ""
        rows.append((metric.name, metric.unit, f"{metric.meaning}{grains} BY={','.join(metric.table.dimensions)}"))
    table = as_table(("metric", "unit", "meaning"), ("VARCHAR",) * 3, rows, terminal_width(), wraps_last=True)
    print("\n".join(table.lines))


if __name__ == "__main__":
    exit_process(main())
