"""Reasons in words: every code that a reader gives has its own."""

import ast

from engagement_assets.contracts.reasons import MISSING, REASONS, in_words, named
from engagement_assets.installation import PROJECT_ROOT

REFUSALS = {"UnusableRecordError", "BadValueError", "_reject", "break_off"}


def _texts(node: ast.AST) -> set[str]:
    return {item.value for item in ast.walk(node) if isinstance(item, ast.Constant) and isinstance(item.value, str)}


def _codes_in_code() -> tuple[set[str], set[str]]:
    """What calls name that refuse a record, and every text of the readers."""
    named_by_calls, texts = set(), set()
    for path in (PROJECT_ROOT / "engagement_assets" / "extract").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts |= _texts(tree)
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args) if name in REFUSALS:
                    named_by_calls |= {
                        arg.value for arg in args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
                    }
    return {
        code
        for code in named_by_calls
        if code.replace("_", "").isalpha() and "_" in code and not code.startswith(MISSING)
    }, texts


def test_every_reason_has_words_and_no_words_are_left_over() -> None:
    codes, texts = _codes_in_code()
    assert len(codes) > 15
    assert codes - REASONS.keys() == set()
    assert REASONS.keys() - texts - {"outside_calendar"} == set()


def test_a_reason_is_told_in_words_with_its_code() -> None:
    assert in_words("missing_user_id") == "no user id"
    assert in_words("of_a_later_version") == "of a later version"
    assert named("not_json") == "not valid JSON (not_json)"
