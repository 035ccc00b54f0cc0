"""Where real input lies, and how tests of it are left out where there is none.

Belongs here: the setting and the mark. Not here: what the tests expect of the input.
"""

import os

import pytest

REAL_INPUT_DIR = os.environ.get("REAL_INPUT_DIR", "")
needs_real_input = pytest.mark.skipif(
    not REAL_INPUT_DIR, reason="there is no real input: set REAL_INPUT_DIR to the folder that holds landing/"
)
