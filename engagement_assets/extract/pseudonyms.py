"""Keyed pseudonyms for ids of children and devices.

Belongs here: the one function that turns a personal id into a pseudonym, in Python and as SQL for DuckDB.
Not here: which columns are personal (each extractor says that of its own source).
"""

import hashlib
import hmac


def pseudonym(key: str, value: str) -> str:
    """HMAC-SHA256 of `value` under `key`, as 32 hexadecimal characters (128 bits)."""
    return hmac.new(key.encode(), value.encode(), hashlib.sha256).hexdigest()[:32]
