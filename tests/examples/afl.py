"""Runs the part of AmiBroker's formula language that ``examples/amibroker`` is written in.

Stricter than AmiBroker: a name that no function declares is an error, and ``AND`` and ``OR`` always look at both sides,
because nothing promises that they do not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Value = Any
Builtin = Callable[..., Value]

_TOKEN = re.compile(
    r"""\s+|//[^\n]*|(?P<text>"(?:\\.|[^"\\])*")|(?P<number>\d+(?:\.\d+)?)|(?P<name>[A-Za-z_]\w*)"""
    r"""|(?P<sign>[=!<>]=|[-+*/<>=!(){},;])"""
)
_ESCAPES = {"n": "\n", "r": "\r", '"': '"', "\\": "\\"}
_LEVELS = (("or",), ("and",), ("==", "!=", "<", "<=", ">", ">="), ("+", "-"), ("*", "/"))
_OPERATIONS: Mapping[str, Callable[[Value, Value], Value]] = {
    "or": lambda a, b: float(truth(a) or truth(b)),
    "and": lambda a, b: float(truth(a) and truth(b)),
    "==": lambda a, b: float(a == b),
    "!=": lambda a, b: float(a != b),
    "<": lambda a, b: float(a < b),
    "<=": lambda a, b: float(a <= b),
    ">": lambda a, b: float(a > b),
    ">=": lambda a, b: float(a >= b),
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
}


def truth(value: Value) -> bool:
    """AFL has numbers for truth; its Null is false, and a text is neither."""
    if isinstance(value, str):
        raise TypeError(f"{value!r} is no condition")
    return bool(value)


@dataclass
class Scope:
    """The names that can be seen. ``outside`` are those of the formula, in which globals are declared."""

    names: dict[str, Value]
    outside: dict[str, Value]
    globals: set[str] = field(default_factory=set)

    def home(self, name: str) -> dict[str, Value]:
        return self.outside if name in self.globals else self.names


class Return(Exception):
    """Ends a function."""

    def __init__(self, value: Value) -> None:
        self.value = value


Run = Callable[[Scope], Value]


class Formula:
    """A formula, ready to run with what AmiBroker has built in. Raises SyntaxError."""

    def __init__(self, text: str, builtins: Mapping[str, Value]) -> None:
        self._builtins = {name.lower(): value for name, value in builtins.items()}
        self._functions: dict[str, Builtin] = {}
        self._tokens = list(_tokens(text))
        self._at = 0
        self._formula: dict[str, Value] = {}
        self._statements = self._until_end()

    def run(self) -> None:
        """Once through, as AmiBroker does at every refresh."""
        self._formula.clear()
        for statement in self._statements:
            statement(Scope(self._formula, self._formula))

    def call(self, name: str, *arguments: Value) -> Value:
        """One of its functions."""
        return self._functions[name.lower()](*arguments)

    def _until_end(self) -> list[Run]:
        statements = []
        while self._at < len(self._tokens):
            statements.append(self._statement())
        return statements

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise SyntaxError("the formula ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, *wanted: str) -> bool:
        found = self._peek() in wanted
        self._at += found
        return found

    def _expect(self, wanted: str) -> None:
        if not self._take(wanted):
            raise SyntaxError(f"{wanted!r} wanted, {self._peek()!r} found at token {self._at}")

    def _listed(self, one: Callable[[], Any], end: str) -> list[Any]:
        items: list[Any] = []
        while not self._take(end):
            if items:
                self._expect(",")
            items.append(one())
        return items

    def _name(self) -> str:
        return self._next()[1]

    def _statement(self) -> Run:
        word = self._peek()
        parse = {
            "{": self._block,
            "if": self._if,
            "while": self._while,
            "function": self._function,
            "local": self._declaration,
            "global": self._declaration,
            "return": self._return,
        }.get(word)
        if parse is not None:
            self._at += 1
            return parse()
        run = self._assignment()
        self._expect(";")
        return run

    def _block(self) -> Run:
        statements = []
        while not self._take("}"):
            statements.append(self._statement())

        def run(scope: Scope) -> None:
            for statement in statements:
                statement(scope)

        return run

    def _if(self) -> Run:
        condition, then = self._condition(), self._statement()
        otherwise = self._statement() if self._take("else") else None

        def run(scope: Scope) -> None:
            if truth(condition(scope)):
                then(scope)
            elif otherwise is not None:
                otherwise(scope)

        return run

    def _while(self) -> Run:
        condition, repeated = self._condition(), self._statement()

        def run(scope: Scope) -> None:
            while truth(condition(scope)):
                repeated(scope)

        return run

    def _condition(self) -> Run:
        self._expect("(")
        condition = self._assignment()
        self._expect(")")
        return condition

    def _declaration(self) -> Run:
        is_global = self._tokens[self._at - 1][1] == "global"
        names = self._listed(self._name, ";")

        def run(scope: Scope) -> None:
            if is_global:
                scope.globals.update(names)
            else:
                scope.names.update(dict.fromkeys(names))

        return run

    def _return(self) -> Run:
        value = self._assignment()
        self._expect(";")

        def run(scope: Scope) -> None:
            raise Return(value(scope))

        return run

    def _function(self) -> Run:
        name = self._name()
        self._expect("(")
        parameters = self._listed(self._name, ")")
        self._expect("{")
        body = self._block()

        def call(*arguments: Value) -> Value:
            try:
                body(Scope(dict(zip(parameters, arguments, strict=True)), self._formula))
            except Return as end:
                return end.value
            return None

        self._functions[name] = call
        return lambda scope: None

    def _assignment(self) -> Run:
        if self._peek_after() != "=":
            return self._binary(0)
        name = self._name()
        self._expect("=")
        value = self._assignment()

        def run(scope: Scope) -> Value:
            home = scope.home(name)
            if home is not scope.outside and name not in home:
                raise NameError(f"{name} is declared nowhere")
            home[name] = value(scope)
            return home[name]

        return run

    def _peek_after(self) -> str:
        return self._tokens[self._at + 1][1] if self._at + 1 < len(self._tokens) else ""

    def _binary(self, level: int) -> Run:
        if level == len(_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while self._peek() in _LEVELS[level]:
            left = _joined(_OPERATIONS[self._name()], left, self._binary(level + 1))
        return left

    def _unary(self) -> Run:
        if self._take("-"):
            number = self._unary()
            return lambda scope: -number(scope)
        return self._primary()

    def _primary(self) -> Run:
        kind, word = self._next()
        if word == "(":
            inner = self._assignment()
            self._expect(")")
            return inner
        if kind == "number":
            return lambda scope: float(word)
        if kind == "text":
            text = re.sub(r"\\(.)", lambda found: _ESCAPES[found[1]], word[1:-1])
            return lambda scope: text
        if kind != "name":
            raise SyntaxError(f"{word!r} begins nothing")
        return self._call(word) if self._take("(") else self._read(word)

    def _call(self, name: str) -> Run:
        arguments = self._listed(self._assignment, ")")

        def run(scope: Scope) -> Value:
            function = self._functions.get(name) or self._builtins[name]
            return function(*(argument(scope) for argument in arguments))

        return run

    def _read(self, name: str) -> Run:
        def run(scope: Scope) -> Value:
            home = scope.home(name)
            return home[name] if name in home else self._builtins[name]

        return run


def _joined(operation: Callable[[Value, Value], Value], left: Run, right: Run) -> Run:
    return lambda scope: operation(left(scope), right(scope))


def _tokens(text: str) -> Sequence[tuple[str, str]]:
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise SyntaxError(f"unknown text: {text[at : at + 20]!r}")
        if match.lastgroup is not None:
            word = match[0] if match.lastgroup == "text" else match[0].lower()
            found.append((match.lastgroup, word))
        at = match.end()
    return found
