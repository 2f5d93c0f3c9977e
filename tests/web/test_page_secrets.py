"""No page, whatever it lists, holds the key or the password in any usual spelling."""

from __future__ import annotations

from flask import Flask

from tests.conftest import Account, client_of
from tests.secrets.test_canaries import abuse, spellings
from tests.web.conftest import Person


def test_no_page_holds_a_secret_in_any_spelling(trader: Person, app: Flask, account: Account) -> None:
    abuse(client_of(app), account.key)
    secrets = {"key": account.key, "password": account.password}
    paths = [rule.rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ()) and "<" not in rule.rule]
    seen = [trader.get(path) for path in [*paths, "/action-center/1", "/action-center/999", f"/{account.key}"]]
    assert sum(answer.status_code == 200 for answer in seen) >= 8
    for answer in seen:
        for name, secret in secrets.items():
            found = [spelling for spelling, text in spellings(secret).items() if text in answer.data]
            assert not found, (answer.request.path, name, found)
