"""Lines that would spoil a bulk read, left out of the copy of their file.

Belongs here: which bytes spoil a line, and what is kept of a line that is left out. Not here: which files are copied,
and how they are decompressed (`line_files.py`).
"""

import hashlib
import json
from dataclasses import dataclass
from typing import IO, Any

MAX_RAW_TEXT = 64 * 1024
# So much of a file is looked at in one go.
CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True)
class LineKind:
    """What a line is, in the words of a message, and what becomes of bytes that would spoil it.

    A line that `shows_its_end` cannot be taken for a whole one if it is cut. `nul_reason` is the reason code for a NUL
    byte. A carriage return within a line becomes a space if it is white space between values; otherwise the line is
    left out.
    """

    expected: str
    shows_its_end: bool
    nul_reason: str
    carriage_return_is_space: bool


JSON_LINE = LineKind("a JSON object", shows_its_end=True, nul_reason="not_json", carriage_return_is_space=True)
CSV_LINE = LineKind("a row of text", shows_its_end=False, nul_reason="nul_byte", carriage_return_is_space=False)


class MalformedLines:
    """Writes malformed lines to a JSONL file, so that their number needs no memory."""

    def __init__(self, file_id: int, stream: IO[str]) -> None:
        """Begin with a file, whose lines are written to `stream`."""
        self._file_id = file_id
        self._stream = stream
        self.count = 0

    def add(self, position: int, head: bytes, line_bytes: int, reason_code: str, message: str) -> None:
        """Write one line; `head` is its beginning, or all of its `line_bytes`."""
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


class LineCleaner:
    """Takes a file's bytes in portions, and writes its clean lines, each at its own line number."""

    def __init__(self, out: IO[bytes], malformed_lines: MalformedLines, max_line_bytes: int, kind: LineKind) -> None:
        """Begin with a file; its clean lines are written to `out`, the others go to `malformed_lines`."""
        self._out = out
        self.malformed_lines = malformed_lines
        self._max_line_bytes = max_line_bytes
        self._kind = kind
        self._carry = b""
        self._dropped_bytes = 0
        self.line_count = 0
        self.longest = 0
        self.is_unfinished = False

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

    def finish(self, *, is_settled: bool = True) -> None:
        """Take the end of the file: what follows the last line feed is a line too, unless it may still be written."""
        if self._carry and not is_settled and not self._kind.shows_its_end:
            self.is_unfinished = True
            message = (
                "expected a line break after the last row of a file that is fresh, found none, so more of the row may "
                "follow; load the day again once the file has rested for LANDING_SETTLE_S"
            )
            self._reject(self._carry, "unfinished_line", message)
        elif self._carry:
            self._write_lines(self._carry + b"\n")

    def break_off(self, reason_code: str, message: str) -> None:
        """Take the end of what can be decompressed: the line that it cuts and all that follows are lost."""
        self._reject(self._carry, reason_code, message)

    def _write_lines(self, block: bytes) -> None:
        first_bytes = block.find(b"\n") + self._dropped_bytes
        if first_bytes <= self._max_line_bytes and _is_clean(block):
            self._out.write(block)
            self.line_count += block.count(b"\n")
            self.longest = max(self.longest, first_bytes, min(len(block), CHUNK_BYTES))
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
