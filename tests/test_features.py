"""The list of wishes is whole, and what it names as proof exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "features.md").read_text(encoding="utf-8")
COUNTS = {"K": 15, "G": 28, "E": 10, "T": 10, "M": 8, "A": 8, "P": 18, "N": 9, "L": 10, "H": 5, "X": 20}
ROWS = dict(re.findall(r"^\| ([A-Z]\d+) \| (.+) \|$", TEXT, re.MULTILINE))
PROOF = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def expected() -> list[str]:
    return [f"{letter}{number}" for letter, count in COUNTS.items() for number in range(1, count + 1)]


@cache
def names_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_wish_is_listed_once() -> None:
    listed = re.findall(r"^\| ([A-Z]\d+) \|", TEXT, re.MULTILINE)
    assert sorted(listed) == sorted(expected())


@pytest.mark.parametrize("number", [each for each in expected() if not each.startswith("X")])
def test_every_wish_has_a_proof_a_decision_or_is_not_yet(number: str) -> None:
    last = ROWS[number].rsplit("|", 1)[-1]
    assert PROOF.search(last) or re.search(r"\bX\d+\b", last) or "not yet" in last, last
    assert "?" not in last


def test_every_test_that_is_named_exists() -> None:
    named = PROOF.findall(TEXT)
    assert len(named) > 60
    missing = [f"{path}::{name}" for path, name in named if name not in names_in(path)]
    assert missing == []
