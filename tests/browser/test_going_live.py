"""The way to real money and back in a browser: every open page says which money it is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from openalgo_bridge.app import open_desk
from openalgo_bridge.clock import Clock
from openalgo_bridge.model.order import TradingMode
from openalgo_bridge.server import Server
from openalgo_bridge.settings import Settings
from tests.conftest import CHEAP, PASSWORD, Live, app_of, free_port
from tests.fakes import ScriptedBroker, with_broker

pytestmark = pytest.mark.browser


@pytest.fixture
def live(settings: Settings, new_files: Path) -> Iterator[Live]:
    """A bridge with a live broker."""
    shutil.copytree(new_files, settings.db_dir, dirs_exist_ok=True)
    port = free_port()
    opened = open_desk(replace(settings, flask_port=port), Clock(), CHEAP)
    opened.doors.open()
    both = with_broker(opened, ScriptedBroker(opened, name="somebroker"), TradingMode.LIVE)
    server = Server(app_of(both), port=port)
    server.start()
    yield Live(f"http://127.0.0.1:{port}", port, both)
    server.close()
    opened.close()


def test_a_page_that_was_open_before_says_which_money_it_is_now(page: Page) -> None:
    before = page.context.new_page()
    before.goto("/traffic")
    expect(before.get_by_text("Analyzer (paper money)")).to_be_visible()

    page.goto("/")
    page.get_by_role("link", name="Go live").click()
    expect(page.get_by_role("radio", name="Semi-Auto")).to_be_checked()
    expect(page.get_by_label("In Semi-Auto, send exits at once")).to_be_checked()
    page.get_by_label("Most units in one order").fill("10")
    page.get_by_label("No limit of mine: an order may be worth anything").check()
    page.get_by_label("Most orders in a day").fill("20")
    page.get_by_label("Stop at a loss of the day, in rupees").fill("2000")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Go live: send orders to somebroker, with real money").click()
    expect(page.get_by_role("heading", name="You trade live", level=1)).to_be_visible()

    expect(before.get_by_text("Live (real money)")).to_be_visible()
    expect(before.get_by_text("Orders: Semi-Auto")).to_be_visible()
    before.get_by_role("link", name="Back to paper").click()
    before.get_by_role("button", name="Trade on paper").click()
    expect(before.get_by_role("heading", name="You trade on paper", level=1)).to_be_visible()
    expect(page.get_by_text("Analyzer (paper money)")).to_be_visible()
    expect(page.get_by_text("Paper trading with simulated prices")).to_be_visible()
