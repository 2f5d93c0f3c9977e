"""What a browser calls itself, in words a person knows. A claim, not a proof: the whole text stands in the title."""

from __future__ import annotations

from openalgo_bridge.model.program import program_name

# In this order: every browser also names those it descends from.
_BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "Vivaldi/": "Vivaldi",
    "SamsungBrowser/": "Samsung Internet",
    "FxiOS/": "Firefox",
    "Firefox/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
_SYSTEMS = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}


def browser_name(program: str) -> str:
    """Such as ``Firefox on Windows`` for a User-Agent; any other program as :func:`program_name` calls it."""
    browser = _first(_BROWSERS, program) if program.startswith("Mozilla/") else ""
    if not browser:
        return program_name(program)
    system = _first(_SYSTEMS, program)
    return f"{browser} on {system}" if system else browser


def _first(names: dict[str, str], program: str) -> str:
    return next((name for mark, name in names.items() if mark in program), "")


FILTERS = {"browser": browser_name}
"""The Jinja filters, by name."""
