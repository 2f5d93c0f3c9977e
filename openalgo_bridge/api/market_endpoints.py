"""The endpoints for prices, instruments and the calendar."""

from __future__ import annotations

from openalgo_bridge.api import calendar, market, symbols
from openalgo_bridge.api.endpoint import ANY_KEY, Endpoint, Method
from openalgo_bridge.api.schemas.account import Nothing
from openalgo_bridge.api.schemas.calendar import HolidaysAnswer, HolidaysOfYear, TimingsAnswer, TimingsOfDay
from openalgo_bridge.api.schemas.market import (
    DepthAnswer,
    History,
    HistoryAnswer,
    IntervalsAnswer,
    MultiQuotesAnswer,
    NamedInstrument,
    NamedInstruments,
    QuotesAnswer,
    Ticker,
)
from openalgo_bridge.api.schemas.symbols import (
    ExpiryAnswer,
    InstrumentList,
    InstrumentsAnswer,
    SearchAnswer,
    SearchedInstruments,
    SymbolAnswer,
    Underlying,
)
from openalgo_bridge.api.text import CSV, PLAIN
from openalgo_bridge.model.permission import Permission

MARKET_ENDPOINTS = (
    Endpoint(
        path="/quotes",
        summary="Tells the prices of one instrument as they are now.",
        view=market.quotes,
        request=NamedInstrument,
        answer=QuotesAnswer,
        needs=Permission.QUOTES,
    ),
    Endpoint(
        path="/multiquotes",
        summary="Tells the prices of several instruments as they are now.",
        view=market.multi_quotes,
        request=NamedInstruments,
        answer=MultiQuotesAnswer,
        needs=Permission.QUOTES,
    ),
    Endpoint(
        path="/depth",
        summary="Tells the best five prices of each side of one instrument.",
        view=market.depth,
        request=NamedInstrument,
        answer=DepthAnswer,
        needs=Permission.DEPTH,
    ),
    Endpoint(
        path="/history",
        summary="Tells the bars of one instrument for some days, the oldest first.",
        view=market.history,
        request=History,
        answer=HistoryAnswer,
        needs=Permission.HISTORY,
        also_fails_with=(404,),
    ),
    Endpoint(
        path="/ticker/<instrument>",
        summary="Tells the bars of EXCHANGE:SYMBOL, as JSON or as lines for an ASCII import.",
        view=market.ticker,
        request=Ticker,
        answer=HistoryAnswer,
        needs=Permission.HISTORY,
        method=Method.GET,
        text_type=PLAIN,
    ),
    Endpoint(
        path="/intervals",
        summary="Lists how long the bars may be.",
        view=market.intervals,
        request=Nothing,
        answer=IntervalsAnswer,
        needs=Permission.HISTORY,
    ),
    Endpoint(
        path="/symbol",
        summary="Tells what is listed under one symbol: lot, tick, expiry, strike, token.",
        view=symbols.symbol,
        request=NamedInstrument,
        answer=SymbolAnswer,
        needs=Permission.INSTRUMENTS,
        also_fails_with=(404,),
    ),
    Endpoint(
        path="/search",
        summary="Finds instruments by words, the best first.",
        view=symbols.search,
        request=SearchedInstruments,
        answer=SearchAnswer,
        needs=Permission.INSTRUMENTS,
    ),
    Endpoint(
        path="/expiry",
        summary="Lists the days on which the futures or options on something expire.",
        view=symbols.expiry,
        request=Underlying,
        answer=ExpiryAnswer,
        needs=Permission.INSTRUMENTS,
    ),
    Endpoint(
        path="/instruments",
        summary="Lists all instruments, or those of one exchange, as JSON or CSV.",
        view=symbols.instruments,
        request=InstrumentList,
        answer=InstrumentsAnswer,
        needs=Permission.INSTRUMENTS,
        method=Method.GET,
        text_type=CSV,
    ),
    Endpoint(
        path="/market/holidays",
        summary="Lists the days of a year on which exchanges are closed or trade at other hours.",
        view=calendar.holidays,
        request=HolidaysOfYear,
        answer=HolidaysAnswer,
        needs=ANY_KEY,
    ),
    Endpoint(
        path="/market/timings",
        summary="Tells when each exchange trades on one day.",
        view=calendar.timings,
        request=TimingsOfDay,
        answer=TimingsAnswer,
        needs=ANY_KEY,
    ),
)
