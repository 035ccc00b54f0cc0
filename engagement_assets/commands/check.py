"""`make check LANDING_URI=…`: what a load would accept and reject of a folder of files, and why. Nothing is loaded.

Belongs here: what is printed, and the exit code. Not here: the reading (`landing_reading.py`), the words of reasons
(`contracts/reasons.py`).
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePosixPath

from engagement_assets.commands.install import TELLS_EVERY_S, every_few_seconds
from engagement_assets.commands.landing_reading import DatasetVerdict, FileVerdict, FolderVerdict, read_landing
from engagement_assets.commands.process import exit_process, load_settings
from engagement_assets.contracts.extraction import UnreadPath
from engagement_assets.contracts.reasons import named
from engagement_assets.settings import Settings
from engagement_assets.shown_text import LONGEST_NAME, shown
from engagement_assets.sources import LANDING_PREFIXES

MAX_UNREAD = 20
_FORMATS = "docs/input_formats.md"


def main() -> int:
    """Run the command: 0 if a load would accept every record, 1 if not or if there is none, 2 without a folder."""
    settings = load_settings()
    print(f"Reading {settings.landing_uri}; nothing is loaded")
    try:
        with _progress() as progress:
            folders = list(read_landing(settings, progress))
    except NotADirectoryError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("\n".join(report(settings, folders)))
    return 0 if _is_fine(folders) else 1


def report(settings: Settings, folders: Sequence[FolderVerdict]) -> list[str]:
    """The lines that say what would become of the files."""
    lines = []
    for folder in folders:
        for verdict in folder.datasets:
            lines += _of_dataset(verdict)
    if never_read := sorted(path for folder in folders for path in folder.never_read):
        lines += ["", *_of_unread(never_read)]
    return [*lines, "", *_conclusion(settings, folders)]


def _of_dataset(verdict: DatasetVerdict) -> list[str]:
    if not verdict.files:
        return [f"{verdict.dataset.key}: no files in {verdict.prefix}/"]
    duplicates = f", {verdict.duplicates:,} duplicates" if verdict.duplicates else ""
    lines = [
        f"{verdict.dataset.key}: {_counted(verdict.records_read, 'record')} in {_counted(verdict.files, 'file')}: "
        f"{verdict.accepted:,} accepted, {verdict.rejected:,} rejected{duplicates}"
    ]
    # The laps of a good document say nothing that the line above does not.
    files = [file for file in verdict.worst if file.rejected or verdict.is_of_files]
    for file in files:
        lines += _of_file(file, "on line" if verdict.is_of_files else "with index")
    if verdict.others and files:
        lines.append(
            f"  … and {_counted(verdict.others, 'more file')}, {verdict.others_with_rejects:,} with rejected records"
        )
    if verdict.unknown_fields:
        fields = ", ".join(f"{name} ({records:,})" for name, records in verdict.unknown_fields)
        lines.append(f"  fields that no contract names, kept as their shapes alone: {fields}")
    return lines


def _of_file(file: FileVerdict, place: str) -> list[str]:
    lines = [f"  {shown(file.key, LONGEST_NAME)}: {file.accepted:,} accepted, {file.rejected:,} rejected"]
    for reason in file.reasons:
        where = "" if reason.position is None else f", first {place} {reason.position}"
        records = _counted(reason.records, "record")
        lines.append(f"    {records}: {named(reason.reason_code)}{where}: {shown(reason.message)}")
    if file.more_reasons:
        lines.append(f"    … and {_counted(file.more_reasons, 'more reason')}")
    return lines


def _of_unread(paths: Sequence[UnreadPath]) -> list[str]:
    lines = [f"{_counted(len(paths), 'path')} that no load reads:"]
    lines += [f"  {shown(path.key, LONGEST_NAME)}: {path.why}" for path in paths[:MAX_UNREAD]]
    return lines if len(paths) <= MAX_UNREAD else [*lines, f"  … and {len(paths) - MAX_UNREAD:,} more"]


def _conclusion(settings: Settings, folders: Sequence[FolderVerdict]) -> list[str]:
    verdicts = [verdict for folder in folders for verdict in folder.datasets]
    if not any(verdict.files for verdict in verdicts):
        own_name = PurePosixPath(settings.landing_uri).name
        meant = [prefix for prefix in LANDING_PREFIXES if own_name in prefix.split("/")]
        hint = f"; if this is {meant[0]}/, name the folder above it" if meant else ""
        folders_meant = ", ".join(f"{prefix}/" for prefix in LANDING_PREFIXES)
        return [f"NOTHING TO LOAD: expected files in {folders_meant}{hint}. {_FORMATS} describes them."]
    if rejected := sum(verdict.rejected for verdict in verdicts):
        return [f"{_counted(rejected, 'record')} would be rejected. {_FORMATS} says what each field must be."]
    if not _is_fine(folders):
        return [f"All records would be accepted, but not all files read. {_FORMATS} says where files belong."]
    return ["All records would be accepted."]


def _is_fine(folders: Sequence[FolderVerdict]) -> bool:
    verdicts = [verdict for folder in folders for verdict in folder.datasets]
    is_read = any(verdict.records_read for verdict in verdicts) and not any(folder.never_read for folder in folders)
    return is_read and not any(verdict.rejected for verdict in verdicts)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Print lines of progress; while no new one comes, say every few seconds that the last one still holds."""
    told: list[tuple[str, float]] = [("reading", time.monotonic())]

    def tell(line: str) -> None:
        told.append((line, time.monotonic()))
        print(f"  {shown(line)}", file=sys.stderr, flush=True)

    def repeat() -> None:
        line, since = told[-1]
        if (seconds := time.monotonic() - since) >= TELLS_EVERY_S:
            print(f"  still at it after {seconds:.0f} s: {shown(line)}", file=sys.stderr, flush=True)

    with every_few_seconds(repeat):
        yield tell


if __name__ == "__main__":
    exit_process(main())
