"""The sample landing zone: files as the sources send them, with known defects, drawn from a seed.

Belongs here: which samples there are, and writing them to disk. Not here: what is in the files (one module per source
beside this one).
"""

import json
import pkgutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

from engagement_assets.sandbox.sample_draws import SampleParameters
from engagement_assets.sandbox.sample_ledger import LedgerKeeper, SampleLedger
from engagement_assets.sources import SOURCES

# Yields keys below the landing zone with their contents, and counts each record in the ledger.
SampleFiles = Callable[[SampleParameters, LedgerKeeper], Iterator[tuple[str, bytes]]]
SAMPLES: tuple[SampleFiles, ...] = tuple(pkgutil.resolve_name(source.sample) for source in SOURCES if source.sample)
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
    """Write a landing zone of `days` days from `start` below `root`, and return what it holds.

    The same call writes the same bytes and touches no file that already has them. A call with more days adds files
    for the new days and leaves the others as they are.

    Raises:
        ValueError: `days` or a number per day is below 1; or `root` holds a sample with other parameters or more
            days, or one whose marker cannot be read.
        FileExistsError: `root` holds files that are not sample data.
        NotADirectoryError: `root` is a file.
    """
    per_day = (runna_activities_per_day, lingokids_events_per_day, mobile_events_per_day)
    parameters = SampleParameters(seed, start, days, *per_day)
    if min(days, *per_day) < 1:
        raise ValueError(f"the sample needs at least one day and one record a day, found {parameters}")
    _claim(root, parameters)
    keeper = LedgerKeeper()
    for files in SAMPLES:
        for key, content in files(parameters, keeper):
            path = root / key
            if not (path.exists() and path.read_bytes() == content):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
    return keeper.ledger()


def _claim(root: Path, parameters: SampleParameters) -> None:
    """Put the marker into a folder that is empty or already claimed.

    The marker comes before any file, so that the next call can continue after a kill. A folder with other files is
    refused: samples and real data must not mix.
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
        raise NotADirectoryError(f"{root} is a file; the sample landing zone needs a folder")
    root.mkdir(parents=True, exist_ok=True)
    marker = root / MARKER_NAME
    if marker.exists():
        _require_same_sample(root, _read_marker(marker), wanted)
    elif any(root.iterdir()):
        raise FileExistsError(
            f"{root} holds files but no {MARKER_NAME}, so they are not sample data; give an empty folder, since "
            "samples never mix with other files"
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
        f"{name}: found {found.get(name)!r}, wanted {value!r}"
        for name, value in wanted.items()
        if (found.get(name, 0) > value if name == "days" else found.get(name) != value)
    ]
    if differing:
        raise ValueError(
            f"{root} holds a sample with other parameters ({'; '.join(differing)}); remove the folder, or use the "
            "parameters that it has"
        )
