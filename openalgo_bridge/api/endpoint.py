"""What one endpoint is: what it needs, asks and answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, get_args

from openalgo_bridge.api.answers import Json
from openalgo_bridge.api.call import Call
from openalgo_bridge.api.limits import Bucket
from openalgo_bridge.api.schemas.base import ApiModel
from openalgo_bridge.api.text import Text
from openalgo_bridge.model.permission import Permission

PREFIX = "/api/v1"

ANY_KEY: Final = None
"""What an endpoint needs that tells nothing of the account and changes nothing."""

_IN_PATH = re.compile(r"<([a-z]+)>")


class Method(StrEnum):
    """How an endpoint is called. What a GET asks for stands in its path and its query, what a POST asks in its body."""

    GET = "GET"
    POST = "POST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One row of the table. ``needs`` has no default: an endpoint says what it needs, or the program does not start.

    ``path`` may hold a field, as ``/ticker/<instrument>``; a path with two methods is two rows. ``summary`` is its
    sentence for people; ``request`` the model its view parses; ``answer`` the type of its success, or a union of
    several. ``text_type`` is what it answers instead of JSON, faults included, when the field ``format`` asks for it.
    ``also_fails_with``: statuses of its own, beside those that every call may end with. ``must_be_recorded``: refused
    when its traffic row cannot be written (design 2).
    """

    path: str
    summary: str
    view: Callable[[Call], Json | Text]
    request: type[ApiModel]
    answer: Any
    needs: Permission | None
    method: Method = Method.POST
    bucket: Bucket = Bucket.READS
    text_type: str = ""
    must_be_recorded: bool = False
    also_fails_with: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """``analyzer_toggle`` of ``/analyzer/toggle``, ``get_ticker`` of a GET of ``/ticker/<instrument>``."""
        named = _IN_PATH.sub("", self.path).strip("/").replace("/", "_")
        return f"get_{named}" if self.method is Method.GET else named

    @property
    def is_marked(self) -> bool:
        """Whether its answers say that orders go to the paper exchange (contract 4.2): its errors then do, too."""
        return any("mode" in kind.__annotations__ for kind in get_args(self.answer) or (self.answer,))

    @property
    def template(self) -> str:
        """The path as OpenAPI writes it: ``/ticker/{instrument}``."""
        return _IN_PATH.sub(r"{\1}", self.path)

    @property
    def path_fields(self) -> tuple[str, ...]:
        """The fields that stand in the path."""
        return tuple(_IN_PATH.findall(self.path))
