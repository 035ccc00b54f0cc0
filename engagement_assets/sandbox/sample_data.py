"""Sample landing zone: files as the sources send them, with known defects, from a seed.

Belongs here: writing the sample to disk and the command that does it. Not here: what is in the
files (one module per source beside this one).

    python -m engagement_assets.sandbox.sample_data --root DIR --start 2024-01-01 --days 35
"""

import argparse
import json
import sys
from collections.abc import Iterator
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

from engagement_assets.contracts.datasets import LINGOKIDS_EVENTS, MOBILE_EVENTS, RUNNA_ACTIVITIES
from engagement_assets.sandbox.lingokids_sample import lingokids_files
from engagement_assets.sandbox.mobile_sample import mobile_files
from engagement_assets.sandbox.runna_sample import runna_files
from engagement_assets.sandbox.sample_draws import SampleParameters
from engagement_assets.sandbox.sample_ledger import LedgerKeeper, SampleLedger

MARKER_NAME = ".sample-data.json"
# Raise it whenever the same parameters no longer give the same files.
SAMPLE_VERSION = 2
DEFAULT_SEED = 20240101


def write_sample_landing(  # noqa: PLR0913 - each one is a setting of its own
    root: Path,
    *,
    start: date,
    days: int,
    seed: int = DEFAULT_SEED,
    runna_activities_per_day: int = 40,
    lingokids_events_per_day: int = 250,
    mobile_events_per_day: int = 200,
) -> SampleLedger:
    """Write a landing zone of `days` days from `start` below `root` and say what it holds.

    The same call writes the same bytes and touches no file that has them already; a call with more
    days adds the further ones and leaves the written ones as they are.

    Raises:
        ValueError: `days` or a number per day is below 1, or `root` holds a sample of other
            parameters or of more days, or one whose marker cannot be read.
        FileExistsError: `root` holds files that are no sample data.
        NotADirectoryError: `root` is a file.
    """
    per_day = (runna_activities_per_day, lingokids_events_per_day, mobile_events_per_day)
    parameters = SampleParameters(seed, start, days, *per_day)
    if min(days, *per_day) < 1:
        raise ValueError(f"the sample needs at least one day and one record a day: {parameters}")
    _claim(root, parameters)
    keeper = LedgerKeeper()
    for key, content in _files(parameters, keeper):
        path = root / key
        if not (path.exists() and path.read_bytes() == content):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return keeper.ledger()


def _files(parameters: SampleParameters, keeper: LedgerKeeper) -> Iterator[tuple[str, bytes]]:
    return chain(runna_files(parameters, keeper), lingokids_files(parameters, keeper), mobile_files(parameters, keeper))


def _claim(root: Path, parameters: SampleParameters) -> None:
    """Put the marker into an empty or own folder, before any file, so that a killed run can go on.

    A folder of somebody else's files is refused: samples and real data must not mix.
    """
    wanted = {
        "sample_version": SAMPLE_VERSION,
        "seed": parameters.seed,
        "start": parameters.start.isoformat(),
        "runna_activities_per_day": parameters.runna_activities_per_day,
        "lingokids_events_per_day": parameters.lingokids_events_per_day,
        "mobile_events_per_day": parameters.mobile_events_per_day,
        "days": parameters.days,
    }
    if root.exists() and not root.is_dir():
        raise NotADirectoryError(f"{root} is a file; give a folder for the sample landing zone")
    root.mkdir(parents=True, exist_ok=True)
    marker = root / MARKER_NAME
    if marker.exists():
        _require_same_sample(root, _read_marker(marker), wanted)
    elif any(root.iterdir()):
        raise FileExistsError(
            f"{root} holds files and no {MARKER_NAME}, so they are no sample data; give an empty "
            "folder, the sample never mixes with other files"
        )
    marker.write_text(json.dumps(wanted, indent=4) + "\n", encoding="utf-8")


def _read_marker(marker: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(marker.read_bytes())
    except ValueError as error:
        raise ValueError(f"{marker} is not JSON ({error}); remove {marker.parent}") from error
    return found


def _require_same_sample(root: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    differing = [
        f"{name} {found.get(name)!r} there, {value!r} asked for"
        for name, value in wanted.items()
        if (found.get(name, 0) > value if name == "days" else found.get(name) != value)
    ]
    if differing:
        raise ValueError(
            f"{root} holds sample data with other parameters ({'; '.join(differing)}); remove the "
            "folder or ask for what it holds"
        )


def main(arguments: list[str]) -> int:
    """The command: write the sample, print one line about it; 2 when the folder is refused."""
    parser = argparse.ArgumentParser(prog="sample_data", description="Write a sample landing zone.")
    parser.add_argument("--root", type=Path, required=True, help="folder of the landing zone")
    parser.add_argument("--start", type=date.fromisoformat, default=date(2024, 1, 1))
    parser.add_argument("--days", type=int, default=35)
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    options = parser.parse_args(arguments)
    try:
        ledger = write_sample_landing(options.root, start=options.start, days=options.days, seed=options.seed)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"no sample data written: {error}\n")
        return 2
    sys.stdout.write(
        f"{options.root}: {options.days} days from {options.start}; "
        + "; ".join(
            f"{name} {tally.records:,} records ({tally.accepted:,} accepted, "
            f"{tally.broken_count} broken, {tally.duplicates} duplicates)"
            for name, tally in (
                ("Runna", ledger.total(RUNNA_ACTIVITIES.key)),
                ("Lingokids", ledger.total(LINGOKIDS_EVENTS.key)),
                ("Mobile", ledger.total(MOBILE_EVENTS.key)),
            )
        )
        + "\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
