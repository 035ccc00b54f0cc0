"""Files with one record per line, made safe to read in bulk.

Belongs here: what a file can do to the reading of others before anyone looks at its records (bytes that are not UTF-8,
endless lines, NUL bytes, carriage returns, compression that breaks off), and the one way to read many files as lines.
Not here: what spoils a line (`line_cleaner.py`), what it must hold (`json_records.py`, `csv_shape.py`), which files are
read (`readers.py`).

DuckDB reads lines at gigabytes a second, but a single byte that is not UTF-8 fails the whole read, a NUL byte silently
cuts a line short, and a carriage return counts as a line of its own. So every file is scanned first, which costs a
tenth of a second per half gigabyte. A clean file is then read where it lies, several times. Any other is copied
without its malformed lines. Each of these leaves a blank line behind, so that line numbers stay those of the source. A
file that may still be written is copied too, so that all reads see the same lines.
"""

import codecs
import gzip
import os
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engagement_assets.extract.lines.line_cleaner import CHUNK_BYTES, JSON_LINE, LineCleaner, LineKind, MalformedLines

MAX_LINE_BYTES = 16 * 1024 * 1024
# A compressed file is decompressed to the disk before it is read. Ten million events take six gigabytes.
MAX_GZIP_BYTES = 8 * 1024**3
# Real logs shrink to a thirtieth, made-up ones to a hundredth, a repeated byte to a thousandth.
MAX_GZIP_RATIO = 200
# This much takes a tenth of a second to read and does no harm, however small the compressed file is.
_ALWAYS_DECOMPRESSED_BYTES = 64 * 1024 * 1024

# DuckDB's own limit is 2,000,000 bytes a line; longer ones need buffers that are sized for them.
_USUAL_LINE_BYTES = 1_000_000
_GLOB_CHARACTERS = frozenset("*?[")


@dataclass(frozen=True)
class SourceFile:
    """A file by its key and its local path; a path that ends with `.gz` is compressed by gzip.

    A file that is not settled may still be written.
    """

    key: str
    path: Path
    is_settled: bool = True


@dataclass(frozen=True)
class LineFile:
    """A file that DuckDB can read as it is.

    `file_id` is its place in the list it was prepared in, `key` says where it came from, `path` is where to read it.
    Its records take `record_bytes`, line feeds included; CSV headers are not records. No line has more than `longest`
    bytes. `malformed_count` lines were left out; the last one may still be written if the file `is_unfinished`.
    """

    file_id: int
    key: str
    path: str
    record_bytes: int
    malformed_count: int
    longest: int
    is_unfinished: bool = False


@dataclass(frozen=True)
class PreparedFiles:
    """Files ready for one bulk read, and the JSONL file of the malformed lines that were left out of them.

    `unreadable` says by key why other files could not be opened.
    """

    files: tuple[LineFile, ...]
    malformed_lines: Path
    unreadable: Mapping[str, str] = field(default_factory=dict)

    @property
    def paths(self) -> list[str]:
        """What to read all lines from; without files it is the file of malformed lines, which is then empty."""
        return [file.path for file in self.files] or [str(self.malformed_lines)]

    def lines_sql(self) -> str:
        """A `read_csv` call giving `line` (NULL when blank) and `filename`, for the bound parameter `$paths`."""
        longest = max((file.longest for file in self.files), default=0)
        sizes = (
            f", parallel = false, max_line_size = {longest + 1}, buffer_size = {2 * (longest + 1)}"
            if longest >= _USUAL_LINE_BYTES
            else ""
        )
        return (
            "read_csv($paths, columns = {'line': 'VARCHAR'}, delim = '', quote = '', escape = '', header = false, "
            "auto_detect = false, new_line = '\\n', strict_mode = false, compression = 'none', filename = true, "
            f"hive_partitioning = false{sizes})"
        )

    def malformed_lines_sql(self) -> str:
        """A query for the lines left out.

        It gives `file_id, position, raw_text, record_hash, reason_code, message, line_bytes`; the hash of a line of
        which not all is known is NULL.
        """
        path = str(self.malformed_lines).replace("'", "''")
        return (
            f"select * from read_json('{path}', format = 'newline_delimited', columns = {{file_id: 'BIGINT', "
            "position: 'BIGINT', raw_text: 'VARCHAR', record_hash: 'VARCHAR', reason_code: 'VARCHAR', "
            "message: 'VARCHAR', line_bytes: 'BIGINT'})"
        )


@dataclass(frozen=True)
class GzipLimits:
    """How much of a gzip file is decompressed: `max_bytes` at most.

    Beyond `always_bytes`, it may grow to at most `max_ratio` times the size of the file.
    """

    max_bytes: int = MAX_GZIP_BYTES
    max_ratio: int = MAX_GZIP_RATIO
    always_bytes: int = _ALWAYS_DECOMPRESSED_BYTES


def prepare_files(
    sources: Iterable[SourceFile],
    workdir: Path,
    max_line_bytes: int = MAX_LINE_BYTES,
    kind: LineKind = JSON_LINE,
    gzip_limits: GzipLimits = GzipLimits(),
) -> PreparedFiles:
    """Look through every file, and copy those that cannot be read where they lie.

    Args:
        sources: the files.
        workdir: an existing folder for the copies.
        max_line_bytes: longer lines are left out; no more than this of a line is ever held in memory.
        kind: what the lines are.
        gzip_limits: what a compressed file holds beyond them is left out, and counts as one line.
    """
    folder = workdir / "lines"
    folder.mkdir(parents=True, exist_ok=True)
    malformed_lines = folder / "malformed_lines.jsonl"
    files: list[LineFile] = []
    with malformed_lines.open("w", encoding="utf-8") as stream:
        for file_id, file in enumerate(sources):
            source = path = file.path
            is_copied = source.suffix == ".gz" or not file.is_settled
            longest, malformed_count = None if is_copied else _longest_line(source, max_line_bytes), 0
            is_unfinished = False
            copy = folder / f"{file_id:06d}.jsonl"
            if longest is None:
                with copy.open("wb") as out:
                    cleaner = LineCleaner(out, MalformedLines(file_id, stream), max_line_bytes, kind)
                    _clean_lines(file, cleaner, min(CHUNK_BYTES, max_line_bytes), gzip_limits)
                is_unfinished = cleaner.is_unfinished
                path, longest, malformed_count = copy, cleaner.longest, cleaner.malformed_lines.count
            elif _GLOB_CHARACTERS & set(str(source)):
                # DuckDB would take the name for a pattern and read other files.
                copy.unlink(missing_ok=True)
                copy.symlink_to(source.resolve())
                path = copy
            size = path.stat().st_size
            files.append(LineFile(file_id, file.key, os.fspath(path), size, malformed_count, longest, is_unfinished))
    return PreparedFiles(tuple(files), malformed_lines)


def _longest_line(path: Path, max_line_bytes: int) -> int | None:
    """A bound on the length of the file's lines in bytes; None if the file is not clean."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    longest = unfinished = 0
    is_between_characters = True
    with path.open("rb", buffering=0) as stream:
        # No chunk is longer than a line may be, so only a line that crosses chunks can be too long.
        while chunk := stream.read(min(CHUNK_BYTES, max_line_bytes)):
            if b"\0" in chunk or b"\r" in chunk:
                return None
            if not (is_between_characters and chunk.isascii()):
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError:
                    return None
                is_between_characters = not decoder.getstate()[0]
            first = chunk.find(b"\n")
            longest = max(longest, unfinished + (first if first >= 0 else len(chunk)), len(chunk))
            unfinished = len(chunk) - 1 - chunk.rfind(b"\n") + (unfinished if first < 0 else 0)
            if max(unfinished, longest) > max_line_bytes:
                return None
    return longest if is_between_characters else None


def _clean_lines(source: SourceFile, cleaner: LineCleaner, chunk_bytes: int, limits: GzipLimits) -> None:
    """Give a file's bytes to the cleaner, decompressed where its name ends with `.gz`."""
    with source.path.open("rb") as file:
        if source.path.suffix != ".gz":
            while chunk := file.read(chunk_bytes):
                cleaner.feed(chunk)
            cleaner.finish(is_settled=source.is_settled)
            return
        by_ratio = max(limits.always_bytes, limits.max_ratio * source.path.stat().st_size)
        left = min(limits.max_bytes, by_ratio)
        stream = gzip.GzipFile(fileobj=file)
        try:
            # read1 returns what it has before it fails, so that nothing before a cut is lost.
            while chunk := stream.read1(chunk_bytes):
                cleaner.feed(chunk[:left])
                left -= len(chunk)
                if left < 0:
                    cleaner.break_off(*_grown_too_much(limits, by_ratio, cleaner.line_count))
                    return
        except EOFError:
            message = f"expected a whole gzip file, found that it ends after {cleaner.line_count} lines"
            cleaner.break_off("gzip_cut_off", message)
        except (zlib.error, gzip.BadGzipFile) as error:
            message = f"expected a whole gzip file, found it broken after {cleaner.line_count} lines: {error}"
            cleaner.break_off("gzip_damaged", message)
        else:
            cleaner.finish()


def _grown_too_much(limits: GzipLimits, by_ratio: int, lines: int) -> tuple[str, str]:
    """A reason code and a message."""
    found = f"found more after {lines} lines; what follows them is not read: send it uncompressed or in smaller files"
    if limits.max_bytes <= by_ratio:
        return "gzip_too_large", f"expected a gzip file that grows to at most {limits.max_bytes:,} bytes, {found}"
    expected = f"expected a gzip file that grows to at most {by_ratio:,} bytes, {limits.max_ratio} times its own"
    return "gzip_ratio", f"{expected} or what any file may, {found}"
