"""What the paper account made: a sample a minute for the curve of its day, and what is whose of its strategies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BrokerError
from openalgo_bridge.model.books import Holding, Position
from openalgo_bridge.model.equity import EquitySample
from openalgo_bridge.model.exits import position_of
from openalgo_bridge.model.order import PositionKey, Product, TradingMode
from openalgo_bridge.model.paper import to_units
from openalgo_bridge.model.strategy_profit import StrategyFill, StrategyProfit, strategy_profits
from openalgo_bridge.model.trading_hours import day_begin, trading_day


def sample(desk: Desk) -> None:
    """Keep what the paper account made today so far. While it cannot be asked there is a gap. Raises StorageError."""
    try:
        funds = desk.broker(TradingMode.ANALYZE).funds()
    except BrokerError:
        return
    desk.store.paper_equity.add(
        EquitySample(at=desk.clock.now(), realised=to_units(funds.realised), unrealised=to_units(funds.unrealised))
    )


def of_today(desk: Desk) -> Sequence[EquitySample]:
    """The samples of the books' day, since the account was begun anew if that was on it. Raises StorageError."""
    begin = day_begin(trading_day(desk.clock.now()))
    begun = desk.store.paper_capital.begin().at
    return desk.store.paper_equity.since(begin if begun is None else max(begin, begun))


def by_strategy(desk: Desk, positions: Sequence[Position], holdings: Sequence[Holding]) -> Sequence[StrategyProfit]:
    """What each strategy made of the paper account since it was begun anew, at the prices of what was just read of it.

    All of them together are what the account made. Costs as much as there were fills. Raises StorageError.
    """
    # The fills after the prices: what was opened in between is taken for settled at its cost, which is no profit.
    held, worth = _held(positions, holdings)
    fills = desk.store.strategy_fills.all()
    settled = {key: bought for key, bought in _bought(fills).items() if bought.quantity and key not in held}
    booked = desk.store.strategy_fills.booked() if settled else {}
    settlements = [_settlement(key, bought, booked.get(key, 0)) for key, bought in settled.items()]
    return strategy_profits([*fills, *settlements], worth)


@dataclass(slots=True)
class _Bought:
    """The sum of fills of one position: units with their sign, and what was paid for them."""

    quantity: int = 0
    paid: int = 0


def _held(
    positions: Sequence[Position], holdings: Sequence[Holding]
) -> tuple[Collection[PositionKey], Mapping[PositionKey, int]]:
    """What is held, delivered shares too, and what a unit of that and of what was closed today is worth, in units of
    money.
    """
    shares = {(each.exchange, each.symbol, Product.CNC): to_units(each.ltp) for each in holdings}
    held = {position_of(each) for each in positions if each.quantity} | shares.keys()
    return held, {position_of(each): to_units(each.ltp) * each.multiplier for each in positions} | shares


def _bought(fills: Iterable[StrategyFill]) -> Mapping[PositionKey, _Bought]:
    sums: defaultdict[PositionKey, _Bought] = defaultdict(_Bought)
    for fill in fills:
        sums[fill.position].quantity += fill.quantity
        sums[fill.position].paid += fill.quantity * fill.price
    return sums


def _settlement(position: PositionKey, bought: _Bought, booked: int) -> StrategyFill:
    """The end of a contract that expired: no trade tells its price, but what the account has booked of it does."""
    price = (booked + bought.paid) // bought.quantity
    return StrategyFill(strategy="", position=position, quantity=-bought.quantity, price=price)
