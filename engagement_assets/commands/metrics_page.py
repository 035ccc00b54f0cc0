"""`make dictionary` also writes `docs/metrics.md`, from the definitions of the metrics.

Belongs here: rendering. Not here: the definitions (`metrics/`); a test fails when the file is stale.
"""

from collections.abc import Iterable

from engagement_assets.commands.process import exit_process
from engagement_assets.installation import PROJECT_ROOT
from engagement_assets.metrics.catalog import METRICS
from engagement_assets.metrics.definition import GRAINS, Metric

PAGE_PATH = PROJECT_ROOT / "docs" / "metrics.md"
HEADER = """# Metrics

Generated from `engagement_assets/metrics/` by `make dictionary`; a test fails when it is stale. The report, the data
dictionary, the assets in the UI and `make metric` take names, meanings, units and formulas from there.
[using.md](using.md#metrics) says how to ask for values.

A value is computed from sums of its parts over all rows of a period and a slice, and never from other values. Periods
are UTC days, ISO weeks named after their Monday, and months.
"""


def render() -> str:
    """The page as Markdown: a table of all metrics, and a section for each."""
    rows = [f"| [`{each.name}`](#{each.name}) | {each.title} | {each.unit} |" for each in METRICS.values()]
    table = "\n".join(["| name | title | unit |", "|---|---|---|", *rows])
    return "\n".join([HEADER, table, "", *map(_section, METRICS.values())])


def _section(metric: Metric) -> str:
    table = metric.table
    parts = [f"`{name}` = `{sql}`" for name, sql in metric.parts.items()]
    always = f"; every answer is split by {_codes(table.always_by)}" if table.always_by else ""
    grains = ", ".join(table.grains) or "none"
    rows = {
        "formula": f"`{metric.formula}`",
        "parts": ", ".join(parts),
        "unit": metric.unit,
        "counted in": table.name,
        "grains": grains if set(table.grains) == set(GRAINS) else f"{grains}: {table.limit}",
        "dimensions": f"{_codes(table.dimensions)}{always}",
        "owner": f"`{metric.owner}`",
    }
    listed = "\n".join(f"- {name}: {text}" for name, text in rows.items())
    return f"## {metric.name}\n\n{metric.title}. {metric.told}\n\n{listed}\n"


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def main() -> int:
    """Write the file."""
    PAGE_PATH.write_text(render(), encoding="utf-8")
    print(f"wrote {PAGE_PATH}")
    return 0


if __name__ == "__main__":
    exit_process(main())
