"""``/docs``: every endpoint with its fields, a form to try it, and the same call as a program.

The key is typed into the page and goes from there to the API; it is never in a form that is sent here, nor in a page.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from flask import Blueprint, Flask, abort, current_app, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from openalgo_bridge.web import programs
from openalgo_bridge.web.api_reference import Field, Operation, operations
from openalgo_bridge.web.current import current_desk
from openalgo_bridge.web.snippets import Snippet

blueprint = Blueprint("docs", __name__)


@blueprint.get("/docs")
def docs() -> ResponseReturnValue:
    """``?call=`` opens one endpoint, with its other arguments in the form and in the programs."""
    opened, listed = request.args.get("call", ""), _operations()
    typed = {each.id: _typed(each, request.args if each.id == opened else None) for each in listed}
    return render_template(
        "docs.html",
        groups=_grouped(listed),
        opened=opened,
        typed=typed,
        programs={each.id: _programs(each, typed[each.id]) for each in listed},
    )


@blueprint.get("/docs/programs")
def fresh_programs() -> ResponseReturnValue:
    """The programs of one call as it is typed just now, for the page."""
    wanted = request.args.get("call", "")
    found = next((each for each in _operations() if each.id == wanted), None)
    if found is None:
        abort(404)
    return jsonify({each.id: each.text for each in _programs(found, _typed(found, request.args))})


def _operations() -> tuple[Operation, ...]:
    api = cast("Flask", current_app.extensions["api"])
    return operations(api.extensions["openapi"]())


def _grouped(listed: Iterable[Operation]) -> dict[str, list[Operation]]:
    """By what they are about, in the order of the document."""
    groups: dict[str, list[Operation]] = {}
    for each in listed:
        groups.setdefault(each.group, []).append(each)
    return groups


def _typed(operation: Operation, given: Mapping[str, str] | None) -> dict[str, str]:
    """What stands in each field: what was typed, or to begin with an example where something is needed."""
    if given is None or not any(field.name in given for field in operation.fields):
        return {field.name: field.prefilled for field in operation.fields}
    return {field.name: given.get(field.name, "") for field in operation.fields}


def _programs(operation: Operation, typed: Mapping[str, str]) -> tuple[Snippet, ...]:
    return programs.programs(
        programs.Request(
            operation=operation.id,
            method=operation.method,
            url=current_desk().settings.url,
            path=operation.path,
            values={field.name: _value(field, typed[field.name]) for field in operation.fields if typed[field.name]},
        )
    )


def _value(field: Field, text: str) -> Any:
    """A list as a list, where it is one; anything else as it was typed, which the API takes for numbers too.

    So is what is nested deeper than Python reads: the API says what is wrong with it.
    """
    if not field.is_list:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
