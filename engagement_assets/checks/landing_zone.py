"""Checks of the landing zone itself: files that no load reads, and files that lost what was loaded.

Belongs here: checks of files, which warn. Not here: checks of the records that were read (`standard.py`), or files that
have gone, which hold a batch (`batch_has_not_shrunk` there).
"""

from collections.abc import Collection, Sequence

from engagement_assets.checks.outcome import KEYS_SHOWN, CheckOutcome, Finding
from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.extraction import UnreadPath
from engagement_assets.contracts.load_checks import EVERY_FILE_IS_READ, FILES_HOLD_WHAT_WAS_LOADED
from engagement_assets.lake.known_records import records_not_in_their_files
from engagement_assets.lake.lake import WHOLE_DATASET_DAY
from engagement_assets.lake.load import Load
from engagement_assets.shown_text import as_markdown

_PATHS_SHOWN = 20


def every_file_is_read(dataset: Dataset, never_read: Sequence[UnreadPath]) -> CheckOutcome:
    """Every file of the source lies where a load reads it. A finding names no day, since such a file has none."""
    if not never_read:
        return CheckOutcome(EVERY_FILE_IS_READ, dataset, {}, {"never_read": 0})
    paths = sorted(never_read)
    names = "; ".join(f"{as_markdown(path.key)} ({path.why})" for path in paths[:_PATHS_SHOWN])
    more = f"; and {len(paths) - _PATHS_SHOWN:,} more" if len(paths) > _PATHS_SHOWN else ""
    finding = Finding(
        f"the landing zone has files or folders that no load reads ({len(paths):,}): {names}{more}. "
        "Rename or move what is meant to be loaded",
        EVERY_FILE_IS_READ.severity,
        observed=f"{len(paths):,} never read",
        expected="0 never read",
        keys=tuple(path.key for path in paths[:KEYS_SHOWN]),
    )
    return CheckOutcome(EVERY_FILE_IS_READ, dataset, {WHOLE_DATASET_DAY: finding}, {"never_read": len(paths)})


def files_hold_what_was_loaded(load: Load, dataset: Dataset, files_there: Collection[str]) -> CheckOutcome:
    """Landing files still have the events that were loaded from them. The event log keeps those that are missing."""
    missing = records_not_in_their_files(load, dataset, files_there)
    findings = {}
    for day, files in missing.items():
        records = sum(files.values())
        names = ", ".join(f"{as_markdown(file)} ({count:,})" for file, count in list(files.items())[:KEYS_SHOWN])
        more = f" and {len(files) - KEYS_SHOWN:,} more" if len(files) > KEYS_SHOWN else ""
        findings[day] = Finding(
            f"{records:,} {dataset.name} came from landing files that are still there and no longer hold them: "
            f"{names}{more}. They stay in the lake. Check whether the files were replaced by something else; "
            "run this day with allow_shrink if the events are meant to go",
            FILES_HOLD_WHAT_WAS_LOADED.severity,
            observed=f"{records:,} in no file",
            expected="0 in no file",
            rows=records,
            keys=tuple(files)[:KEYS_SHOWN],
        )
    figures = {"records_not_in_their_files": sum(sum(files.values()) for files in missing.values())}
    return CheckOutcome(FILES_HOLD_WHAT_WAS_LOADED, dataset, findings, figures)
