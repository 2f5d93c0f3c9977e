"""Black's model of an option on a forward: price, sensitivities and implied volatility. Pure.

Fischer Black, "The pricing of commodity contracts", Journal of Financial Economics 3 (1976). Inside, prices are
floats in rupees, times in years, rates and volatilities fractions (0.15 is 15 %). What leaves as :class:`Greeks` has
the dialect's units (contract 2.5.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, exp, isfinite, log, pi, sqrt

DAYS_A_YEAR = 365

_ROOT_TWO = sqrt(2.0)
_ROOT_TWO_PI = sqrt(2.0 * pi)

# A volatility times the root of the time beyond which every premium is its limit to the last digit of a float.
_WIDEST = 16.0
_ROUNDS = 100
_CLOSE_ENOUGH = 1e-10


class ImpossiblePrice(ValueError):
    """No volatility gives that price."""


class NoTimeValue(ImpossiblePrice):
    """At or below what exercising would bring: the dialect answers a volatility of 0 and a delta of 1 or -1."""


class AboveBound(ImpossiblePrice):
    """At or above the forward for a call, the strike for a put (discounted): more than it can ever be worth."""


class Expired(ImpossiblePrice):
    """No time is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A European option and the market around it.

    ``forward`` is the price of the underlying for delivery at expiry, ``years`` the time until then, ``rate`` what
    the premium is discounted with, continuously compounded. Raises ValueError for numbers that no market has.
    """

    is_call: bool
    forward: float
    strike: float
    years: float
    rate: float = 0.0

    def __post_init__(self) -> None:
        if not (0.0 < self.forward < float("inf") and 0.0 < self.strike < float("inf")):
            raise ValueError("Forward and strike of an option are above 0.")
        if not (isfinite(self.years) and isfinite(self.rate)):
            raise ValueError("Time and rate of an option are finite.")

    @property
    def discount(self) -> float:
        """What a rupee at expiry is worth now."""
        return exp(-self.rate * max(0.0, self.years))

    @property
    def intrinsic(self) -> float:
        """What exercising against the forward would bring, discounted: the least the option can be worth."""
        gain = self.forward - self.strike if self.is_call else self.strike - self.forward
        return self.discount * max(0.0, gain)


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeks:
    """How far the price moves, in rupees.

    ``delta`` and ``gamma`` per rupee of the forward, ``theta`` per calendar day that passes, ``vega`` per percentage
    point of volatility, ``rho`` per percentage point of the rate with the forward unchanged.
    """

    delta: float
    gamma: float
    theta: float
    vega: float
    rho: float


def price(option: Option, volatility: float) -> float:
    """The premium in rupees. Without time or volatility it is :attr:`Option.intrinsic`."""
    deviation = volatility * sqrt(max(0.0, option.years))
    return option.discount * premium(option.is_call, option.forward, option.strike, deviation)


def premium(is_call: bool, forward: float, strike: float, deviation: float) -> float:
    """The undiscounted premium; ``deviation`` is the volatility times the root of the years.

    Of plain numbers and without a check, because whole chains of options are priced with it.
    """
    if deviation <= 0.0:
        return max(0.0, forward - strike if is_call else strike - forward)
    d1 = log(forward / strike) / deviation + 0.5 * deviation
    d2 = d1 - deviation
    if is_call:
        return 0.5 * (forward * erfc(-d1 / _ROOT_TWO) - strike * erfc(-d2 / _ROOT_TWO))
    return 0.5 * (strike * erfc(d2 / _ROOT_TWO) - forward * erfc(d1 / _ROOT_TWO))


def greeks(option: Option, volatility: float) -> Greeks:
    """Raises Expired without time, NoTimeValue without volatility: there is no closed form on the edge."""
    if option.years <= 0.0:
        raise Expired("The option has expired.")
    if volatility <= 0.0:
        raise NoTimeValue("Without volatility an option has no sensitivities.")
    root = sqrt(option.years)
    deviation = volatility * root
    d1 = log(option.forward / option.strike) / deviation + 0.5 * deviation
    discount = option.discount
    density = discount * exp(-0.5 * d1 * d1) / _ROOT_TWO_PI
    worth = discount * premium(option.is_call, option.forward, option.strike, deviation)
    decay = option.rate * worth - option.forward * density * volatility / (2.0 * root)
    return Greeks(
        delta=0.5 * discount * (erfc(-d1 / _ROOT_TWO) if option.is_call else -erfc(d1 / _ROOT_TWO)),
        gamma=density / (option.forward * deviation),
        theta=decay / DAYS_A_YEAR,
        vega=option.forward * density * root / 100.0,
        rho=-option.years * worth / 100.0,
    )


def implied_volatility(option: Option, worth: float) -> float:
    """The volatility at which :func:`price` is ``worth``, as a fraction.

    Raises Expired, NoTimeValue and AboveBound, and ImpossiblePrice for what is no price at all.
    """
    if option.years <= 0.0:
        raise Expired("The option has expired.")
    if not isfinite(worth):
        raise ImpossiblePrice("An option's price is a finite number.")
    discount = option.discount
    bound = discount * (option.forward if option.is_call else option.strike)
    if worth >= bound:
        raise AboveBound(f"{worth} is more than the option can be worth, which is {bound}.")
    # By parity the time value is the price of the option with the same strike that is out of the money: there no
    # digit is lost to the intrinsic part.
    time_value = (worth - option.intrinsic) / discount
    if time_value <= 0.0:
        raise NoTimeValue(f"{worth} leaves no time value over {option.intrinsic}.")
    return _deviation(option.forward, option.strike, time_value) / sqrt(option.years)


def _deviation(forward: float, strike: float, time_value: float) -> float:
    """Newton's steps, kept inside a shrinking bracket, so that they always arrive.

    They start where the premium is steepest (Manaster and Koehler, "The calculation of implied variances from the
    Black-Scholes model", Journal of Finance 37, 1982). Beyond that point the premium itself is nearly straight; on
    this side its logarithm is, where the premium falls faster than any power.
    Raises NoTimeValue and AboveBound for what only a volatility beyond any float would give.
    """
    is_call, moneyness = forward <= strike, log(forward / strike)
    low, high = 0.0, _WIDEST
    guess = min(max(sqrt(2.0 * abs(moneyness)), 0.1), 0.5 * _WIDEST)
    is_small = time_value < premium(is_call, forward, strike, guess)
    for _ in range(_ROUNDS):
        worth = premium(is_call, forward, strike, guess)
        low, high = (low, guess) if worth > time_value else (guess, high)
        d1 = moneyness / guess + 0.5 * guess
        slope = forward * exp(-0.5 * d1 * d1) / _ROOT_TWO_PI
        error = worth * log(worth / time_value) if is_small and worth > 0.0 else worth - time_value
        step = guess - error / slope if slope > 0.0 else low
        before, guess = guess, step if low < step < high else 0.5 * (low + high)
        if abs(guess - before) <= _CLOSE_ENOUGH * before:
            break
    if guess >= _WIDEST * (1.0 - _CLOSE_ENOUGH):
        raise AboveBound("No volatility gives a price so near its bound.")
    return guess
