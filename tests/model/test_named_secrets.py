"""What goes by the name of a secret is taken out of a body, however that is spelled and however broken it is."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.model.named_secrets import answer_without_named_secrets, spelled_out, without_named_secrets

NAMES = [
    "apikey", "api_key", "APIKEY", "apiKey", "X-API-KEY", "token", "access_token", "accessToken", "auth_token",
    "secret", "client_secret", "password", "Passwd", "otp", "totp", "pin", "authorization", "cookie", "jwt",
    "session_id", "refresh-token", "passphrase", "key",
]  # fmt: skip
HARMLESS = ["symbol", "strategy", "spin", "keyboard", "monkeys", "tokens_left", "passing", "quantity", "exchange"]

# No letters that stand around it: so that it is found in what is left.
SECRETS = st.text("ZQXJ0123456789#!*@~-_ .:;,?<>'\"\\/+=%{}[]()|^é₹", min_size=6, max_size=40).map(lambda s: f"ZQ{s}QX")


def as_json(name: str, secret: str) -> str:
    return json.dumps({"strategy": "mine", name: secret, "symbol": "SBIN"})


def as_json_without_escapes(name: str, secret: str) -> str:
    return json.dumps({"strategy": "mine", name: secret, "symbol": "SBIN"}, ensure_ascii=False, separators=(",", ":"))


def as_json_in_json(name: str, secret: str) -> str:
    return json.dumps({"message": as_json(name, secret), "symbol": "SBIN"})


def as_json_in_json_in_json(name: str, secret: str) -> str:
    return json.dumps([as_json_in_json(name, secret)])


def as_cut_json(name: str, secret: str) -> str:
    return json.dumps({"symbol": "SBIN", name: secret}).removesuffix('"}')


def as_json_in_escapes(name: str, secret: str) -> str:
    spelled = "".join(f"\\u{ord(character):04x}" for character in name)
    return f'{{"{spelled}": {json.dumps(secret)}, "symbol": "SBIN"}}'


def as_form(name: str, secret: str) -> str:
    return f"strategy=mine&{name}={quote_plus(secret)}&symbol=SBIN"


def as_form_with_json(name: str, secret: str) -> str:
    return f"payload={quote(as_json(name, secret))}"


def as_twice_escaped_form_with_json(name: str, secret: str) -> str:
    return f"payload={quote(quote(as_json(name, secret)))}"


def as_html(name: str, secret: str) -> str:
    return html.escape(as_json(name, secret))


SPELLINGS = [
    as_json, as_json_without_escapes, as_json_in_json, as_json_in_json_in_json, as_cut_json, as_json_in_escapes,
    as_form, as_form_with_json, as_twice_escaped_form_with_json, as_html,
]  # fmt: skip


def pieces(secret: str) -> list[str]:
    """What would be seen of it: runs of its own characters that stand nowhere else."""
    return [run for run in "".join(c if c in "ZQXJ0123456789" else " " for c in secret).split() if len(run) > 1]


@pytest.mark.parametrize("spelled", SPELLINGS, ids=lambda spelled: spelled.__name__)
@given(name=st.sampled_from(NAMES), secret=SECRETS)
def test_nothing_of_a_named_secret_is_left(spelled: Callable[[str, str], str], name: str, secret: str) -> None:
    left = without_named_secrets(spelled_out(spelled(name, secret)))
    assert "[redacted]" in left
    assert [piece for piece in pieces(secret) if piece in left] == []


@pytest.mark.parametrize(
    "spelled", [as_json, as_json_without_escapes, as_json_in_json, as_form], ids=lambda s: s.__name__
)
@pytest.mark.parametrize("name", NAMES)
def test_what_stands_beside_a_secret_stays(spelled: Callable[[str, str], str], name: str) -> None:
    left = without_named_secrets(spelled(name, "hunter2"))
    assert "mine" in left
    assert "SBIN" in left
    assert "hunter2" not in left


@pytest.mark.parametrize("spelled", [as_json, as_form, as_json_in_json], ids=lambda s: s.__name__)
@pytest.mark.parametrize("name", HARMLESS)
def test_what_has_another_name_stays(spelled: Callable[[str, str], str], name: str) -> None:
    assert without_named_secrets(spelled(name, "hunter2")) == spelled(name, "hunter2")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('{"otp": 123456, "symbol": "SBIN"}', '{"otp": [redacted], "symbol": "SBIN"}'),
        ('{"secret": null}', '{"secret": [redacted]}'),
        ('{"token": ["one", "two"], "symbol": "SBIN"}', '{"token": [redacted]'),
        ("{'password': 'it\\'s', 'symbol': 'SBIN'}", "{'password': '[redacted]', 'symbol': 'SBIN'}"),
        ('{apikey: "hunter2", symbol: "SBIN"}', '{apikey: "[redacted]", symbol: "SBIN"}'),
        ("Authorization: Bearer hunter2\r\nHost: x", "Authorization: [redacted]\r\nHost: x"),
        ('{"password":correct horse battery}', '{"password":[redacted]'),
        ("apikey=", "apikey="),
        ('{"apikey":""}', '{"apikey":""}'),
        ('{"apikey":"[key]"}', '{"apikey":"[key]"}'),
        ("apikey=[key]&symbol=SBIN", "apikey=[key]&symbol=SBIN"),
        ('{"Password ": "hunter2", "symbol": "SBIN"}', '{"Password ": "[redacted]", "symbol": "SBIN"}'),
        ("<password>hunter2</password><b>2</b>", "<password>[redacted]</password><b>2</b>"),
        ('<x:ApiKey type="s">hunter2 &lt;', '<x:ApiKey type="s">[redacted]'),
        ("<pin><![CDATA[hunter2 <b> ]]></pin><b>2</b>", "<pin>[redacted]</pin><b>2</b>"),
        ("<apikey>[key]</apikey>", "<apikey>[key]</apikey>"),
        ("<spin>hunter2</spin><pin/>", "<spin>hunter2</spin><pin/>"),
        (
            '--b\r\nContent-Disposition: form-data; name="password"\r\n\r\nhunter2\r\nit is\r\n--b\r\nmore',
            '--b\r\nContent-Disposition: form-data; name="password"\r\n\r\n[redacted]\r\n--b\r\nmore',
        ),
        (
            "Content-Disposition: form-data; name=otp; x=y\nContent-Type: text/plain\n\nhunter2",
            "Content-Disposition: form-data; name=otp; x=y\nContent-Type: text/plain\n\n[redacted]",
        ),
        ('name="symbol"\r\n\r\nSBIN\r\n--b\r\npin', 'name="symbol"\r\n\r\nSBIN\r\n--b\r\npin'),
        ("the code 7B2K-9QXM-4TZR of the console", "the code [redacted] of the console"),
        ("ABCD EFGH IJKL MNOP QRST UVWX YZ23 4567", "[redacted]"),
    ],
)
def test_in_other_spellings_too(text: str, left: str) -> None:
    assert without_named_secrets(text) == left


@pytest.mark.parametrize(
    "spelling",
    ["%{:02x}", "%25{:02X}", "%u{:04x}", "\\u{:04x}", "\\\\u{:04X}", "\\x{:02x}", "\\u{{{:x}}}", "&#{:d};", "&#{:05d};",
     "&#x{:X};"],
)  # fmt: skip
@pytest.mark.parametrize("text", ["Aa0Zz9_-mM5", "apikey"])
def test_letters_that_are_written_as_something_else_are_these_letters(spelling: str, text: str) -> None:
    assert spelled_out(f"x {''.join(spelling.format(ord(letter)) for letter in text)} y") == f"x {text} y"


@pytest.mark.parametrize("text", ["&#8211;", "&#650;", "&#x4100;", "100%", "%zz", "\\xyz", "\\user", "&#;"])
def test_what_is_no_letter_stays_as_it_is_written(text: str) -> None:
    assert spelled_out(text) == text


@pytest.mark.parametrize("unseen", ["\0", "\0\0\0", "\u200b", "\ufeff", "\xad"], ids=ascii)
def test_what_is_unseen_between_letters_is_left_out(unseen: str) -> None:
    assert spelled_out(unseen.join("apikey")) == "apikey"


def test_an_answer_may_speak_of_a_key_and_tell_instruments_tokens() -> None:
    told = (
        '{"status":"error","message":"apikey: Missing data for required field.",'
        '"errors":{"apikey":["Missing data for required field."]},"data":[{"symbol":"SBIN","token":"3045"}]}'
    )
    assert answer_without_named_secrets(told) == told
    assert answer_without_named_secrets('{"access_token":"hunter2"}') == '{"access_token":"[redacted]"}'


@given(st.text("abc{}[]:,=& \"'\\%u0041&#x;\n", max_size=300))
def test_no_text_is_too_strange(text: str) -> None:
    without_named_secrets(spelled_out(text))
    answer_without_named_secrets(text)
