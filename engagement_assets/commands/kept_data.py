"""`make dictionary`: writes the table of what is kept, where and how long, into `docs/privacy.md`.

Belongs here: rendering the table from the defaults of the settings. Not here: the prose around it (`docs/privacy.md`),
the columns of each dataset (`data_dictionary.py`), or what removes something (`orchestration/retention.py`). A test
fails when the table is stale.
"""

from engagement_assets.commands.process import exit_process
from engagement_assets.installation import PROJECT_ROOT
from engagement_assets.kudos.versions import VERSIONS_KEPT
from engagement_assets.per_source import PerSource
from engagement_assets.settings import Settings

PRIVACY_PATH = PROJECT_ROOT / "docs" / "privacy.md"
BEGIN, END = "<!-- written by `make dictionary` -->\n", "<!-- end -->\n"


def with_table(text: str) -> str:
    """The text of `docs/privacy.md` with the table as it should be."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def table() -> str:
    """What is kept, as a Markdown table."""
    rows = [("what", "where", "personal", "how long by default"), ("---",) * 4, *_raw_rows(), *_other_rows()]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows).replace("| --- ", "|---").replace("--- |", "---|")


def _raw_rows() -> list[tuple[str, ...]]:
    days: PerSource = Settings.model_fields["raw_retention_days"].default
    names = {"of the other sources": days.default, **{f"of `{source}`": days.of(source) for source in days.by_source}}
    columns = "[the columns of each dataset](data_dictionary.md#raw-data)"
    return [
        *(
            (f"raw days {name}", "lake", columns, _days(int(kept), "raw_retention_days"))
            for name, kept in names.items()
        ),
        (
            "snapshots (Lingokids users, activities)",
            "lake",
            columns,
            "the newest version of each id, until it is replaced",
        ),
    ]


def _days(days: int, setting: str) -> str:
    name = f"`{setting.upper()}`"
    return f"{days} days ({name})" if days else f"until somebody removes it ({name}: 0)"


def _default(setting: str) -> str:
    return _days(Settings.model_fields[setting].default, setting)


def _other_rows() -> list[tuple[str, ...]]:
    return [
        (
            "activities that Strava no longer has",
            "lake, tables",
            "as the dataset",
            _default("strava_deleted_retention_days"),
        ),
        ("held days", "lake, `held/`", "as the dataset", "until the day is released or loaded again"),
        (
            "rejected records",
            "lake, `records/rejected/`",
            "[what Quarantine lists](#quarantine)",
            _default("quarantine_retention_days"),
        ),
        ("records of loads and replays", "lake, `records/`", "names of landing files", "as long as the lake"),
        (
            "tombstones",
            "lake, `records/erasures/`, and `ERASURES_PATH`",
            "keyed hashes and pseudonyms of erased persons",
            "as long as nobody may come back",
        ),
        ("days of landing files", "lake, `index/`", "names of landing files", "until the file has gone"),
        (
            "cells of seasons",
            "lake, `places/strava.json`",
            "athlete's id, cells of about 5 km",
            "with `STRAVA_PLACES=coarse` as long as the lake; else nothing",
        ),
        (
            "pages of services",
            "lake, `.pages/`; if it is in a bucket, the temporary folder of the machine that loads; private",
            "as the dataset",
            "until their load is published; one day",
        ),
        ("tables", "`WAREHOUSE_PATH`, `PUBLISHED_WAREHOUSE_PATH`", "ids of the facts", "as long as the file"),
        (
            "exported tables",
            "`EXPORT_DIR`",
            "ids of the facts",
            "until the next publication; nothing without the setting",
        ),
        (
            "model of kudos",
            "`MODELS_DIR`",
            "coefficients and errors over all activities, nobody's id",
            f"the last {VERSIONS_KEPT} versions, and the one in use",
        ),
        ("report", "`REPORT_DIR`", "counts and sums, nobody's id", "until the next one"),
        (
            "messages of alerts",
            "DAGSTER_HOME, `alerts/alerts.jsonl`",
            "keys of failing rows",
            _default("alert_retention_days"),
        ),
        ("alert store", "DAGSTER_HOME, `alerts/alerts.sqlite`", "keys of failing rows", "90 days after sending"),
        (
            "logs of steps and sensors",
            "DAGSTER_HOME, `storage/`",
            "names of landing files",
            _default("log_retention_days"),
        ),
        (
            "runs and their events",
            "DAGSTER_HOME, `history/`, or the database of `DAGSTER_STORAGE_URL`",
            "keys of failing rows, pseudonyms or masked",
            f"{_default('run_retention_days')}, longer for the last run of a day or check",
        ),
        ("token of Strava", "`STRAVA_TOKEN_PATH`, mode 600", "access to the account", "until the next one"),
        ("your files", "`LANDING_URI`", "everything", "yours: the project only reads them"),
    ]


def main() -> int:
    """Write the table."""
    PRIVACY_PATH.write_text(with_table(PRIVACY_PATH.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"wrote {PRIVACY_PATH}")
    return 0


if __name__ == "__main__":
    exit_process(main())
