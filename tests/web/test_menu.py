"""The menu: every page can be reached in a window of any width, once, and the page that is open is marked."""

from __future__ import annotations

import re

import pytest

from openalgo_bridge.web import Window
from tests.web.conftest import Person

SHOWN = {"": set(Window), "d-none d-md-block": {Window.TABLET, Window.DESKTOP}, "d-none d-xl-block": {Window.DESKTOP}}
HIDDEN = {"d-md-none": {Window.PHONE}, "d-xl-none": {Window.PHONE, Window.TABLET}}


def links_in(text: str, window: Window) -> list[tuple[str, bool]]:
    """What a window of that width shows of the menu, by the classes of Bootstrap: the addresses, and what is marked."""
    nav = text[text.index('aria-label="Main"') : text.index("</nav>")]
    line, more = nav.split("<details", 1)
    found = [
        (address, "aria-current" in attributes)
        for part, classes in ((line, SHOWN), (more, HIDDEN))
        for names, address, attributes in re.findall(r'<li class="([^"]*)"><a [^>]*href="([^"]+)"([^>]*)>', part)
        if window in classes[names.replace("nav-item", "").strip()]
    ]
    assert found
    return found


@pytest.mark.parametrize("window", Window)
def test_every_page_stands_in_the_menu_once_in_a_window_of_any_width(trader: Person, window: Window) -> None:
    text = trader.get("/holdings").text
    addresses = [address for address, _ in links_in(text, window)]
    assert len(addresses) == len(set(addresses))
    assert set(addresses) >= {
        "/",
        "/action-center",
        "/orders",
        "/trades",
        "/positions",
        "/holdings",
        "/funds",
        "/guards",
        "/traffic",
        "/apikey",
        "/security",
        "/settings",
    }


@pytest.mark.parametrize("window", Window)
@pytest.mark.parametrize(
    ("path", "marked"),
    [
        ("/", "/"),
        ("/orders", "/orders"),
        ("/holdings", "/holdings"),
        ("/settings/calendar", "/settings"),
        ("/security/audit", "/security"),
    ],
)
def test_the_page_that_is_open_is_marked(trader: Person, window: Window, path: str, marked: str) -> None:
    text = trader.get(path).text
    assert [address for address, is_marked in links_in(text, window) if is_marked] == [marked]


def test_the_number_of_waiting_orders_stands_in_the_menu_once(trader: Person) -> None:
    assert trader.get("/holdings").text.count("data-pending=") == 1
