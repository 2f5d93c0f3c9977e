"""What each drill is, in words: what the broker does, what a program hears, and where the trader sees which words."""

from __future__ import annotations

from dataclasses import dataclass

from openalgo_bridge.model.drill import DrillKind
from openalgo_bridge.model.order import PriceType


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A page, and the very ``words`` that it shows while the drill runs, once the order of its card was sent; empty
    where no word tells. ``then`` says what to make of it.
    """

    endpoint: str
    page: str
    words: str
    then: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One drill, and the price type of the order that shows it best."""

    kind: DrillKind
    price_type: PriceType = PriceType.MARKET
    broker: str
    program: str
    looks: tuple[Look, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Drills that begin alike. ``sentence`` is what holds for all of them."""

    title: str
    sentence: str
    cards: tuple[Card, ...]


_IN_DOUBT = (
    "No error: success with order_status unknown, and our reference in place of the order's number. A program that "
    "heard of an error would send the order twice."
)

_NO_ANSWER = Group(
    title="No answer",
    sentence="The fault comes at once here; a real time-out takes some seconds.",
    cards=(
        Card(
            kind=DrillKind.TIME_OUT_TAKEN,
            broker="Every order, change and cancel arrives and is carried out. Its answer never comes.",
            program=_IN_DOUBT,
            looks=(
                Look(
                    endpoint="orders.orders",
                    page="Orders",
                    words="In doubt",
                    then="Within five seconds the bridge has asked the broker, and it reads as any other order. Its "
                    "ticket tells the whole story.",
                ),
            ),
        ),
        Card(
            kind=DrillKind.TIME_OUT_LOST,
            broker="No order, change or cancel arrives, and no answer comes.",
            program=_IN_DOUBT,
            looks=(
                Look(
                    endpoint="orders.orders",
                    page="Orders",
                    words="In doubt",
                    then="Within five seconds it reads “Never reached the broker”: two complete looks at the broker's "
                    "book have proven it. Nothing is sent again; that is for you or your program.",
                ),
            ),
        ),
        Card(
            kind=DrillKind.TIME_OUT_UNTOLD,
            broker="No order, change or cancel arrives, no answer comes, and the broker's book may be late: what is "
            "missing from it may be there all the same.",
            program=_IN_DOUBT,
            looks=(
                Look(
                    endpoint="orders.orders",
                    page="Orders",
                    words="In doubt",
                    then="Within five seconds it reads “In doubt: decide”. Its ticket asks you with three buttons, and "
                    "until you decide, entries in the same symbol are held. Sent again while the drill runs, it is "
                    "in doubt again.",
                ),
            ),
        ),
        Card(
            kind=DrillKind.EMPTY_ANSWER,
            broker="Whatever arrives is carried out, and every answer is empty. In minutes, reads get one too.",
            program=f"{_IN_DOUBT} Reads are an error: never an empty book, which a program would take for flat.",
            looks=(
                Look(
                    endpoint="orders.orders",
                    page="Orders",
                    words="In doubt",
                    then="It stays so until the drill is over, because nothing can be looked up either.",
                ),
                Look(
                    endpoint="positions.positions",
                    page="Positions",
                    words="Drill: the broker's answer was empty.",
                    then="In place of the list. Funds and holdings say the same.",
                ),
            ),
        ),
    ),
)

_NO = Group(
    title="The broker says no",
    sentence="Here it is certain that nothing has arrived.",
    cards=(
        Card(
            kind=DrillKind.TOO_MANY_REQUESTS,
            broker="Nothing is taken: 429 Too Many Requests. In minutes, reads neither.",
            program="An error for each order, at once. The bridge sends nothing a second time, and neither should a "
            "program in a loop: each try counts at the broker.",
            looks=(
                Look(
                    endpoint="orders.orders",
                    page="Orders",
                    words="Refused",
                    then="With the reason. An order whose price or position had to be read first waits in the Action "
                    "Center instead.",
                ),
                Look(
                    endpoint="guards.guards",
                    page="Guards",
                    words="Rehearse a broker's rate in the paper account",
                    then="Switched on, orders wait for their turn, as they do at a real broker, so that this does not "
                    "happen.",
                ),
            ),
        ),
        Card(
            kind=DrillKind.SESSION_OVER,
            broker="Its login ends in the middle of the day: nothing is taken. In minutes, nothing can be read.",
            program="An error for each order: log in to the broker again.",
            looks=(
                Look(
                    endpoint="orders.orders",
                    page="Orders",
                    words="Refused",
                    then="With the reason. What is open at the broker stays open.",
                ),
                Look(
                    endpoint="funds.funds",
                    page="Funds",
                    words="Log in to the broker again.",
                    then="In place of the figures. Positions and holdings say the same.",
                ),
            ),
        ),
        Card(
            kind=DrillKind.NO_LOGIN_AT_START,
            broker="As on a morning on which nobody has logged in to it yet: nothing can be read since the start.",
            program="Success, and that the order waits for you. A cancel is tried, and is an error.",
            looks=(
                Look(
                    endpoint="dashboard.dashboard",
                    page="every page",
                    words="Orders wait for you.",
                    then="Within five seconds of the end this banner is gone.",
                ),
                Look(
                    endpoint="action_center.action_center",
                    page="Action Center",
                    words="cannot be read since the start",
                    then="Approved while the drill runs, it is refused by the broker. Afterwards it goes on waiting: "
                    "the first click then tells you what could not be read when it came, and the second sends it.",
                ),
            ),
        ),
    ),
)

_PRICES = Group(
    title="A mute feed",
    sentence="The bridge has no WebSocket feed yet, so what a program sees of one that falls silent cannot be shown. "
    "These are the prices that are asked for: quotes and depth.",
    cards=(
        Card(
            kind=DrillKind.PRICES_STAND_STILL,
            broker="Each price stays as it was when it was first asked for. The market moves on, and orders fill "
            "by it.",
            program="No error: the same price again and again. Nothing but the clock tells it from a quiet market.",
            looks=(
                Look(
                    endpoint="positions.positions",
                    page="Positions",
                    words="",
                    then="No page says that a price is old. The broker values positions by itself, so their prices "
                    "move on beside the quotes that do not.",
                ),
            ),
        ),
        Card(
            kind=DrillKind.NO_PRICES,
            price_type=PriceType.LIMIT,
            broker="It takes orders and tells its books, and gives no price and no bars.",
            program="An error for quotes, depth and bars. A MARKET order goes; a LIMIT order is held, because how far "
            "it is from the last price cannot be checked.",
            looks=(
                Look(
                    endpoint="action_center.action_center",
                    page="Action Center",
                    words="a limit could not be checked",
                    then="The person knows the price from elsewhere and approves, or turns it down.",
                ),
            ),
        ),
    ),
)

GROUPS = (_NO_ANSWER, _NO, _PRICES)
CARDS = {card.kind: card for group in GROUPS for card in group.cards}
