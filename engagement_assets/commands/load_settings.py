"""The settings of a command, or its end with a sentence per setting that is wrong.

Belongs here: how a command tells of wrong settings. Not here: which settings there are and what each may be
(`settings.py`).
"""

import sys
from typing import Any

from pydantic import ValidationError

from engagement_assets.settings import Settings


def load_settings(**given: Any) -> Settings:
    """Read the settings; `given` are those that the command itself decides.

    Raises:
        SystemExit: one is wrong, with status 2; standard error says which and why. Secrets may be any text.
    """
    try:
        return Settings(**given)
    except ValidationError as error:
        for wrong in error.errors():
            name = str(wrong["loc"][0])
            sentence = wrong["msg"].removeprefix("Value error, ")
            found = "" if wrong["type"] == "value_error" else f", found {wrong['input']!r}"
            print(f"error: {name.upper()}: {sentence}{found}", file=sys.stderr)
        raise SystemExit(2) from None
