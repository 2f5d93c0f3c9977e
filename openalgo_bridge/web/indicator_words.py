"""What deserves a look in the traffic, in words: what was noticed, what it may be, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from openalgo_bridge.clock import IST
from openalgo_bridge.model.calls import CallOutcome, Listener
from openalgo_bridge.model.indicators import OTHERS, Indicator, IndicatorKind
from openalgo_bridge.model.program import NAMELESS, program_name
from openalgo_bridge.web.formats import count
from openalgo_bridge.web.traffic_filter import EVERY_KIND

_NEW_KEY = "Not you? Regenerate the key now: the present one ends at once."


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A kind of indicator. ``watched`` says what is looked for; in ``title`` stand the subject and the details.

    ``measured`` tells how much of it there was, where that is what it is about; ``details`` names the details, where
    they are not shown anyhow. ``anchor`` is the section of the key's page where it is mended, and ``way`` the link.
    """

    watched: str
    title: str
    why: str
    steps: tuple[str, ...]
    measured: str = ""
    details: str = ""
    anchor: str = "your-key"
    way: str = "Regenerate the key"


WORDS = {
    IndicatorKind.UNKNOWN_ADDRESS: Words(
        watched="the right key from an address that never called before and is not on this PC",
        title="Your key was used from {subject}, which never called before",
        why="Whoever calls from there has the key. It may be your own server, or an alert service that you set up.",
        steps=(
            "Look at the calls: did you want what they ask for?",
            "Yours? Say so, and that much is known. Better still, list the addresses that may use the key.",
            _NEW_KEY,
        ),
        details="What it does",
    ),
    IndicatorKind.RETIRED_KEY: Words(
        watched="a key that you ended",
        title="A key that you ended is still being used",
        why="Every such call was refused. As a rule it is a program that was not given the new key; it may also be "
        "somebody who has the old one.",
        steps=(
            "Find this program and give it the new key.",
            "No program of yours? Then the old key was copied: think where it lay, and whether the new one lies there.",
        ),
        details="Used by",
        way="To the key",
    ),
    IndicatorKind.WRONG_KEY: Words(
        watched="three wrong keys from one address within an hour",
        title="Wrong keys from {subject}",
        why="Every such call was refused. As a rule a key was copied with a character too few, or belongs to another "
        "bridge; it may also be somebody who tries keys.",
        steps=(
            "Find this program, copy the key with the button of its page, and put it in again.",
            "No program of yours? Find the one that runs there. The key cannot be guessed: it is too long for that.",
        ),
        measured="up to {level} in an hour",
        way="To the key",
    ),
    IndicatorKind.NOT_ALLOWED: Words(
        watched="the right key for something that it may not do",
        title="{subject} asks for what the key may not do",
        why="Every such call was refused. Either a program of yours needs one more permission or address, or somebody "
        "who has the key tries what it opens.",
        steps=(
            "Look at the calls: each says which permission is missing.",
            "Should the program do that? Then grant it; else leave it as it is.",
            _NEW_KEY,
        ),
        details="Asked for",
        anchor="permissions",
        way="To the permissions",
    ),
    IndicatorKind.TUNNEL: Words(
        watched="calls through a tunnel to anything but a webhook",
        title="Calls came through a tunnel, or for another host name",
        why="Every such call was turned away before anything looked at it.",
        steps=(
            "A tunnel of yours points at the port of the pages and the API? Point it at the port for webhooks.",
            "A program of yours uses the name of this PC? Let it call 127.0.0.1.",
            "Neither? Then a web page tries to reach the bridge through your browser: close what you do not know.",
        ),
        measured="up to {level} in an hour",
        anchor="help",
        way="To the help of the key page",
    ),
    IndicatorKind.UNUSUAL_HOURS: Words(
        watched="calls at an hour at which there were none in four weeks",
        title="{subject} called at {details}, when nothing called in four weeks",
        why="The calls had the right key. It may be a job that you set up, or a PC that was left on; it may be "
        "somebody who waits until you sleep.",
        steps=("Look at the calls: did you want what they ask for?", _NEW_KEY),
        details="Hour and address",
    ),
    IndicatorKind.SCRIPT_LOOP: Words(
        watched="the same order twenty times within a minute",
        title="{subject} sends the same order again and again",
        why="The calls had the right key. As a rule it is a loop without a pause, or a condition that stays true.",
        steps=(
            "Look at your positions and orders first. Stop all orders, if more come than you want.",
            "Stop the program, and mend its loop.",
            _NEW_KEY,
        ),
        measured="up to {level} in a minute",
        details="The order",
        anchor="help",
        way="To the help of the key page",
    ),
    IndicatorKind.HIGH_VOLUME: Words(
        watched="three times the calls that a program ever made in five minutes",
        title="{subject} calls far more than ever",
        why="The calls had the right key. It may be a new dashboard or one that is open twice, a loop without a pause, "
        "or somebody who copies what he can.",
        steps=("Look at the calls: what do they ask for?", "Stop the program, if you do not want them.", _NEW_KEY),
        measured="up to {level} in five minutes",
        anchor="help",
        way="To the help of the key page",
    ),
    IndicatorKind.ERROR_RATE: Words(
        watched="a program of which half of the calls fail, of twenty or more in a quarter of an hour",
        title="Half of the calls of {subject} fail, or more",
        why="As a rule it is a program that is not set up right, or a broker that is away.",
        steps=("Look at the calls: the message of each says what is wrong.", "Mend the program, or stop it."),
        measured="up to {level} failed in a quarter of an hour",
        anchor="help",
        way="To the help of the key page",
    ),
}
"""By kind; the most urgent first."""

_HOOKS = Words(
    watched="",
    title="Somebody asked the port for webhooks for what is not there",
    why="Every such call got an empty answer. Whatever is open to the internet is tried by strangers; they found "
    "nothing.",
    steps=(
        "A service of yours? Compare its address with the one on the page of your webhooks.",
        "Else there is nothing to do. A tunnel that is open only while you need it is tried less.",
    ),
    measured="up to {level} in an hour",
    anchor="help",
    way="To the help of the key page",
)
_OUTCOMES = {
    IndicatorKind.RETIRED_KEY: CallOutcome.WRONG_KEY,
    IndicatorKind.WRONG_KEY: CallOutcome.WRONG_KEY,
    IndicatorKind.NOT_ALLOWED: CallOutcome.NOT_ALLOWED,
}
_URGENCY = {kind: place for place, kind in enumerate(WORDS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An indicator and its words. ``measured`` is empty where the number of calls says it all, ``details`` where the
    title has them. ``query`` finds its calls in the traffic log."""

    indicator: Indicator
    words: Words
    title: str
    measured: str
    details: tuple[str, ...]
    programs: tuple[str, ...]
    query: str


def told(found: Iterable[Indicator]) -> list[Told]:
    """In words, the most urgent first, and of those the newest."""
    return [_told(each) for each in sorted(found, key=lambda each: (_URGENCY[each.kind], -each.id))]


def _told(indicator: Indicator) -> Told:
    evidence = indicator.evidence
    is_hooks = indicator.kind is IndicatorKind.TUNNEL and indicator.subject == Listener.HOOKS
    words = _HOOKS if is_hooks else WORDS[indicator.kind]
    title = words.title.format(subject=_subject(indicator), details=_hours(evidence.details))
    return Told(
        indicator=indicator,
        words=words,
        title=f"{title[:1].upper()}{title[1:]}",
        measured=words.measured.format(level=count(evidence.level)) if evidence.calls > evidence.level else "",
        details=evidence.details if words.details else (),
        programs=tuple(dict.fromkeys(map(program_name, evidence.programs))),
        query=_query(indicator),
    )


def _subject(indicator: Indicator) -> str:
    if indicator.subject == OTHERS:
        return "one of many others"
    return "a program without a name" if indicator.subject == NAMELESS else indicator.subject


def _hours(details: tuple[str, ...]) -> str:
    """``01:00 to 04:00 and 22:00 to 23:00``, where the details are hours in India."""
    hours = {int(each[:2]) for each in details if each[:2].isdecimal()}
    begins, ends = (
        sorted(hours - {hour + 1 for hour in hours}),
        sorted(hour + 1 for hour in hours if hour + 1 not in hours),
    )
    return " and ".join(f"{begin:02d}:00 to {end % 24:02d}:00" for begin, end in zip(begins, ends, strict=True))


def _query(indicator: Indicator) -> str:
    """The nearest list that the filters of the traffic log can say: what was one thing throughout narrows it."""
    evidence, outcome = indicator.evidence, _OUTCOMES.get(indicator.kind)
    said = {
        "since": f"{evidence.first_at.astimezone(IST):%Y-%m-%dT%H:%M}",
        "until": f"{evidence.last_at.astimezone(IST):%Y-%m-%dT%H:%M}",
        "kind": EVERY_KIND if indicator.kind is IndicatorKind.TUNNEL else "",
        "outcome": outcome or (CallOutcome.REFUSED if indicator.subject == Listener.MAIN else ""),
        "address": _only(evidence.addresses),
        "program": _only(evidence.programs),
        "endpoint": _only(evidence.endpoints),
        "words": indicator.subject if indicator.kind is IndicatorKind.RETIRED_KEY else "",
    }
    return urlencode({name: value for name, value in said.items() if value})


def _only(texts: tuple[str, ...]) -> str:
    return texts[0] if len(texts) == 1 else ""
