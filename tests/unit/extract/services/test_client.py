"""What of an answer is shown."""

import json
from urllib.parse import quote

import pytest

from engagement_assets.extract.services.client import Answer

TOKEN = "q9/Zk+3Lw=="
NOT_SHOWN = "an answer that may repeat the token, so it is not shown"


def _shown(body: str, token: str = TOKEN) -> str:
    return Answer(400, {}, body.encode(), None).shown_without(token)


@pytest.mark.parametrize(
    "repeated",
    [
        TOKEN.replace("/", "\\/"),
        TOKEN.replace("/", "\\u002f").replace("+", "\\u002B"),
        quote(TOKEN),
        quote(TOKEN, safe=""),
        quote(quote(TOKEN, safe=""), safe=""),
        TOKEN.replace("/", "&#x2F;").replace("=", "&#61;"),
        json.dumps(json.dumps(TOKEN.replace("/", "\\/"))),
        TOKEN.lower(),
    ],
)
def test_an_answer_that_repeats_the_token_in_another_form_is_not_shown(repeated: str) -> None:
    assert _shown(f'{{"detail": "unknown token {repeated}"}}') == NOT_SHOWN


@pytest.mark.parametrize("token", [TOKEN, "0123456789abcdef", "a-b_c.d~e", 'a"b\\c'])
def test_of_an_answer_that_repeats_the_token_as_it_is_the_rest_is_shown(token: str) -> None:
    assert _shown(f"unknown token {token}, {token}!", token) == "unknown token …, …!"


def test_an_answer_without_the_token_is_shown_as_far_as_it_is_short() -> None:
    assert _shown('{"detail": "invalid date format", "url": "a\\/b%2Fc"}') == (
        '{"detail": "invalid date format", "url": "a\\/b%2Fc"}'
    )
    assert _shown("é" * 300) == "é" * 200


def test_nothing_is_shown_beside_a_token_of_signs_alone() -> None:
    assert _shown("%2B%2F%3D", "+/=") == NOT_SHOWN
