"""Black's model against published values, against itself, and where there is no answer."""

from __future__ import annotations

from dataclasses import replace
from math import exp

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from openalgo_bridge.model import black76
from openalgo_bridge.model.black76 import AboveBound, Expired, ImpossiblePrice, NoTimeValue, Option

options = st.builds(
    Option,
    is_call=st.booleans(),
    forward=st.floats(1.0, 1e5),
    strike=st.floats(1.0, 1e5),
    years=st.floats(1 / 365 / 24, 3.0),
    rate=st.floats(0.0, 0.15),
)
volatilities = st.floats(0.02, 1.5)


# Such as are listed and live for more than a day.
listed_options = st.builds(
    lambda is_call, forward, moneyness, days, rate: Option(
        is_call=is_call, forward=forward, strike=forward * moneyness, years=days / 365, rate=rate
    ),
    st.booleans(),
    st.floats(10.0, 1e5),
    st.floats(0.7, 1.4),
    st.integers(2, 1_000),
    st.floats(0.0, 0.15),
)


@pytest.mark.parametrize(
    ("option", "volatility", "published"),
    [
        # Hull, Options, Futures and Other Derivatives: Black's model for futures options, the put on crude oil.
        (Option(is_call=False, forward=20, strike=20, years=4 / 12, rate=0.09), 0.25, "1.12"),
        # The same book, exercise: a five-month put, futures price 19, strike 20.
        (Option(is_call=False, forward=19, strike=20, years=5 / 12, rate=0.12), 0.20, "1.50"),
        # Haug, The Complete Guide to Option Pricing Formulas: Black-76, Brent futures; call and put are the same.
        (Option(is_call=True, forward=19, strike=19, years=0.75, rate=0.10), 0.28, "1.7011"),
        (Option(is_call=False, forward=19, strike=19, years=0.75, rate=0.10), 0.28, "1.7011"),
    ],
)
def test_prices_are_the_published_ones(option: Option, volatility: float, published: str) -> None:
    digits = len(published.partition(".")[2])
    assert f"{black76.price(option, volatility):.{digits}f}" == published


@pytest.mark.parametrize(("is_call", "published"), [(True, "0.5946"), (False, "-0.3566")])
def test_delta_is_the_published_one(is_call: bool, published: str) -> None:
    """Haug: option on a future at 105, strike 100, six months, rate 10 %, volatility 36 %."""
    option = Option(is_call=is_call, forward=105, strike=100, years=0.5, rate=0.10)
    assert f"{black76.greeks(option, 0.36).delta:.4f}" == published


def test_gamma_and_vega_are_the_published_ones() -> None:
    """Haug: a share at 55, strike 60, nine months, rate 10 %, volatility 30 %: gamma 0.0278, vega 18.9358.

    There per rupee of the share, whose forward moves by exp(0.075) of that, and per 1.00 of volatility.
    """
    growth = exp(0.10 * 0.75)
    greeks = black76.greeks(Option(is_call=True, forward=55 * growth, strike=60, years=0.75, rate=0.10), 0.30)
    assert f"{greeks.gamma * growth**2:.4f}" == "0.0278"
    assert f"{greeks.vega * 100:.4f}" == "18.9358"


def test_the_greeks_have_the_units_of_the_dialect() -> None:
    """The example of contract 2.5.3: NIFTY 26000 CE, 28.5071 days, premium 435, implied volatility 15.6 %."""
    option = Option(is_call=True, forward=25_966.05, strike=26_000, years=28.5071 / 365)
    forwards = [25_966.05 + cents / 100 for cents in range(-5_000, 5_000)]
    found = min(forwards, key=lambda each: abs(black76.price(replace(option, forward=each), 0.156) - 435))
    greeks = black76.greeks(replace(option, forward=found), 0.156)
    assert greeks.delta == pytest.approx(0.4967, abs=2e-4)
    assert greeks.gamma == pytest.approx(0.000352, abs=2e-6)
    assert greeks.theta == pytest.approx(-7.919, abs=0.01)
    assert greeks.vega == pytest.approx(28.9489, abs=0.02)
    assert greeks.rho == pytest.approx(-0.339742, abs=1e-5)


@given(option=options, volatility=volatilities)
def test_calls_and_puts_are_in_parity(option: Option, volatility: float) -> None:
    call, put = (black76.price(replace(option, is_call=is_call), volatility) for is_call in (True, False))
    apart = option.discount * (option.forward - option.strike)
    assert call - put == pytest.approx(apart, abs=1e-9 * max(option.forward, option.strike))


@given(option=options, volatility=volatilities)
def test_a_price_is_between_its_intrinsic_value_and_its_bound(option: Option, volatility: float) -> None:
    worth = black76.price(option, volatility)
    bound = option.discount * (option.forward if option.is_call else option.strike)
    slack = 1e-9 * max(option.forward, option.strike)
    assert option.intrinsic - slack <= worth <= bound + slack


@given(option=listed_options, volatility=st.floats(0.05, 1.5))
def test_the_greeks_are_the_slopes_of_the_price(option: Option, volatility: float) -> None:
    """Against central differences of the price itself, in the units that each is told in."""
    greeks = black76.greeks(option, volatility)
    rupee, part, day, point = 2e-5 * option.forward, 1e-5, 0.01 / 365, 1e-4

    def price(forward: float = 0, years: float = 0, rate: float = 0, more: float = 0) -> float:
        moved = replace(option, forward=option.forward + forward, years=option.years + years, rate=option.rate + rate)
        return black76.price(moved, volatility + more)

    scale = option.forward
    assert greeks.delta == pytest.approx((price(rupee) - price(-rupee)) / (2 * rupee), abs=1e-3)
    curve = (price(rupee) - 2 * price() + price(-rupee)) / rupee**2
    assert greeks.gamma * scale == pytest.approx(curve * scale, abs=5e-2, rel=1e-2)
    assert greeks.theta / scale == pytest.approx(
        (price(years=-day) - price(years=day)) / (2 * day) / 365 / scale, abs=1e-6, rel=1e-3
    )
    assert greeks.vega / scale == pytest.approx(
        (price(more=point) - price(more=-point)) / (2 * point) / 100 / scale, abs=1e-6
    )
    assert greeks.rho / scale == pytest.approx(
        (price(rate=part) - price(rate=-part)) / (2 * part) / 100 / scale, abs=1e-6
    )


@given(option=listed_options, volatility=volatilities)
def test_the_implied_volatility_of_a_price_is_the_one_it_was_made_with(option: Option, volatility: float) -> None:
    """Wherever the price still tells: a premium that a float cannot keep apart from its bounds tells nothing."""
    worth = black76.price(option, volatility)
    bound = option.discount * (option.forward if option.is_call else option.strike)
    assume(worth - option.intrinsic > 1e-6 * option.forward and bound - worth > 1e-6 * option.forward)
    assert black76.implied_volatility(option, worth) == pytest.approx(volatility, rel=1e-6)


@given(option=options, share=st.floats(0.0, 1.0, exclude_min=True, exclude_max=True))
def test_every_price_between_the_bounds_has_a_volatility_that_gives_it(option: Option, share: float) -> None:
    bound = option.discount * (option.forward if option.is_call else option.strike)
    worth = option.intrinsic + share * (bound - option.intrinsic)
    try:
        volatility = black76.implied_volatility(option, worth)
    except (NoTimeValue, AboveBound):
        assert not 1e-9 < share < 1 - 1e-9
    else:
        assert black76.price(option, volatility) == pytest.approx(worth, abs=1e-7 * option.forward)


@pytest.mark.parametrize(
    ("worth", "refusal"),
    [
        (1_000.0, NoTimeValue),
        (999.0, NoTimeValue),
        (0.0, NoTimeValue),
        (-5.0, NoTimeValue),
        (26_000.0, AboveBound),
        (1e9, AboveBound),
        (float("nan"), ImpossiblePrice),
        (float("inf"), ImpossiblePrice),
    ],
)
def test_a_price_that_cannot_be_has_no_volatility(worth: float, refusal: type[ImpossiblePrice]) -> None:
    option = Option(is_call=True, forward=26_000, strike=25_000, years=0.1)
    with pytest.raises(refusal):
        black76.implied_volatility(option, worth)


def test_the_bound_of_a_put_is_its_strike() -> None:
    option = Option(is_call=False, forward=25_000, strike=26_000, years=0.1)
    assert black76.implied_volatility(option, 25_900.0) > 1
    with pytest.raises(AboveBound):
        black76.implied_volatility(option, 26_000.0)


@pytest.mark.parametrize("years", [0.0, -0.5])
def test_what_has_expired_is_worth_what_it_brings_and_nothing_else_is_known(years: float) -> None:
    option = Option(is_call=False, forward=25_000, strike=26_000, years=years, rate=0.07)
    assert black76.price(option, 0.2) == 1_000
    with pytest.raises(Expired):
        black76.implied_volatility(option, 1_000.0)
    with pytest.raises(Expired):
        black76.greeks(option, 0.2)


def test_without_volatility_there_are_no_greeks() -> None:
    option = Option(is_call=True, forward=26_000, strike=25_000, years=0.1)
    assert black76.price(option, 0.0) == 1_000
    with pytest.raises(NoTimeValue):
        black76.greeks(option, 0.0)


@pytest.mark.parametrize("wrong", [{"forward": 0.0}, {"strike": -1.0}, {"years": float("nan")}, {"rate": float("inf")}])
def test_numbers_that_no_market_has_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="of an option are"):
        replace(Option(is_call=True, forward=100, strike=100, years=1), **wrong)
