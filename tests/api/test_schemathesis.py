"""The OpenAPI document is true: what it allows is answered in its shapes, and what it does not allow is refused.

schemathesis makes the calls from the document itself: every boundary of every field, and random ones.
"""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Callable

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.transport import Response
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from openalgo_bridge.api.endpoint import Method
from openalgo_bridge.api.endpoints import ENDPOINTS
from openalgo_bridge.api.idempotency import HEADER as IDEMPOTENCY_KEY
from openalgo_bridge.api.openapi import document
from openalgo_bridge.settings import Settings
from tests.api.conftest import ORDER, Post, rest
from tests.conftest import Account

URL = "http://127.0.0.1:5000"
CONFORMANCE = [
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]
# Bad input is a 400. Any other refusal, as the 501 of what the paper exchange does not offer, may be one of good input.
REFUSED = schemathesis.Config.from_dict({"checks": {"negative_data_rejection": {"expected-statuses": ["400"]}}})
# What is refused before any field is looked at.
UNREADABLE = re.compile(
    "The request has no body|The body is|The field .+ is there twice|A number has|A text contains|Idempotency-Key must"
)
# A GET that asks for nothing in its address can be asked for nothing wrong.
MODES = {
    endpoint.name: list(GenerationMode)
    if endpoint.method is Method.POST or endpoint.request.model_fields
    else [GenerationMode.POSITIVE]
    for endpoint in ENDPOINTS
}
MANY = 50_000 // sum(map(len, MODES.values())) + 1

Try = Callable[[Case], None]


@pytest.fixture(scope="module")
def operations() -> dict[str, APIOperation]:
    """Without the field of the key, which would only make every call one with two keys: here it is in the header.

    What is asked beside a wrong field is what the document's example asks: nothing else is a reason to refuse.
    """
    told = copy.deepcopy(document(ENDPOINTS, Settings()))
    for schema in told["components"]["schemas"].values():
        fields = schema.get("properties", {})
        fields.pop("apikey", None)
        for name in fields.keys() & schema.get("examples", [{}])[0]:
            fields[name]["examples"] = [schema["examples"][0][name]]
            fields[name].pop("default", None)
    for operation in (each for methods in told["paths"].values() for each in methods.values()):
        asked = operation.get("parameters", [])
        operation["parameters"] = [each for each in asked if each.get("name") != "apikey"]
    described = schemathesis.openapi.from_dict(told, config=REFUSED)
    # Calls go to an app and not to a socket; which one, each test says.
    described.app = Flask(__name__)
    found = (result.ok() for result in described.get_all_operations())
    return {operation.definition.raw["operationId"]: operation for operation in found}


@pytest.fixture
def attempt(app: Flask, account: Account, post: Post) -> Try:
    """One call of a desk with something in its books."""
    assert post("placeorder", **ORDER)[0] == 200
    rest(post)

    def ask(case: Case) -> Response:
        answer = case.call(base_url=URL, headers={"X-API-KEY": account.key}, app=app)
        case.validate_response(answer, checks=CONFORMANCE)
        is_dialect(answer)
        return answer

    def make(case: Case) -> None:
        case.headers.pop("X-API-KEY", None)
        answer = ask(case)
        if answer.status_code == 409 and case.headers.pop(IDEMPOTENCY_KEY, None):
            # An earlier case had this key, so what this one asks was not looked at.
            answer = ask(case)
        case.validate_response(answer, checks=[negative_data_rejection])
        if answer.status_code == 400 and is_bad_body(case):
            assert "errors" in answer.json() or UNREADABLE.match(answer.json()["message"]), answer.text

    return make


def is_bad_body(case: Case) -> bool:
    """Then the refusal names the field; one of the exchange, or of the whole order, would hide that it was taken."""
    body = case.meta and case.meta.components.get(ParameterLocation.BODY)
    return body is not None and body.mode is GenerationMode.NEGATIVE


def is_dialect(answer: Response) -> None:
    """Compact JSON, one error shape, and no fault of ours: 501 is what the paper exchange does not offer."""
    assert answer.status_code < 500 or answer.status_code == 501, answer.text
    if answer.headers["content-type"] != ["application/json"]:
        return
    assert answer.text == json.dumps(answer.json(), separators=(",", ":"))
    if answer.status_code != 200:
        assert answer.json()["status"] == "error"
        assert answer.json()["message"]


def boundaries(operation: APIOperation) -> list[Case]:
    """Every field at and beyond its limits, with another type, missing, and alone; and every other method."""
    described = operation.schema
    return list(
        described.iter_coverage_cases(
            operation, generation_modes=list(GenerationMode), generation_config=described.config.generation
        )
    )


@pytest.mark.parametrize("name", MODES)
@pytest.mark.parametrize("most", [64, pytest.param(None, marks=pytest.mark.slow)], ids=["2000", "all"])
def test_at_its_boundaries_a_call_is_answered_or_refused_as_described(
    operations: dict[str, APIOperation], attempt: Try, name: str, most: int | None
) -> None:
    """Two thousand of all endpoints together. Those with many fields have more: always the same ones are left out."""
    cases = boundaries(operations[name])
    # Of what a GET without fields can be asked wrong, other methods, each is made once for all tests.
    assert len(cases) >= 2
    for case in random.Random(name).sample(cases, min(len(cases), most or len(cases))):
        attempt(case)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("name", "mode"), [(name, mode) for name, modes in MODES.items() for mode in modes])
def test_fifty_thousand_random_calls_are_answered_or_refused_as_described(
    operations: dict[str, APIOperation], attempt: Try, name: str, mode: GenerationMode
) -> None:
    @settings(max_examples=MANY, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operations[name].as_strategy(generation_mode=mode))
    def call(case: Case) -> None:
        attempt(case)

    call()
