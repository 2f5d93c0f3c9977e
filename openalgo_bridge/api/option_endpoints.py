"""The endpoints that tell about options, and what an order would block."""

from __future__ import annotations

from openalgo_bridge.api import margin, options
from openalgo_bridge.api.endpoint import Endpoint
from openalgo_bridge.api.schemas.margin import Margin, MarginAnswer
from openalgo_bridge.api.schemas.options import (
    MultiOptionGreeks,
    MultiOptionGreeksAnswer,
    OptionChain,
    OptionChainAnswer,
    OptionGreeks,
    OptionGreeksAnswer,
    OptionSymbol,
    OptionSymbolAnswer,
    Synthetic,
    SyntheticFutureAnswer,
)
from openalgo_bridge.model.permission import Permission

OPTION_ENDPOINTS = (
    Endpoint(
        path="/optionsymbol",
        summary="Names the listed option that is so many strikes in or out of the money.",
        view=options.option_symbol,
        request=OptionSymbol,
        answer=OptionSymbolAnswer,
        needs=Permission.QUOTES,
        also_fails_with=(404,),
    ),
    Endpoint(
        path="/optionchain",
        summary="Lists the options of one expiry by strike, with prices and, if asked for, greeks.",
        view=options.option_chain,
        request=OptionChain,
        answer=OptionChainAnswer,
        needs=Permission.QUOTES,
        also_fails_with=(404,),
    ),
    Endpoint(
        path="/optiongreeks",
        summary="Tells implied volatility and greeks of one option.",
        view=options.option_greeks,
        request=OptionGreeks,
        answer=OptionGreeksAnswer,
        needs=Permission.QUOTES,
        also_fails_with=(404,),
    ),
    Endpoint(
        path="/multioptiongreeks",
        summary="Tells implied volatility and greeks of up to 50 options.",
        view=options.multi_option_greeks,
        request=MultiOptionGreeks,
        answer=MultiOptionGreeksAnswer,
        needs=Permission.QUOTES,
    ),
    Endpoint(
        path="/syntheticfuture",
        summary="Tells what the options at the money say the underlying is worth at their expiry.",
        view=options.synthetic_future,
        request=Synthetic,
        answer=SyntheticFutureAnswer,
        needs=Permission.QUOTES,
        also_fails_with=(404,),
    ),
    Endpoint(
        path="/margin",
        summary="Estimates what the broker would block for some orders, each taken alone.",
        view=margin.margin,
        request=Margin,
        answer=MarginAnswer,
        needs=Permission.VIEW_FUNDS,
        also_fails_with=(404,),
    ),
)
