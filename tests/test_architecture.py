"""The shape of the program, checked: who imports whom, how long things may be, where side effects live."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "openalgo_bridge"
MODULES = sorted(PACKAGE.rglob("*.py"))

STANDARD = set(sys.stdlib_module_names) | {"__future__"}
STANDARD_ONLY: set[str] = set()
STORE_LIBRARIES = {"sqlite_utils", "cryptography"}
FRONT_LIBRARIES = {"flask", "werkzeug", "flask_limiter", "limits", "pydantic", "flask_login", "flask_wtf", "wtforms"}
FRONT = {"trading", "account", "model", "store", "errors", "clock", "settings", "desk", "traffic", "moving_window"}

# layer -> (our layers it may import, libraries it may import). The longest matching layer counts.
MAY_IMPORT: dict[str, tuple[set[str], set[str]]] = {
    "errors": (set(), STANDARD_ONLY),
    "clock": (set(), STANDARD_ONLY),
    "settings": ({"errors"}, STANDARD_ONLY),
    "model": ({"model", "errors"}, STANDARD_ONLY),
    "store": ({"store", "model", "errors", "clock"}, STORE_LIBRARIES),
    "market": ({"market", "model", "clock", "errors"}, STANDARD_ONLY),
    "brokers.base": ({"model", "errors", "clock"}, STANDARD_ONLY),
    "brokers.paper": ({"brokers.base", "brokers.paper", "market", "model", "errors", "clock"}, STANDARD_ONLY),
    "brokers.zerodha": ({"brokers.zerodha", "model", "errors"}, STANDARD_ONLY),
    "brokers.registry": ({"brokers", "market", "model", "errors", "clock"}, STANDARD_ONLY),
    "brokers": (set(), STANDARD_ONLY),
    "desk": (
        {"account", "brokers.base", "clock", "errors", "model", "settings", "store"}
        # What a whole desk shares; these know no desk.
        | {"trading.broker_time", "trading.budget", "trading.doors", "trading.drilled", "trading.lately"}
        | {"trading.readings", "trading.throttle", "trading.turns", "trading.unwritten"},
        STANDARD_ONLY,
    ),
    "trading.broker_time": ({"brokers.base", "model", "trading.budget"}, STANDARD_ONLY),
    "trading.budget": ({"brokers.base", "errors", "model"}, STANDARD_ONLY),
    "trading.doors": ({"errors", "model"}, STANDARD_ONLY),
    "trading.drilled": ({"brokers.base", "clock", "errors", "model", "trading.budget"}, STANDARD_ONLY),
    "trading.lately": (set(), STANDARD_ONLY),
    "trading.readings": ({"model"}, STANDARD_ONLY),
    "trading.throttle": ({"errors"}, STANDARD_ONLY),
    "trading.turns": ({"errors", "model"}, STANDARD_ONLY),
    "trading.unwritten": ({"store"}, STANDARD_ONLY),
    "account": (
        {"account", "model", "store", "errors", "clock", "desk", "settings"},
        {"cryptography", "limits", "pyotp"},
    ),
    "trading": ({"trading", "model", "store", "brokers.base", "errors", "clock", "desk", "market"}, STANDARD_ONLY),
    "traffic": ({"settings", "store", "errors", "model", "clock"}, STANDARD_ONLY),
    "fault_log": ({"clock", "errors", "store", "traffic"}, STANDARD_ONLY),
    "traffic_upkeep": ({"store", "errors", "clock"}, STANDARD_ONLY),
    "moving_window": (set(), {"limits"}),
    "guard": ({"settings", "store", "errors", "model", "traffic"}, STANDARD_ONLY),
    # pydantic reads no TypedDict but that of typing_extensions before Python 3.12.
    # A fault of one field among several is made of pydantic_core's parts.
    "api": (FRONT | {"api"}, FRONT_LIBRARIES | {"typing_extensions", "pydantic_core"}),
    "web": (FRONT | {"web"}, FRONT_LIBRARIES | {"flask_bootstrap", "markupsafe", "segno"}),
    "console": ({"model", "settings", "errors"}, STANDARD_ONLY),
    "lock": ({"errors"}, STANDARD_ONLY),
    "folder": ({"errors", "settings"}, STANDARD_ONLY),
    "bootstrap": ({"lock", "errors", "settings"}, STANDARD_ONLY),
    "ports": ({"errors"}, STANDARD_ONLY),
    "server": ({"guard", "ports", "workers"}, {"waitress"}),
    "workers": (set(), {"waitress"}),
}
EVERYTHING = {"app", "commands", "__main__", "__init__"}

# Where a catch-all may stand, and why it must (design 11: at most five).
BROAD_EXCEPTS = {
    "trading/sending.py": "whatever an adapter raises after the claim, the order may be at the broker",
    "trading/budget.py": "what an adapter raises while it reads must neither stop a closing nor keep the doors shut",
    "trading/watch.py": "a timer that died would leave tickets open and orders in doubt, unseen",
}


def layer(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def rule_for(name: str) -> tuple[set[str], set[str]] | None:
    if name.split(".", maxsplit=1)[0] in EVERYTHING:
        return None
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        if (prefix := ".".join(parts[:length])) in MAY_IMPORT:
            return MAY_IMPORT[prefix]
    raise AssertionError(f"{name} stands in no row of the import table")


def imported(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the layer"
            module = node.module or ""
            yield from ((f"{module}.{alias.name}", node.lineno) for alias in node.names)


def is_within(name: str, allowed: set[str]) -> bool:
    return any(name == layer_name or name.startswith(f"{layer_name}.") for layer_name in allowed)


def typing_only(tree: ast.Module) -> set[int]:
    """Lines of imports under ``if TYPE_CHECKING``, which do not exist at run time."""
    branches = (node for node in ast.walk(tree) if isinstance(node, ast.If))
    guarded = (node for node in branches if ast.unparse(node.test) == "TYPE_CHECKING")
    return {line for node in guarded for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_what_its_layer_may(path: Path) -> None:
    rule = rule_for(layer(path))
    if rule is None:
        return
    ours, libraries = rule
    tree = parsed(path)
    skipped = typing_only(tree)
    for name, line in imported(tree):
        top = name.split(".")[0]
        if name == "openalgo_bridge.__version__":
            continue
        if top == "openalgo_bridge":
            assert is_within(name.removeprefix("openalgo_bridge."), ours), f"{path}:{line} imports {name}"
        elif top not in STANDARD and line not in skipped:
            assert top in libraries, f"{path}:{line} imports {name}"


def test_modules_and_functions_stay_small() -> None:
    for path in [*MODULES, ROOT / "run.py"]:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, f"{path} has over 400 lines"
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                assert length <= 60, f"{path}:{node.name} has {length} lines"


def test_the_median_function_is_short() -> None:
    lengths = sorted(
        (node.end_lineno or node.lineno) - node.lineno + 1
        for path in MODULES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef)
    )
    assert lengths[len(lengths) // 2] <= 12


def test_broad_excepts_stand_only_where_they_are_listed() -> None:
    assert len(BROAD_EXCEPTS) <= 5
    found = set()
    for path in [*MODULES, ROOT / "run.py"]:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ExceptHandler) and _is_broad(node):
                found.add(path.relative_to(PACKAGE).as_posix() if path.is_relative_to(PACKAGE) else path.name)
    assert found == set(BROAD_EXCEPTS)


def test_only_settings_reads_the_environment() -> None:
    readers = {name_of(path) for path in MODULES if _reads_environment(parsed(path))}
    # The bootstrap hands a child process an environment; it runs before there are settings.
    assert readers <= {"settings.py", "bootstrap.py"}


def test_no_import_hides_in_a_function() -> None:
    for path in MODULES:
        for function in ast.walk(parsed(path)):
            if isinstance(function, ast.FunctionDef):
                hidden = [node for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)]
                assert not hidden, f"{path}:{function.name}"


def test_sql_stands_only_in_the_store() -> None:
    statement = re.compile(r"\b(SELECT .+ FROM|INSERT INTO|UPDATE \w+ SET|DELETE FROM)\b")
    for path in MODULES:
        if path.is_relative_to(PACKAGE / "store"):
            continue
        assert not statement.search(path.read_text(encoding="utf-8")), path


def test_a_table_has_exactly_one_writing_module() -> None:
    writers: dict[str, set[str]] = {}
    statement = re.compile(r"\b(?:INSERT(?: OR \w+)? INTO|UPDATE|DELETE FROM) (\w+)")
    for path in sorted((PACKAGE / "store").glob("*.py")):
        if path.name.startswith("schema"):
            continue
        for table in statement.findall(path.read_text(encoding="utf-8")):
            if table != "SET":
                writers.setdefault(table, set()).add(path.name)
    assert all(len(modules) == 1 for modules in writers.values()), writers
    assert writers["ticket"] == writers["orders"] == writers["order_event"] == {"journal_rows.py"}


def test_only_the_journal_makes_a_send_permit() -> None:
    makers = {
        name_of(path)
        for path in MODULES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and "SendPermit" in ast.unparse(node.func)
    }
    assert makers == {"store/journal.py"}


def test_only_sending_calls_a_broker_that_changes_something() -> None:
    callers = {
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES
        if re.search(r"broker\.(place|modify|cancel)(_gtt)?\(", path.read_text(encoding="utf-8"))
    }
    assert callers == {"trading/sending.py"}


def test_no_broker_is_named_outside_its_folder() -> None:
    # Not inside a word: Bandhan Bank is a share.
    names = re.compile(r"(?<![a-z])(?:zerodha|upstox|dhan|alpaca|kiteconnect|angel)", re.IGNORECASE)
    for path in MODULES:
        if not path.is_relative_to(PACKAGE / "brokers"):
            assert not names.search(path.read_text(encoding="utf-8")), path


def test_no_vague_names() -> None:
    banned = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "service", "services"}
    for path in MODULES:
        assert not banned & {part.lower() for part in path.relative_to(PACKAGE).with_suffix("").parts}, path


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def _reads_environment(tree: ast.Module) -> bool:
    attributes = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return bool(attributes & {"os.environ", "os.getenv"}) or any(name == "os.environ" for name, _ in imported(tree))


def _is_broad(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or ast.unparse(handler.type) in {"Exception", "BaseException"}
