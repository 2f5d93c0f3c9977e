"""The OpenAPI 3.1 document, made from the table of endpoints and its models: there is nothing in it to keep in step."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from openalgo_bridge import __version__
from openalgo_bridge.api.endpoint import PREFIX, Endpoint, Method
from openalgo_bridge.api.idempotency import HEADER, NEVER_REFUSED, REPLAYED
from openalgo_bridge.api.limits import Bucket
from openalgo_bridge.api.schemas.base import ALIASES, Failure
from openalgo_bridge.api.text import PLAIN
from openalgo_bridge.settings import Settings

if TYPE_CHECKING:
    from pydantic_core import core_schema

Document = dict[str, Any]

_JSON = "application/json"
_KEY = "The API key: 32 letters and digits, in the header `X-API-KEY` or in the field `apikey`."
_KEY_FIELD = {"apikey": {"type": "string", "description": _KEY}}

# The modules of the views by what they are about, where their names do not say it.
_GROUPS = {
    "several": "Orders",
    "option_orders": "Orders",
    "gtt": "Orders that wait for a price",
    "market": "Prices",
    "symbols": "Instruments",
    "margin": "Account",
    "preferences": "Charts",
}

# Where a rule comes from, which is for who reads the code.
_SOURCE = re.compile(r" \([a-z]+ [\d., ]+\)")

_FAILURES = {
    400: "Bad input, no key, two different keys, or a refusal by the exchange.",
    401: "A Bearer token instead of a key.",
    403: "The key is not ours, or may not do this; or a guard or the kill switch said no: then `guard` names it.",
    404: "There is nothing of that name.",
    409: "Nobody knows yet whether that order is at the broker, or something changed meanwhile; or the "
    "`Idempotency-Key` was used for another request, or its first request is still running.",
    413: "The body is larger than 256 KiB.",
    421: "A foreign Host, or a call through a tunnel.",
    429: "Over the limit.",
    501: "The broker has no such feature.",
    503: "Nothing was sent: no broker is connected for the mode, a database cannot be used, the bridge is starting, "
    "or too many requests wait for the broker.",
}
_OF_EVERY_CALL = {400, 401, 403, 413, 421, 429, 503}
_OF_ORDERS = {404, 409}
_WITH_RETRY_AFTER = {409, 429, 503}

_PARAMETERS = {
    "IdempotencyKey": {
        "name": HEADER,
        "in": "header",
        "description": "The same key with the same body gets the first answer again, and nothing is sent.",
        "schema": {"type": "string", "pattern": "^[ -~]{1,255}$"},
    },
    "AnyIdempotencyKey": {
        "name": HEADER,
        "in": "header",
        "description": "As everywhere; but what is none counts for nothing, and the call is carried out.",
        "schema": {"type": "string"},
    },
}
_HEADERS = {
    "RetryAfter": {"description": "Seconds until it may be tried again.", "schema": {"type": "integer"}},
    "Replayed": {"description": "This answer was given before.", "schema": {"const": "true"}},
}


def document(endpoints: Iterable[Endpoint], settings: Settings) -> Document:
    """The document of a bridge with these settings, which give its address and its limits. It knows no account."""
    listed = tuple(endpoints)
    schemas = _schemas(listed)
    return {
        "openapi": "3.1.0",
        "info": {"title": "OpenAlgo Bridge", "version": __version__, "description": _introduction()},
        "servers": [{"url": settings.url}],
        # The empty one: a key in the body or the query needs no header, and OpenAPI has no word for that.
        "security": [{"key": []}, {}],
        "paths": _paths(listed, schemas, settings),
        "components": {
            "schemas": schemas.components,
            "responses": {_name(status): _failure(status, why) for status, why in _FAILURES.items()},
            "parameters": _PARAMETERS,
            "headers": _HEADERS,
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-API-KEY", "description": _KEY}},
        },
    }


def _paths(endpoints: Iterable[Endpoint], schemas: _Schemas, settings: Settings) -> Document:
    paths: Document = {}
    for each in endpoints:
        methods = paths.setdefault(f"{PREFIX}{each.template}", {})
        methods[each.method.lower()] = _operation(each, schemas, settings)
    return paths


class _Schemas:
    """The schemas of all endpoints, made in one go, so that two types of one name get two names."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        adapters: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = [("", "serialization", TypeAdapter(Failure))]
        for each in endpoints:
            adapters.append((each.name, "validation", TypeAdapter(each.request)))
            adapters.append((each.name, "serialization", TypeAdapter(each.answer)))
        self._made, defined = TypeAdapter.json_schemas(
            adapters, ref_template="#/components/schemas/{model}", schema_generator=_Plain
        )
        self.components: Document = defined["$defs"]
        for words in (each for each in self.components.values() if "enum" in each):
            # Meant for who reads the code, too; and pydantic adds it after everything that _Plain could do.
            words.pop("description", None)
        for each in endpoints:
            model = self._model(each)
            model["properties"] = {**_KEY_FIELD, **model.get("properties", {})}

    def request(self, endpoint: Endpoint) -> Document:
        """What the body of a call is."""
        return self._made[endpoint.name, "validation"]

    def fields(self, endpoint: Endpoint) -> Iterator[tuple[str, Document, bool]]:
        """The fields of a call by name, each with its schema and whether it must be there."""
        model = self._model(endpoint)
        for name, schema in model["properties"].items():
            yield name, schema, name in model.get("required", ())

    def example(self, endpoint: Endpoint) -> Document:
        """Fields that are there in a call that makes sense, where its model says so."""
        given: Document = self._model(endpoint).get("examples", [{}])[0]
        return given

    def answer(self, endpoint: Endpoint) -> Document:
        """What a success is."""
        return self._made[endpoint.name, "serialization"]

    def _model(self, endpoint: Endpoint) -> Document:
        model: Document = self.components[self.request(endpoint)["$ref"].rpartition("/")[2]]
        return model


@lru_cache(maxsize=1)
def _schemas(endpoints: tuple[Endpoint, ...]) -> _Schemas:
    """Once for a process: the types stay as they are, and it takes a quarter of a second."""
    return _Schemas(endpoints)


class _Plain(GenerateJsonSchema):
    """As a reader outside wants it: what a model's text says is meant for who reads the code."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002
        """No field is called by its name a second time."""
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> Document:
        """A request. Its endpoint has a sentence for it."""
        made = super().model_schema(schema)
        made.pop("description", None)
        return made

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> Document:
        """An answer: these fields and no others."""
        made = super().typed_dict_schema(schema)
        text = _SOURCE.sub("", made["description"]).replace("``", "`")
        return {**made, "description": text, "additionalProperties": False}


def _introduction() -> str:
    spellings = ", ".join(f"`{other}` for `{field}`" for other, field in ALIASES.items())
    return (
        "A POST is a JSON object, whatever its Content-Type; a GET asks in its address. The API key is in the field "
        "`apikey` or in the header `X-API-KEY`. Numbers may be text, unknown fields are ignored. A success is always "
        "200, with compact JSON. Capitals and underscores in the name of a field make no difference, and other names "
        f"are taken too: {spellings}."
    )


def _operation(endpoint: Endpoint, schemas: _Schemas, settings: Settings) -> Document:
    is_order = endpoint.bucket is not Bucket.READS
    statuses = _OF_EVERY_CALL | set(endpoint.also_fails_with) | (_OF_ORDERS if is_order else set())
    success: Document = {"description": "Done.", "content": _content(schemas.answer(endpoint))}
    operation: Document = {
        "operationId": endpoint.name,
        "tags": [_group(endpoint)],
        "summary": endpoint.summary,
        "description": f"{_needed(endpoint)} {_limit(endpoint, settings)}",
        # What a page must not do without saying so.
        "x-changes-something": is_order or endpoint.must_be_recorded,
        "x-changes-orders": is_order,
        **_asked(endpoint, schemas),
        "responses": {"200": success, **{str(each): _refused(endpoint, each) for each in sorted(statuses)}},
    }
    if endpoint.text_type:
        success["content"][endpoint.text_type] = {"schema": {"type": "string"}}
    if is_order:
        key = "AnyIdempotencyKey" if endpoint.path in NEVER_REFUSED else "IdempotencyKey"
        operation["parameters"] = [_at("parameters", key)]
        success["headers"] = {REPLAYED: _at("headers", "Replayed")}
    return operation


def _group(endpoint: Endpoint) -> str:
    module = endpoint.view.__module__.rpartition(".")[2]
    return _GROUPS.get(module, module.capitalize())


def _asked(endpoint: Endpoint, schemas: _Schemas) -> Document:
    if endpoint.method is Method.POST:
        return {"requestBody": {"required": True, "content": _content(schemas.request(endpoint))}}
    fields, example = schemas.fields(endpoint), schemas.example(endpoint)
    parameters = [_parameter(endpoint, name, schema, required=must) for name, schema, must in fields]
    return {"parameters": [{**each, **_given(example, each["name"])} for each in parameters]}


def _given(example: Document, name: str) -> Document:
    return {"example": example[name]} if name in example else {}


def _parameter(endpoint: Endpoint, name: str, schema: Document, *, required: bool) -> Document:
    plain = {key: value for key, value in schema.items() if key != "description"}
    if {"type": "null"} in plain.get("anyOf", ()):
        # An address has no word for nothing: what is not meant is left out.
        (plain,) = (each for each in plain["anyOf"] if each != {"type": "null"})
    where = "path" if name in endpoint.path_fields else "query"
    return {
        "name": name,
        "in": where,
        "required": required,
        **({"description": schema["description"]} if "description" in schema else {}),
        "schema": plain,
    }


def _needed(endpoint: Endpoint) -> str:
    return (
        "Any key may call it." if endpoint.needs is None else f"The key needs permission to {endpoint.needs.sentence}."
    )


def _limit(endpoint: Endpoint, settings: Settings) -> str:
    match endpoint.bucket:
        case Bucket.ORDERS:
            return f"At most {settings.order_rate_limit}, all order endpoints together."
        case Bucket.CANCELS:
            return f"At most {settings.order_rate_limit}, all cancels together; other orders never use it up."
        case Bucket.CLOSINGS:
            return f"At most {settings.order_rate_limit}, all closings together; other orders never use it up."
        case Bucket.READS:
            return f"At most {settings.api_rate_limit}, all reads together."


def _refused(endpoint: Endpoint, status: int) -> Document:
    if not endpoint.text_type:
        return _at("responses", _name(status))
    made = _failure(status, _FAILURES[status])
    made["content"][PLAIN] = {"schema": {"type": "string"}}
    return made


def _failure(status: int, why: str) -> Document:
    made: Document = {"description": why, "content": _content(_at("schemas", Failure.__name__))}
    if status in _WITH_RETRY_AFTER:
        made["headers"] = {"Retry-After": _at("headers", "RetryAfter")}
    return made


def _name(status: int) -> str:
    """``NotFound`` of 404."""
    return "".join(word.title() for word in HTTPStatus(status).name.split("_"))


def _at(kind: str, name: str) -> Document:
    return {"$ref": f"#/components/{kind}/{name}"}


def _content(schema: Document) -> Document:
    return {_JSON: {"schema": schema}}
