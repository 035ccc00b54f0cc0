"""Keyed pseudonyms for ids of children and devices.

Belongs here: the one function that turns a personal id into a pseudonym, in Python and as SQL for DuckDB, and how such
ids are replaced in raw JSON text. Not here: which columns hold them (the readers).
"""

import hashlib
import hmac
import json
import re
from typing import Any

_BLOCK_BYTES = hashlib.sha256().block_size
_PSEUDONYM_CHARACTERS = 32

PERSONAL_KEYS = ("child_id", "device_id", "children_ids")
# A key, perhaps with a dotted path before it, and its value: a list, a text or anything else. If a text breaks off, the
# end of its last value is missing.
_PERSONAL_MEMBER = re.compile(
    rf'("(?:[^"\\]*\.)?(?:{"|".join(PERSONAL_KEYS)})"\s*:\s*)'
    r'(\[[^\]]*\]?|"(?:[^"\\]|\\.)*"?|[^\s,}\]]+)',
    re.DOTALL,
)


def pseudonym(key: str, value: str) -> str:
    """HMAC-SHA256 of `value` under `key`, as 32 hexadecimal characters (128 bits)."""
    digest = hmac.new(key.encode(), value.encode(), hashlib.sha256).hexdigest()
    return digest[:_PSEUDONYM_CHARACTERS]


def pseudonym_sql(value: str) -> str:
    """SQL for the pseudonym of the SQL text `value`, with the bound `pseudonym_parameters`.

    It is HMAC written out, since DuckDB has only SHA-256: hash(outer || hash(inner || value)).
    """
    inner = f"unhex(sha256($pseudonym_inner::blob || encode({value})))"
    return f"left(sha256($pseudonym_outer::blob || {inner}), {_PSEUDONYM_CHARACTERS})"


def pseudonym_parameters(key: str) -> dict[str, bytes]:
    """The parameters that `pseudonym_sql` needs; as secret as the key itself."""
    block = key.encode()
    if len(block) > _BLOCK_BYTES:
        block = hashlib.sha256(block).digest()
    block = block.ljust(_BLOCK_BYTES, b"\0")
    return {
        "pseudonym_inner": bytes(byte ^ 0x36 for byte in block),
        "pseudonym_outer": bytes(byte ^ 0x5C for byte in block),
    }


def without_personal_ids(key: str, raw_text: str) -> str:
    """JSON text, whole or broken, with pseudonyms in place of the ids of children and devices.

    An id that breaks off in the middle becomes `[redacted]`.
    """

    def replace(match: re.Match[str]) -> str:
        return match[1] + json.dumps(_replaced(key, match[2]))

    return _PERSONAL_MEMBER.sub(replace, raw_text)


def _replaced(key: str, member: str) -> Any:
    try:
        value = json.loads(member)
    except ValueError:
        return "[redacted]"
    if isinstance(value, list):
        return [pseudonym(key, str(item)) for item in value]
    return None if value is None else pseudonym(key, str(value))
