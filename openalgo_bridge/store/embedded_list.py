"""The instrument list that comes with the bridge: liquid shares of NSE and BSE, and the indices.

Reference prices are round figures of the right size for the simulated market to move around, not quotations.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import Exchange

# Below each price (rupees) the tick of the cash market, reviewed monthly by the exchange (callers 5.3).
_TICKS = (
    (Decimal(250), Decimal("0.01")),
    (Decimal(1_000), Decimal("0.05")),
    (Decimal(5_000), Decimal("0.10")),
    (Decimal(10_000), Decimal("0.50")),
    (Decimal(20_000), Decimal("1.00")),
)
_HIGHEST_TICK = Decimal("5.00")
_INDEX_TICK = Decimal("0.05")

# The exchanges publish a freeze quantity per share; ours is what this many rupees buy, in whole hundreds.
_FREEZE_VALUE = Decimal(1_000_000_000)

_BOTH = (Exchange.NSE, Exchange.BSE)
_NSE_ONLY = (Exchange.NSE,)

# (symbol, name, reference price in rupees)
_SHARES = (
    ("ADANIENT", "Adani Enterprises", "2480"),
    ("ADANIPORTS", "Adani Ports and SEZ", "1465"),
    ("AMBUJACEM", "Ambuja Cements", "565"),
    ("APOLLOHOSP", "Apollo Hospitals Enterprise", "7480"),
    ("ASIANPAINT", "Asian Paints", "2520"),
    ("AXISBANK", "Axis Bank", "1225"),
    ("BAJAJ-AUTO", "Bajaj Auto", "8950"),
    ("BAJAJFINSV", "Bajaj Finserv", "2040"),
    ("BAJFINANCE", "Bajaj Finance", "1015"),
    ("BANKBARODA", "Bank of Baroda", "285"),
    ("BEL", "Bharat Electronics", "415"),
    ("BHARTIARTL", "Bharti Airtel", "2090"),
    ("BHEL", "Bharat Heavy Electricals", "262"),
    ("BPCL", "Bharat Petroleum", "352"),
    ("BRITANNIA", "Britannia Industries", "5850"),
    ("CANBK", "Canara Bank", "138"),
    ("CIPLA", "Cipla", "1520"),
    ("COALINDIA", "Coal India", "382"),
    ("DABUR", "Dabur India", "515"),
    ("DIVISLAB", "Divi's Laboratories", "6480"),
    ("DLF", "DLF", "745"),
    ("DRREDDY", "Dr. Reddy's Laboratories", "1240"),
    ("EICHERMOT", "Eicher Motors", "6850"),
    ("ETERNAL", "Eternal", "305"),
    ("GAIL", "GAIL (India)", "183"),
    ("GODREJCP", "Godrej Consumer Products", "1140"),
    ("GRASIM", "Grasim Industries", "2760"),
    ("HAL", "Hindustan Aeronautics", "4680"),
    ("HAVELLS", "Havells India", "1450"),
    ("HCLTECH", "HCL Technologies", "1595"),
    ("HDFCBANK", "HDFC Bank", "998"),
    ("HDFCLIFE", "HDFC Life Insurance", "762"),
    ("HEROMOTOCO", "Hero MotoCorp", "5720"),
    ("HINDALCO", "Hindalco Industries", "798"),
    ("HINDUNILVR", "Hindustan Unilever", "2435"),
    ("ICICIBANK", "ICICI Bank", "1372"),
    ("IDEA", "Vodafone Idea", "10.20"),
    ("IDFCFIRSTB", "IDFC First Bank", "80.50"),
    ("INDIGO", "InterGlobe Aviation", "5780"),
    ("INDUSINDBK", "IndusInd Bank", "842"),
    ("INFY", "Infosys", "1540"),
    ("IOC", "Indian Oil Corporation", "168"),
    ("IRCTC", "Indian Railway Catering and Tourism", "705"),
    ("IRFC", "Indian Railway Finance Corporation", "121"),
    ("ITC", "ITC", "405"),
    ("JINDALSTEL", "Jindal Steel", "1075"),
    ("JIOFIN", "Jio Financial Services", "308"),
    ("JSWSTEEL", "JSW Steel", "1165"),
    ("KOTAKBANK", "Kotak Mahindra Bank", "2095"),
    ("LICI", "Life Insurance Corporation of India", "905"),
    ("LT", "Larsen and Toubro", "4020"),
    ("LUPIN", "Lupin", "2030"),
    ("M&M", "Mahindra and Mahindra", "3720"),
    ("MARUTI", "Maruti Suzuki India", "15900"),
    ("MAXHEALTH", "Max Healthcare Institute", "1110"),
    ("MRF", "MRF", "152500"),
    ("NESTLEIND", "Nestle India", "1265"),
    ("NHPC", "NHPC", "79.50"),
    ("NMDC", "NMDC", "75.20"),
    ("NTPC", "NTPC", "327"),
    ("ONGC", "Oil and Natural Gas Corporation", "248"),
    ("PFC", "Power Finance Corporation", "372"),
    ("PIDILITIND", "Pidilite Industries", "1475"),
    ("PNB", "Punjab National Bank", "122"),
    ("POWERGRID", "Power Grid Corporation of India", "276"),
    ("RECLTD", "REC", "362"),
    ("RELIANCE", "Reliance Industries", "1412"),
    ("SAIL", "Steel Authority of India", "136"),
    ("SBILIFE", "SBI Life Insurance", "1990"),
    ("SBIN", "State Bank of India", "968"),
    ("SHRIRAMFIN", "Shriram Finance", "812"),
    ("SIEMENS", "Siemens", "3110"),
    ("SUNPHARMA", "Sun Pharmaceutical Industries", "1760"),
    ("SUZLON", "Suzlon Energy", "57.40"),
    ("TATACONSUM", "Tata Consumer Products", "1165"),
    ("TATAPOWER", "Tata Power", "388"),
    ("TATASTEEL", "Tata Steel", "172"),
    ("TCS", "Tata Consultancy Services", "3120"),
    ("TECHM", "Tech Mahindra", "1440"),
    ("TITAN", "Titan Company", "3850"),
    ("TMPV", "Tata Motors Passenger Vehicles", "362"),
    ("TRENT", "Trent", "4330"),
    ("TVSMOTOR", "TVS Motor Company", "3440"),
    ("ULTRACEMCO", "UltraTech Cement", "11750"),
    ("VBL", "Varun Beverages", "458"),
    ("VEDL", "Vedanta", "508"),
    ("WIPRO", "Wipro", "245"),
    ("YESBANK", "Yes Bank", "22.60"),
)
_NSE_SHARES = (
    ("BSE", "BSE", "2860"),
    ("CDSL", "Central Depository Services (India)", "1610"),
)
# Quoted, never traded (contract 1.9).
_INDICES = (
    ("NIFTY", Exchange.NSE_INDEX, "Nifty 50", "26050"),
    ("BANKNIFTY", Exchange.NSE_INDEX, "Nifty Bank", "58850"),
    ("FINNIFTY", Exchange.NSE_INDEX, "Nifty Financial Services", "27500"),
    ("MIDCPNIFTY", Exchange.NSE_INDEX, "Nifty Midcap Select", "13900"),
    ("NIFTYNXT50", Exchange.NSE_INDEX, "Nifty Next 50", "69400"),
    ("INDIAVIX", Exchange.NSE_INDEX, "India VIX", "13.50"),
    ("SENSEX", Exchange.BSE_INDEX, "S&P BSE Sensex", "85200"),
    ("BANKEX", Exchange.BSE_INDEX, "S&P BSE Bankex", "66100"),
    ("SENSEX50", Exchange.BSE_INDEX, "S&P BSE Sensex 50", "27300"),
    ("BSEOIL&GAS", Exchange.BSE_INDEX, "S&P BSE Oil and Gas", "28400"),
)


def embedded_list() -> tuple[Instrument, ...]:
    """Every instrument that the bridge knows without a broker."""
    return (*_shares(), *_indices())


def tick_size(price: Decimal) -> Decimal:
    """The tick in rupees of a share that closed at ``price`` (callers 5.3)."""
    return next((tick for below, tick in _TICKS if price < below), _HIGHEST_TICK)


def _shares() -> Iterator[Instrument]:
    listings = [(share, _BOTH) for share in _SHARES] + [(share, _NSE_ONLY) for share in _NSE_SHARES]
    for number, ((symbol, name, level), exchanges) in enumerate(listings, start=1):
        price = Decimal(level)
        for exchange in exchanges:
            yield Instrument(
                symbol=symbol,
                exchange=exchange,
                name=name,
                kind="EQ",
                lot=1,
                tick=tick_size(price),
                freeze_quantity=int(_FREEZE_VALUE / price) // 100 * 100,
                token=f"{_EXCHANGE_CODES[exchange]}{number:05d}",
                reference_price=price,
            )


def _indices() -> Iterator[Instrument]:
    for number, (symbol, exchange, name, level) in enumerate(_INDICES, start=1):
        yield Instrument(
            symbol=symbol,
            exchange=exchange,
            name=name,
            kind="INDEX",
            lot=1,
            tick=_INDEX_TICK,
            freeze_quantity=0,
            token=f"{_EXCHANGE_CODES[exchange]}{number:05d}",
            reference_price=Decimal(level),
        )


# The first digit of our tokens, so that they are unique over the exchanges.
_EXCHANGE_CODES = {Exchange.NSE: 1, Exchange.BSE: 2, Exchange.NSE_INDEX: 3, Exchange.BSE_INDEX: 4}
