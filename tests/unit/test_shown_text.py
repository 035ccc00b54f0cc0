"""Hostile names stay names: on a terminal, in Markdown as a real renderer reads it."""

import unicodedata
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from engagement_assets.shown_text import as_markdown, markdown_table, shown, shown_lines

INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
HOSTILE_MARKDOWN = [
    "![x](http://evil.example/x.png)",
    "[click](http://evil.example)",
    "<img src=http://evil.example/x.png>",
    "<script>alert(1)</script>",
    "<https://evil.example>",
    "https://evil.example/x",
    "www.evil.example",
    "someone@evil.example",
    "`![x](http://evil.example/x.png)`",
    "``` ![x](http://evil.example/x.png) ```",
    "\\`![x](http://evil.example/x.png)\\`",
    "a | b \\| c \\\\| d",
    "<b>bold</b>",
    "**bold**",
    "&lt;img src=x&gt;",
    "x\n\n![x](http://evil.example/x.png)",
    "*bold* _it_ ~~gone~~",
]
# What a renderer makes of text that comes alive.
ALIVE = {"image", "link_open", "html_inline", "html_block", "em_open", "strong_open", "s_open"}


def _kinds(markdown: str) -> set[str]:
    """The kinds of all tokens that a real renderer finds, raw HTML allowed."""
    renderer = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    found = set()
    for token in renderer.parse(markdown):
        found |= {token.type, *(child.type for child in token.children or ())}
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain name.csv", "plain name.csv"),
        ("Zoë läuft 🏃 5 km", "Zoë läuft 🏃 5 km"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("a\x00b\x07c\x7fd\x9be", "a\\x00b\\x07c\\x7fd\\x9be"),
        ("invoice\u202efdp.exe", "invoice\\u202efdp.exe"),
        ("\u2066a\u2069", "\\u2066a\\u2069"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("half \ud800 a pair", "half \\ud800 a pair"),
        ("tag \U000e0041", "tag \\U000e0041"),
        ("a\r\nb\u2028c\u2029d\x85e\t\t f", "a b c d e f"),
        ("   ", ""),
        ("x" * 100, "x" * 100),
        ("x" * 101, "x" * 99 + "…"),
        ("\x1b" * 50, "\\x1b" * 24 + "\\x1" + "…"),
    ],
)
def test_a_name_is_shown_on_one_line_without_what_cannot_be_seen(text: str, expected: str) -> None:
    assert shown(text, 100) == expected


@given(st.text(st.characters(), max_size=300), st.integers(1, 200))
@example("\u202e" * 300, 1)
def test_nothing_that_cannot_be_seen_is_left_and_nothing_is_too_long(text: str, limit: int) -> None:
    line = shown(text, limit)
    assert len(line) <= limit
    assert {unicodedata.category(sign) for sign in line}.isdisjoint(INVISIBLE)
    assert line.encode("utf-8").decode() == line


def test_lines_keep_their_indentation_and_nothing_else_makes_one() -> None:
    assert shown_lines("held:\n  a\x1b[2K\r b\n  - c\u2028d") == "held:\n  a\\x1b[2K b\n  - c d"


@pytest.mark.parametrize("text", HOSTILE_MARKDOWN)
def test_in_markdown_a_text_is_code_and_nothing_in_it_comes_alive(text: str) -> None:
    found = _kinds(f"such as {as_markdown(text)}; and on")
    assert found == {"paragraph_open", "inline", "text", "code_inline", "paragraph_close"}


def test_the_renderer_would_find_what_comes_alive() -> None:
    assert set().union(*map(_kinds, HOSTILE_MARKDOWN)) >= ALIVE


def test_a_text_of_blanks_is_nothing_in_markdown() -> None:
    assert as_markdown(" \n ") == ""


@pytest.mark.parametrize("text", HOSTILE_MARKDOWN)
def test_a_cell_of_a_table_holds_any_text_and_the_table_keeps_its_shape(text: str) -> None:
    renderer = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    tokens = renderer.parse(markdown_table(["name", "kudos", "day"], [[text, 3, date(2024, 1, 2)], [None, 0.5, text]]))
    cells = [tokens[index + 1] for index, token in enumerate(tokens) if token.type in {"th_open", "td_open"}]
    assert len(cells) == 9
    assert [cell.content for cell in (*cells[:3], *cells[4:8])] == [
        "name",
        "kudos",
        "day",
        "3",
        "2024-01-02",
        "",
        "0.5",
    ]
    for cell in (cells[3], cells[8]):
        assert [child.type for child in cell.children or ()] == ["code_inline"]


def test_a_cell_shows_a_bar_and_a_backslash() -> None:
    (_, _, row) = markdown_table(["name"], [["a|b\\|c\\"]]).splitlines()
    assert row == "| `a\\|b\\¦c\\` |"
