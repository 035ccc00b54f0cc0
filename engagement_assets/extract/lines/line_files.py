"""Files with one record per line, made safe to read in bulk.

Belongs here: what a file can do to the reading of others before anyone looks at its records (bytes that are not UTF-8,
endless lines, NUL bytes, carriage returns, compression that breaks off), and the one way to read many files as lines.
Not here: what a line must hold (`json_records.py`, `csv_shape.py`), or which files are read (`readers.py`).

DuckDB reads lines at gigabytes a second, but a single byte that is not UTF-8 fails the whole read, a NUL byte silently
cuts a line short, and a carriage return counts as a line of its own. So every file is scanned first, which costs a
tenth of a second per half gigabyte. A clean file is then read where it lies, several times. Any other is copied
without its malformed lines. Each of these leaves a blank line behind, so that line numbers stay those of the source. A
file that may still be written is copied too, so that all reads see the same lines.
"""

import codecs
import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

MAX_LINE_BYTES = 16 * 1024 * 1024
MAX_RAW_TEXT = 64 * 1024
# A compressed file is decompressed to the disk before it is read. Ten million events take six gigabytes.
MAX_GZIP_BYTES = 8 * 1024**3
# Real logs shrink to a thirtieth, made-up ones to a hundredth, a repeated byte to a thousandth.
MAX_GZIP_RATIO = 200
# This much takes a tenth of a second to read and does no harm, however small the compressed file is.
_ALWAYS_DECOMPRESSED_BYTES = 64 * 1024 * 1024

_CHUNK_BYTES = 256 * 1024
# DuckDB's own limit is 2,000,000 bytes a line; longer ones need buffers that are sized for them.
_USUAL_LINE_BYTES = 1_000_000
_GLOB_CHARACTERS = frozenset("*?[")


@dataclass(frozen=True)
class LineKind:
    """What a line is, in the words of a message, and what becomes of bytes that would spoil it.

    `nul_reason` is the reason code for a NUL byte. A carriage return within a line becomes a space if it is white space
    between values; otherwise the line is left out.
    """

    expected: str
    nul_reason: str
    carriage_return_is_space: bool


JSON_LINE = LineKind("a JSON object", "not_json", carriage_return_is_space=True)
CSV_LINE = LineKind("a row of text", "nul_byte", carriage_return_is_space=False)


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
    bytes. `malformed_count` lines were left out.
    """

    file_id: int
    key: str
    path: str
    record_bytes: int
    malformed_count: int
    longest: int


@dataclass(frozen=True)
class PreparedFiles:
    """Files ready for one bulk read, and the JSONL file of the malformed lines that were left out of them."""

    files: tuple[LineFile, ...]
    malformed_lines: Path

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
            copy = folder / f"{file_id:06d}.jsonl"
            if longest is None:
                with copy.open("wb") as out:
                    cleaner = _LineCleaner(out, _MalformedLines(file_id, stream), max_line_bytes, kind)
                    _clean_lines(source, cleaner, min(_CHUNK_BYTES, max_line_bytes), gzip_limits)
                path, longest, malformed_count = copy, cleaner.longest, cleaner.malformed_lines.count
            elif _GLOB_CHARACTERS & set(str(source)):
                # DuckDB would take the name for a pattern and read other files.
                copy.unlink(missing_ok=True)
                copy.symlink_to(source.resolve())
                path = copy
            files.append(LineFile(file_id, file.key, os.fspath(path), path.stat().st_size, malformed_count, longest))
    return PreparedFiles(tuple(files), malformed_lines)


def _longest_line(path: Path, max_line_bytes: int) -> int | None:
    """A bound on the length of the file's lines in bytes; None if the file is not clean."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    longest = unfinished = 0
    is_between_characters = True
    with path.open("rb", buffering=0) as stream:
        # No chunk is longer than a line may be, so only a line that crosses chunks can be too long.
        while chunk := stream.read(min(_CHUNK_BYTES, max_line_bytes)):
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


class _MalformedLines:
    """Writes malformed lines to a JSONL file, so that their number needs no memory."""

    def __init__(self, file_id: int, stream: IO[str]) -> None:
        self._file_id = file_id
        self._stream = stream
        self.count = 0

    def add(self, position: int, head: bytes, line_bytes: int, reason_code: str, message: str) -> None:
        record: dict[str, Any] = {
            "file_id": self._file_id,
            "position": position,
            "raw_text": head[:MAX_RAW_TEXT].decode("utf-8", errors="replace"),
            "record_hash": hashlib.sha256(head).hexdigest() if len(head) == line_bytes else None,
            "reason_code": reason_code,
            "message": message,
            "line_bytes": line_bytes,
        }
        self._stream.write(json.dumps(record) + "\n")
        self.count += 1


class _LineCleaner:
    """Takes a file's bytes in portions, and writes its clean lines, each at its own line number."""

    def __init__(self, out: IO[bytes], malformed_lines: _MalformedLines, max_line_bytes: int, kind: LineKind) -> None:
        self._out = out
        self.malformed_lines = malformed_lines
        self._max_line_bytes = max_line_bytes
        self._kind = kind
        self._carry = b""
        self._dropped_bytes = 0
        self.line_count = 0
        self.longest = 0

    def feed(self, chunk: bytes) -> None:
        """Take the next portion, which must not be longer than a line may be."""
        block = self._carry + chunk
        end = block.rfind(b"\n") + 1
        if end:
            self._write_lines(block[:end])
        self._carry = block[end:]
        if self._dropped_bytes or len(self._carry) > self._max_line_bytes:
            # The beginning shows which line it is; the rest is only counted.
            head = self._carry[:MAX_RAW_TEXT]
            self._dropped_bytes += len(self._carry) - len(head)
            self._carry = head

    def finish(self) -> None:
        """Take the end of the file: what follows the last line feed is a line too."""
        if self._carry:
            self._write_lines(self._carry + b"\n")

    def break_off(self, reason_code: str, message: str) -> None:
        """Take the end of what can be decompressed: the line that it cuts and all that follows are lost."""
        self._reject(self._carry, reason_code, message)

    def _write_lines(self, block: bytes) -> None:
        first_bytes = block.find(b"\n") + self._dropped_bytes
        if first_bytes <= self._max_line_bytes and _is_clean(block):
            self._out.write(block)
            self.line_count += block.count(b"\n")
            self.longest = max(self.longest, first_bytes, min(len(block), _CHUNK_BYTES))
            return
        for line in block[:-1].split(b"\n"):
            self._write_line(line.rstrip(b"\r"))

    def _write_line(self, line: bytes) -> None:
        line_bytes = len(line) + self._dropped_bytes
        if line_bytes > self._max_line_bytes:
            message = f"expected a line of at most {self._max_line_bytes} bytes, found {line_bytes}"
            self._reject(line, "line_too_long", message)
            return
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            message = f"expected UTF-8, found the byte 0x{line[error.start]:02x} at byte {error.start} of the line"
            self._reject(line, "not_utf8", message)
            return
        if b"\0" in line:
            message = f"expected {self._kind.expected}, found a NUL byte at byte {line.index(0)} of the line"
            self._reject(line, self._kind.nul_reason, message)
            return
        # A carriage return within the line would end it for DuckDB.
        if b"\r" in line and not self._kind.carriage_return_is_space:
            place = line.index(b"\r")
            message = f"expected {self._kind.expected}, found a carriage return at byte {place} of the line"
            self._reject(line, "carriage_return", message)
            return
        self._out.write(line.replace(b"\r", b" ") + b"\n")
        self.line_count += 1
        self.longest = max(self.longest, line_bytes)

    def _reject(self, head: bytes, reason_code: str, message: str) -> None:
        self.line_count += 1
        self.malformed_lines.add(self.line_count, head, len(head) + self._dropped_bytes, reason_code, message)
        self._dropped_bytes = 0
        self._out.write(b"\n")


def _is_clean(block: bytes) -> bool:
    if b"\0" in block or b"\r" in block:
        return False
    if block.isascii():
        return True
    try:
        block.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _clean_lines(source: Path, cleaner: _LineCleaner, chunk_bytes: int, limits: GzipLimits) -> None:
    """Give a file's bytes to the cleaner, decompressed where its name ends with `.gz`."""
    with source.open("rb") as file:
        if source.suffix != ".gz":
            while chunk := file.read(chunk_bytes):
                cleaner.feed(chunk)
            cleaner.finish()
            return
        by_ratio = max(limits.always_bytes, limits.max_ratio * source.stat().st_size)
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
