"""Who calls, and from where: the one API key, in the field ``apikey`` or the header ``X-API-KEY``.

Cookies are ignored.
"""

from __future__ import annotations

from werkzeug.datastructures import Headers

from openalgo_bridge.account import keys
from openalgo_bridge.account.keys import Caller
from openalgo_bridge.api.body import Fields
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BadApiKey, BearerNotAccepted, MissingApiKey
from openalgo_bridge.traffic import Note


def authenticate(desk: Desk, fields: Fields, headers: Headers, address: str, note: Note) -> Caller:
    """The caller behind the key of this request, noted on its traffic row.

    ``address`` is the socket's peer on the main listener, never what a header says (security T24). Raises BadApiKey,
    MissingApiKey, BearerNotAccepted, and NotAllowed where the key may not be used from there (design 3).
    """
    presented = _presented(fields, headers)
    if presented != presented.strip():
        note.add("The key had spaces around it.")
    try:
        caller = keys.verify(desk, presented.strip())
    except BadApiKey as refusal:
        # A retired key says which program still has it.
        note.key_fingerprint = refusal.fingerprint or None
        raise
    note.key_fingerprint = caller.fingerprint
    caller.require_address(address)
    return caller


def _presented(fields: Fields, headers: Headers) -> str:
    in_body, in_header = fields.get("apikey"), headers.get("X-API-KEY")
    given = [str(key) for key in (in_body, in_header) if key is not None and str(key).strip()]
    if len({key.strip() for key in given}) > 1:
        raise MissingApiKey("Two different API keys were sent, in apikey and in X-API-KEY. Send one.")
    if given:
        return given[0]
    if headers.get("Authorization", "").lower().startswith("bearer"):
        raise BearerNotAccepted("Bearer tokens are not accepted. Send the key as the body field apikey.")
    raise MissingApiKey("apikey: Missing data for required field.")
