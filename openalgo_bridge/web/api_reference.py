"""The endpoints as ``/docs`` shows them, read from the OpenAPI document: what that does not say, nobody says here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Node = Mapping[str, Any]

_WORDS = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false", "null": "null"}
_INDENT = "  "


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a request. ``kind`` is its type in words. A list is JSON, and ``outline`` says what is in it.

    ``prefilled`` is what it holds in a request that would be taken: nothing where it may be left out.
    """

    name: str
    kind: str
    description: str
    is_needed: bool
    choices: tuple[str, ...]
    default: str
    example: str
    prefilled: str
    is_list: bool
    outline: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One form of a success: what it means, and its fields as an outline."""

    description: str
    outline: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One endpoint. ``path`` may hold a field in braces, as OpenAPI writes it."""

    id: str
    group: str
    method: str
    path: str
    summary: str
    description: str
    changes_something: bool
    changes_orders: bool
    fields: tuple[Field, ...]
    answers: tuple[Shape, ...]
    failures: tuple[tuple[str, str], ...]


def operations(document: Node) -> tuple[Operation, ...]:
    """Every endpoint of the document, in its order."""
    reader = _Reader(document)
    return tuple(
        reader.operation(path, method, found)
        for path, methods in document["paths"].items()
        for method, found in methods.items()
    )


class _Reader:
    """Follows the references of one document."""

    def __init__(self, document: Node) -> None:
        self._document = document

    def operation(self, path: str, method: str, found: Node) -> Operation:
        success = found["responses"]["200"]["content"]
        answers = self._at(success["application/json"]["schema"]) if "application/json" in success else {}
        return Operation(
            id=found["operationId"],
            group=found["tags"][0],
            method=method.upper(),
            path=path,
            summary=found["summary"],
            description=found["description"],
            changes_something=found["x-changes-something"],
            changes_orders=found["x-changes-orders"],
            fields=tuple(self._fields(found)),
            answers=tuple(self._shape(each) for each in answers.get("anyOf", [answers])),
            failures=tuple(
                (status, self._at(response)["description"])
                for status, response in found["responses"].items()
                if status != "200"
            ),
        )

    def _fields(self, found: Node) -> Iterator[Field]:
        body = found.get("requestBody")
        if body is None:
            for parameter in map(self._at, found.get("parameters", [])):
                if parameter["in"] != "header" and parameter["name"] != "apikey":
                    described = {"description": parameter.get("description", ""), **parameter["schema"]}
                    yield self._field(
                        parameter["name"],
                        described,
                        is_needed=parameter.get("required", False),
                        prefilled=parameter.get("example"),
                    )
            return
        model = self._at(body["content"]["application/json"]["schema"])
        whole = model.get("examples", [{}])[0]
        # Where any field may be sent, those of the example stand for them.
        fields = {**{name: {"type": "string"} for name in whole}, **model["properties"]}
        for name, schema in fields.items():
            if name != "apikey":
                yield self._field(name, schema, is_needed=name in model.get("required", ()), prefilled=whole.get(name))

    def _field(self, name: str, schema: Node, *, is_needed: bool, prefilled: object = None) -> Field:
        whole = self._at(schema)
        forms = [self._at(form) for form in _alternatives(whole) if form.get("type") != "null"]
        is_list = any(form.get("type") in {"array", "object"} for form in forms)
        default, example = schema.get("default"), _typed(self._example(whole))
        return Field(
            name=name,
            kind=" or ".join(dict.fromkeys(map(self._kind, forms))),
            description=schema.get("description", ""),
            is_needed=is_needed,
            choices=tuple(forms[0]["enum"]) if _is_choice(forms[0]) and len(forms) == 1 else (),
            default="" if default is None else str(default),
            example=example,
            prefilled=example if is_needed and prefilled is None else _typed(prefilled or ""),
            is_list=is_list,
            outline="\n".join(self._outline(whole, "")) if is_list else "",
        )

    def _kind(self, form: Node) -> str:
        form = self._at(form)
        if _is_choice(form):
            return "one of the list"
        if form.get("type") in {"array", "object"}:
            return "JSON"
        return _WORDS.get(str(form.get("type")), "text")

    def _example(self, schema: Node) -> Any:
        """The first that the document gives, or one made of those of its parts."""
        whole = self._at(schema)
        if "examples" in whole:
            return whole["examples"][0]
        if "anyOf" in whole:
            return next((found for form in whole["anyOf"] if (found := self._example(form)) != ""), "")
        if whole.get("type") == "array":
            return [self._example(whole["items"])]
        if "properties" in whole:
            return {name: self._example(whole["properties"][name]) for name in whole.get("required", ())}
        return next(iter(whole.get("enum", ())), "")

    def _shape(self, schema: Node) -> Shape:
        whole = self._at(schema)
        return Shape(description=whole.get("description", ""), outline="\n".join(self._outline(whole, "")))

    def _outline(self, schema: Node, indent: str) -> list[str]:
        """The lines of a schema: JSON with types in place of values, ``?`` behind what may be absent."""
        whole, inner = self._at(schema), indent + _INDENT
        if "anyOf" in whole:
            return [" or ".join("\n".join(self._outline(form, indent)) for form in whole["anyOf"])]
        if whole.get("type") == "array":
            lines = self._outline(whole["items"], indent)
            lines[0] = f"[{lines[0]}"
            lines[-1] = f"{lines[-1]}, ...]"
            return lines
        if "properties" not in whole:
            return [_value(whole)]
        lines = ["{"]
        for name, each in whole["properties"].items():
            first, *others = self._outline(each, inner)
            mark = "" if name in whole.get("required", ()) else "?"
            lines += [f"{inner}{name}{mark}: {first}", *others]
        return [*lines, f"{indent}}}"]

    def _at(self, node: Node) -> Node:
        """The node itself, or what it points at, with what stands beside the pointer."""
        if "$ref" not in node:
            return node
        found: Node = self._document
        for step in str(node["$ref"]).removeprefix("#/").split("/"):
            found = found[step]
        return {**self._at(found), **{key: value for key, value in node.items() if key != "$ref"}}


def _alternatives(schema: Node) -> Iterator[Node]:
    for form in schema.get("anyOf", [schema]):
        if "anyOf" in form:
            yield from _alternatives(form)
        else:
            yield form


def _is_choice(form: Node) -> bool:
    """Words to choose from, not numbers."""
    return "enum" in form and form.get("type") == "string"


def _typed(example: object) -> str:
    """As a person types it into a field of the page."""
    return example if isinstance(example, str) else json.dumps(example, indent=2)


def _value(schema: Node) -> str:
    if "const" in schema:
        return f'"{schema["const"]}"'
    if "enum" in schema:
        return " or ".join(f'"{each}"' for each in schema["enum"])
    return _WORDS.get(str(schema.get("type")), "anything")
