"""What a calling program is, in words a trader knows, by its User-Agent (callers 3.5). A claim, never a proof."""

from __future__ import annotations

import re

AMIBROKER = "AmiBroker"
CHARTINK = "ChartInk"
EXCEL = "Excel"
NODE = "Node"
PYTHON = "Python"
TRADINGVIEW = "TradingView"
NAMELESS = "A program without a name"

_LONGEST = 40

# In this order: the first mark that is in the text, in lower case, decides. Marks of products stand before those of
# the libraries and browsers on which they are built.
_MARKS = {
    "amibroker": AMIBROKER,
    "openalgo-excel": EXCEL,
    "excel": EXCEL,
    "tradingview": TRADINGVIEW,
    "chartink": CHARTINK,
    "metatrader": "MetaTrader",
    "google-apps-script": "Google Sheets",
    "n8n": "n8n",
    "postman": "Postman",
    "insomnia": "Insomnia",
    "powershell": "PowerShell",
    "windowspowershell": "PowerShell",
    "winhttp": "Windows script",
    "python": PYTHON,
    "aiohttp": PYTHON,
    "axios": NODE,
    "node": NODE,
    "undici": NODE,
    "go-http-client": "Go",
    "okhttp": "Java",
    "apache-httpclient": "Java",
    "java": "Java",
    "dart": "Phone app",
    "reqwest": "Rust",
    "curl": "curl",
    "wget": "wget",
    "mozilla": "Web browser",
}
# A mark begins a word: "ScalpExcelsior" is no Excel.
_MARK = re.compile(rf"(?<![a-z0-9])(?:{'|'.join(map(re.escape, _MARKS))})")


def program_name(user_agent: str) -> str:
    """Such as ``Python`` for ``python-httpx/0.28.1``; a program we do not know keeps its own first word."""
    found = set(_MARK.findall(user_agent.lower()))
    known = next((name for mark, name in _MARKS.items() if mark in found), "")
    return known or _first_word(user_agent)


def _first_word(user_agent: str) -> str:
    word = re.split(r"[\s/;(]", user_agent.strip(), maxsplit=1)[0]
    return "".join(character for character in word if character.isprintable())[:_LONGEST] or NAMELESS
