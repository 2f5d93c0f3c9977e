"""What a page of another site may make the trader's browser do here: open a page, and nothing else."""

from __future__ import annotations

import pytest
from flask import Flask

from openalgo_bridge.desk import Desk
from tests.conftest import Account
from tests.web.conftest import Person

SITES = ("cross-site", "same-site")
LINK = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
NO_LINKS = [
    {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"},
    {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
    {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "embed"},
    {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "document"},
    {"Sec-Fetch-Mode": "navigate"},
    {},
]


def addresses(app: Flask) -> list[str]:
    found = [rule.rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or set())]
    assert len(found) >= 10
    return [path.replace("<int:ticket_id>", "1").replace("<path:filename>", "app.css") for path in found]


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("fetch", NO_LINKS)
def test_another_site_cannot_load_or_embed_anything(
    stranger: Person, app: Flask, desk: Desk, account: Account, site: str, fetch: dict[str, str]
) -> None:
    for path in (*addresses(app), "/no-such-page"):
        answer = stranger.client.get(path, headers={"Sec-Fetch-Site": site, **fetch})
        assert answer.status_code == 403, path
        assert "Set-Cookie" not in answer.headers
        answer.close()
    assert desk.store.traffic.page(limit=1)[0].outcome == "refused"


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST"])
def test_only_a_get_is_a_link(stranger: Person, account: Account, site: str, method: str) -> None:
    assert stranger.client.open("/login", method=method, headers={"Sec-Fetch-Site": site, **LINK}).status_code == 403


@pytest.mark.parametrize("site", SITES)
def test_a_link_on_another_site_leads_here(stranger: Person, account: Account, site: str) -> None:
    headers = {"Sec-Fetch-Site": site, **LINK}
    assert stranger.client.get("/login", headers=headers).status_code == 200
    assert stranger.client.get("/orders", headers=headers).location == "/login?next=orders.orders"


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Site": "same-origin"}])
def test_our_own_pages_and_the_person_load_everything(trader: Person, app: Flask, headers: dict[str, str]) -> None:
    for path in addresses(app):
        answer = trader.client.get(path, headers=headers)
        assert answer.status_code != 403, path
        answer.close()


@pytest.mark.parametrize("site", SITES)
def test_a_call_with_a_key_keeps_its_rule(stranger: Person, account: Account, site: str) -> None:
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
    answer = stranger.client.post("/api/v1/ping", json={"apikey": account.key}, headers=headers)
    assert answer.status_code == 200
