"""The settings of a command; if one is wrong, the command ends and says so.

Belongs here: how a command reports wrong settings. Not here: which settings there are and what each may be
(`settings.py`).
"""

import sys
from typing import Any

from pydantic import ValidationError

from engagement_assets.settings import Settings


def load_settings(**given: Any) -> Settings:
    """Read the settings; `given` are those that the command sets itself.

    Raises:
        SystemExit: with status 2, if a setting is wrong; standard error says which and why. A secret is never wrong.
    """
    try:
        return Settings(**given)
    except ValidationError as error:
        for wrong in error.errors():
            name = str(wrong["loc"][0])
            sentence = wrong["msg"].removeprefix("Value error, ")
            value = "" if wrong["type"] == "value_error" else f", found {wrong['input']!r}"
            print(f"error: {name.upper()}: {sentence}{value}", file=sys.stderr)
        raise SystemExit(2) from None
