"""A program is named in words a trader knows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.model.program import NAMELESS, program_name


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("AmiBroker", "AmiBroker"),
        ("OpenAlgo-Excel/1.0.7", "Excel"),
        ("python-httpx/0.28.1", "Python"),
        ("python-requests/2.32.3", "Python"),
        ("Python-urllib/3.11", "Python"),
        ("Python/3.11 aiohttp/3.9.5", "Python"),
        ("axios/0.21.4", "Node"),
        ("node", "Node"),
        ("Go-http-client/1.1", "Go"),
        ("okhttp/3.13.1", "Java"),
        ("Apache-HttpClient/4.5.14 (Java/17.0.2)", "Java"),
        ("Dart/3.3 (dart:io)", "Phone app"),
        (
            "Mozilla/5.0 (compatible; Google-Apps-Script; beanserver; +https://script.google.com; id: x)",
            "Google Sheets",
        ),
        ("Mozilla/5.0 (Windows NT; Windows NT 10.0; en-IN) WindowsPowerShell/5.1.19041.1", "PowerShell"),
        ("Mozilla/4.0 (compatible; Win32; WinHttp.WinHttpRequest.5)", "Windows script"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/131.0 Safari/537.36", "Web browser"),
        ("MetaTrader 5 Terminal/5.4330 (Windows NT 10.0; x64)", "MetaTrader"),
        ("curl/8.5.0", "curl"),
        ("", NAMELESS),
        ("   ", NAMELESS),
        ("/1.0", NAMELESS),
        ("ScalpBot/2.0 (linux)", "ScalpBot"),
        ("ScalpExcelsior/1.0", "ScalpExcelsior"),
        ("x" * 500, "x" * 40),
    ],
)
def test_a_program_has_a_name_a_trader_knows(user_agent: str, name: str) -> None:
    assert program_name(user_agent) == name


@given(st.text(max_size=400))
def test_whatever_a_program_calls_itself_its_name_is_short_and_can_be_shown(user_agent: str) -> None:
    name = program_name(user_agent)
    assert 1 <= len(name) <= 40
    assert name.isprintable()
