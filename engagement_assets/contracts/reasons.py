"""Why a record cannot be used, in words: one text for each reason code.

Belongs here: the words, for everybody who shows a reason to a person. Not here: the rules that reject a record (the
readers in `extract/`), or their messages, which say what was expected and found in one record.
"""

from collections.abc import Mapping
from types import MappingProxyType

from engagement_assets.contracts.extraction import OUTSIDE_CALENDAR

MISSING = "missing_"

REASONS: Mapping[str, str] = MappingProxyType(
    {
        OUTSIDE_CALENDAR: "a time before START_DATE or in the future",
        "bad_date": "a date that cannot be read",
        "bad_integer": "a whole number that cannot be read",
        "bad_number": "a number that cannot be read",
        "bad_quotes": "a quote that is not closed",
        "bad_timestamp": "a time that cannot be read",
        "carriage_return": "a carriage return within a line",
        "duplicate_key": "a name twice in one object",
        "empty_file": "an empty file",
        "file_too_large": "a file that is too large",
        "gzip_cut_off": "a gzip file that is cut off",
        "gzip_damaged": "a damaged gzip file",
        "gzip_ratio": "a gzip file that grows too much",
        "gzip_too_large": "a gzip file that is too large",
        "header_in_a_row": "a header on the line of a row",
        "header_too_large": "a header that is too large",
        "line_too_long": "a line that is too long",
        "negative_value": "a negative number",
        "nesting_too_deep": "objects nested too deeply",
        "no_header": "no header line above the rows",
        "no_place": "a step whose place is unknown",
        "not_a_number": "NaN or infinity",
        "not_an_object": "JSON, but no object",
        "not_json": "not valid JSON",
        "not_utf8": "bytes that are not UTF-8",
        "nul_byte": "a NUL byte",
        "out_of_range": "a number out of range",
        "outside_window": "a day that was not asked for",
        "refused_path": "a file that must not be opened",
        "repeated_column": "a column twice in the header",
        "repeated_field": "a field twice in one record",
        "too_few_fields": "fewer values than columns",
        "too_long": "a text that is too long",
        "too_many_fields": "more values than columns",
        "too_many_headers": "too many headers in one file",
        "too_many_members": "too many fields",
        "truncated_json": "JSON that is cut off",
        "unfinished_line": "a last row that may still be written",
        "unreadable_file": "a file that cannot be opened",
        "wrong_date": "another date than the one asked for",
        "wrong_delimiter": "values parted by another character",
        "wrong_type": "a value of another type",
        "wrong_value": "a value that is not allowed",
    }
)


def in_words(reason_code: str) -> str:
    """The reason for a person; `missing_user_id` is `no user id`."""
    if reason_code.startswith(MISSING):
        return f"no {reason_code.removeprefix(MISSING).replace('_', ' ')}"
    return REASONS.get(reason_code, reason_code.replace("_", " "))


def named(reason_code: str) -> str:
    """The reason in words, and its code, by which it is found in tables and replayed."""
    return f"{in_words(reason_code)} ({reason_code})"
