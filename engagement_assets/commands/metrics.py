"""`make metrics`: which metrics there are.

Belongs here: the command. Not here: what a metric is (`metrics/catalog.py`), or its values (`metric.py`).
"""

import sys
from collections.abc import Sequence

from engagement_assets.commands.answer_output import status_of, terminal_width
from engagement_assets.commands.arguments import metrics_parser
from engagement_assets.commands.process import exit_process
from engagement_assets.commands.query_output import as_table, write_csv, write_json
from engagement_assets.metrics.catalog import METRICS

_COLUMNS = ("metric", "unit", "grains", "dimensions", "formula", "meaning")


def main() -> int:
    """List them; 0."""
    given = metrics_parser().parse_args()
    rows = [
        (
            metric.name,
            metric.unit,
            ", ".join(metric.table.grains),
            ", ".join(metric.table.dimensions),
            metric.formula,
            metric.meaning,
        )
        for metric in METRICS.values()
    ]

    def answer() -> None:
        if given.format == "csv":
            write_csv(_COLUMNS, [rows], sys.stdout, for_spreadsheet=given.spreadsheet)
        elif given.format == "json":
            write_json(_COLUMNS, [rows], sys.stdout)
        else:
            _print_list(rows)

    return status_of(answer)


def _print_list(rows: Sequence[tuple[str, ...]]) -> None:
    """What a metric can be asked by stands below its meaning: all columns would be wider than any terminal."""
    listed = [
        (name, unit, f"{meaning} GRAIN={grains.replace(', ', '|')} BY={by.replace(', ', ',')}".replace(" GRAIN= ", " "))
        for name, unit, grains, by, _, meaning in rows
    ]
    lines = as_table(("metric", "unit", "meaning"), ("VARCHAR",) * 3, listed, terminal_width(), wraps_last=True).lines
    print("\n".join(lines))


if __name__ == "__main__":
    exit_process(main())
