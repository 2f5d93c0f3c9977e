"""One call of the API as a program, in the languages the page offers. Each reads the key from the environment."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from openalgo_bridge.web.snippets import Snippet, afl

Values = Mapping[str, Any]

# The methods of the published Python client: those that are not called as their endpoint is, and those that are.
NAMED_OTHERWISE = {
    "analyzer": "analyzerstatus",
    "analyzer_toggle": "analyzertoggle",
    "get_instruments": "instruments",
    "market_holidays": "holidays",
    "market_timings": "timings",
    "telegram_notify": "telegram",
}
NAMED_ALIKE = {
    "basketorder", "cancelallorder", "cancelorder", "closeposition", "depth", "expiry", "funds", "history", "holdings",
    "intervals", "margin", "modifyorder", "multiquotes", "openposition", "optionchain", "optiongreeks",
    "optionsmultiorder", "optionsorder", "optionsymbol", "orderbook", "orderstatus", "placeorder", "placesmartorder",
    "positionbook", "quotes", "search", "splitorder", "symbol", "syntheticfuture", "tradebook",
}  # fmt: skip
# Fields that its method has no argument for; all the others take any.
_WITHOUT = {"get_instruments": {"format"}}
_ARGUMENTS = {"pricetype": "price_type", "orderid": "order_id"}
_KEY: Final = "OPENALGO_API_KEY"
# A quote or backslash inside a text of JSON, and what the Windows command prompt reads for itself where a quote before
# it was written with a backslash. JSON has another spelling for each of them, with neither quotes nor such characters.
_IN_TEXT = re.compile(r'\\(["\\])')
_CMD_READS = re.compile(r"[&|<>^%!]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call: ``operation`` is the name of its endpoint, ``path`` may hold fields in braces."""

    operation: str
    method: str
    url: str
    path: str
    values: Values

    @property
    def is_read_by_address(self) -> bool:
        """A GET has no body."""
        return self.method == "GET"

    @property
    def body(self) -> Values:
        """What does not stand in the path."""
        return {name: value for name, value in self.values.items() if f"{{{name}}}" not in self.path}

    @property
    def address(self) -> str:
        """The whole address, without a query."""
        filled = self.path
        for name, value in self.values.items():
            filled = filled.replace(f"{{{name}}}", quote(str(value), safe=":"))
        return f"{self.url}{filled}"

    @property
    def whole_address(self) -> str:
        """With the query that a GET has."""
        query = urlencode(self.body) if self.is_read_by_address else ""
        return f"{self.address}?{query}" if query else self.address


def programs(request: Request) -> tuple[Snippet, ...]:
    """The call in every language. ``id`` is the same for each call of an endpoint."""

    def snippet(language: str, title: str, note: str, text: str) -> Snippet:
        return Snippet(id=f"{request.operation}-{language}", title=title, note=note, text=text)

    return (
        snippet("curl", "curl", "On Linux, or in Git Bash on Windows.", _curl(request)),
        snippet("cmd", "curl in the Windows Command Prompt", "curl comes with Windows 10 and newer.", _cmd(request)),
        snippet("python", "Python", "First: pip install openalgo", _python(request)),
        snippet("node", "Node", "Version 18 or newer.", _node(request)),
        snippet(
            "afl", "AmiBroker (AFL)", "Version 6.40 or newer. The answer appears in the Log window.", _afl(request)
        ),
    )


def _curl(request: Request) -> str:
    # Double quotes, so that the shell puts the key in.
    header = f'-H "X-API-KEY: ${_KEY}"'
    body = "" if request.is_read_by_address else f" -d {shlex.quote(_json(request.body))}"
    return f"curl -s {header}{body} {shlex.quote(request.whole_address)}"


def _cmd(request: Request) -> str:
    header = f'-H "X-API-KEY: %{_KEY}%"'
    if request.is_read_by_address:
        return f'curl -s {header} "{request.whole_address}"'
    text = _IN_TEXT.sub(lambda found: _escaped(found[1]), _json(request.body))
    text = _CMD_READS.sub(lambda found: _escaped(found[0]), text).replace('"', r"\"")
    return f'curl -s {header} -d "{text}" {request.address}'


def _escaped(character: str) -> str:
    return f"\\u{ord(character):04x}"


def _python(request: Request) -> str:
    method = NAMED_OTHERWISE.get(request.operation, request.operation if request.operation in NAMED_ALIKE else None)
    if method is None or _WITHOUT.get(request.operation, set()) & request.values.keys():
        return _python_alone(request)
    arguments = "".join(
        f"\n    {_ARGUMENTS.get(name, name)}={_python_value(value)}," for name, value in request.values.items()
    )
    call = f"client.{method}({arguments.rstrip(',')})" if arguments else f"client.{method}()"
    return (
        "import os\nfrom openalgo import api\n\n"
        f'client = api(api_key=os.environ["{_KEY}"],\n             host="{request.url}")\n'
        f"print({call})"
    )


def _python_alone(request: Request) -> str:
    """The client has no method for it, but brings httpx along."""
    verb, argument = ("get", "params") if request.is_read_by_address else ("post", "json")
    fields = "".join(f'\n    "{name}": {_python_value(value)},' for name, value in request.body.items())
    given = f"{{{fields}\n}}" if fields else "{}"
    return (
        f'import os\nimport httpx\n\nfields = {given}\nanswer = httpx.{verb}("{request.address}", {argument}=fields,\n'
        f'    headers={{"X-API-KEY": os.environ["{_KEY}"]}})\nprint(answer.text)'
    )


def _python_value(value: object) -> str:
    if isinstance(value, str) and value.isascii() and value.isprintable() and not set(value) & {'"', "\\"}:
        return f'"{value}"'
    return repr(value)


def _node(request: Request) -> str:
    lines = [f"fetch({json.dumps(request.whole_address)}, {{", f'  method: "{request.method}",']
    lines.append(f'  headers: {{ "X-API-KEY": process.env.{_KEY} }},')
    if not request.is_read_by_address:
        fields = json.dumps(request.body, indent=2).replace("\n", "\n  ")
        lines.append(f"  body: JSON.stringify({fields}),")
    lines += ["}).then((answer) => answer.text()).then(console.log);"]
    return "\n".join(lines)


def _afl(request: Request) -> str:
    if request.is_read_by_address:
        call = f"InternetOpenURL( {_afl_text(request.whole_address)} )"
    else:
        pairs = [f"{json.dumps(name)}:{_json(value)}" for name, value in request.body.items()]
        lines = [f"{pair}," for pair in pairs[:-1]] + pairs[-1:]
        body = " +\n        ".join(map(_afl_text, ["{", *lines, "}"]))
        call = f"InternetPostRequest( {_afl_text(request.address)},\n        {body} )"
    return afl("Call the bridge", request.operation, call)


def _afl_text(text: str) -> str:
    escaped = text.replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}"'


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
