"""Migrations of the paper exchange in ``bridge.db``: what ``store/schema.py`` registers. A released one never changes.

Money is whole ten-thousandths of a rupee, times are epoch milliseconds.
"""

from __future__ import annotations

import sqlite_utils

_IS_WORKING = "status IN ('open', 'trigger pending')"


def m024_paper_exchange(db: sqlite_utils.Database) -> None:
    """Stops and partial fills, the ledger, holdings, days, triggers over days, settings, the curve of a day."""
    _rebuild_orders(db)
    _rebuild_trades(db)
    _name_them_as_before(db)
    _make_trade_rules(db)
    _make_gtts(db)
    _make_ledger(db)
    _carry_money_over(db)
    _make_ledger_rules(db)
    _make_holdings(db)
    _make_days(db)


def _rebuild_orders(db: sqlite_utils.Database) -> None:
    """An order may fill in parts, and the exchange sends orders of its own, which carry no tag.

    ``filled_value`` is quantity times price, summed over its trades. ``cause`` says why the exchange sent one,
    ``bound`` is the worst price at which a protected one fills. ``revision`` rises with every change of any order, so
    that a reader asks for what changed since.
    """
    db.execute(
        f"""CREATE TABLE paper_order_next (
            id INTEGER PRIMARY KEY,
            tag TEXT NOT NULL,
            cause TEXT NOT NULL,
            symbol TEXT NOT NULL,
            exchange TEXT NOT NULL,
            action TEXT NOT NULL,
            quantity INTEGER NOT NULL CHECK (quantity > 0),
            price_type TEXT NOT NULL,
            product TEXT NOT NULL,
            price INTEGER NOT NULL,
            trigger_price INTEGER NOT NULL,
            disclosed_quantity INTEGER NOT NULL,
            status TEXT NOT NULL CHECK (status IN
                ('open', 'trigger pending', 'complete', 'rejected', 'cancelled')),
            filled_quantity INTEGER NOT NULL CHECK (filled_quantity BETWEEN 0 AND quantity),
            filled_value INTEGER NOT NULL,
            bound INTEGER CHECK (bound > 0),
            blocked INTEGER NOT NULL CHECK (blocked >= 0),
            rejection_reason TEXT NOT NULL,
            placed_at INTEGER NOT NULL,
            triggered_at INTEGER,
            filled_at INTEGER,
            revision INTEGER NOT NULL,
            CHECK (blocked = 0 OR {_IS_WORKING}),
            CHECK (status <> 'complete' OR filled_quantity = quantity),
            CHECK (status <> 'rejected' OR filled_quantity = 0),
            CHECK ((filled_quantity = 0) = (filled_value = 0)),
            CHECK ((tag = '') = (cause <> ''))
        ) STRICT"""
    )
    db.execute(
        """INSERT INTO paper_order_next SELECT id, tag, '', symbol, exchange, action, quantity, price_type, product,
                price, trigger_price, disclosed_quantity, status, filled_quantity,
                average_price * filled_quantity, NULL, blocked,
                rejection_reason, placed_at, NULL,
                (SELECT traded_at FROM paper_trade WHERE order_id = paper_order.id), id
            FROM paper_order"""
    )


def _rebuild_trades(db: sqlite_utils.Database) -> None:
    """``filled_before`` is how much of the order was filled by the trades before this one."""
    db.execute(
        """CREATE TABLE paper_trade_next (
            id INTEGER PRIMARY KEY,
            order_id INTEGER NOT NULL REFERENCES paper_order_next (id),
            filled_before INTEGER NOT NULL CHECK (filled_before >= 0),
            quantity INTEGER NOT NULL CHECK (quantity > 0),
            price INTEGER NOT NULL CHECK (price > 0),
            traded_at INTEGER NOT NULL,
            UNIQUE (order_id, filled_before)
        ) STRICT"""
    )
    db.execute("INSERT INTO paper_trade_next SELECT id, order_id, 0, quantity, price, traded_at FROM paper_trade")


def _name_them_as_before(db: sqlite_utils.Database) -> None:
    # In this order nothing ever refers to a row that is gone, and a rename takes the reference along.
    db.execute("DROP TABLE paper_trade")
    db.execute("DROP TABLE paper_order")
    db.execute("ALTER TABLE paper_order_next RENAME TO paper_order")
    db.execute("ALTER TABLE paper_trade_next RENAME TO paper_trade")
    db.execute("CREATE UNIQUE INDEX paper_order_by_tag ON paper_order (tag) WHERE tag <> ''")
    db.execute(
        "CREATE INDEX paper_order_working ON paper_order"
        f" (exchange, symbol, status, action, price, bound, trigger_price, placed_at) WHERE {_IS_WORKING}"
    )
    db.execute("CREATE INDEX paper_order_by_time ON paper_order (placed_at)")
    db.execute("CREATE UNIQUE INDEX paper_order_by_revision ON paper_order (revision)")
    db.execute("CREATE INDEX paper_trade_by_time ON paper_trade (traded_at)")
    # An open position keeps the multiplier of its contract, whatever a later list says.
    db.execute("ALTER TABLE paper_position ADD COLUMN multiplier INTEGER NOT NULL DEFAULT 1 CHECK (multiplier > 0)")


def _make_trade_rules(db: sqlite_utils.Database) -> None:
    """The parts of an order follow each other without a gap and end at its quantity."""
    db.execute(
        """CREATE TRIGGER paper_trade_follows BEFORE INSERT ON paper_trade
            WHEN NEW.filled_before <> (SELECT coalesce(sum(quantity), 0) FROM paper_trade WHERE order_id = NEW.order_id)
                OR NEW.filled_before + NEW.quantity > (SELECT quantity FROM paper_order WHERE id = NEW.order_id)
            BEGIN SELECT RAISE(ABORT, 'an order fills each part of its quantity once'); END"""
    )


def _make_gtts(db: sqlite_utils.Database) -> None:
    """Orders that wait for a price over days. Written by ``store/paper_gtts.py`` alone.

    A leg ``stoploss`` is reached when the price falls to its trigger, ``target`` when it rises to it, whatever the
    action. At most one leg of a trigger ever fires, and it fires one order.
    """
    db.execute(
        """CREATE TABLE paper_gtt (
            id INTEGER PRIMARY KEY,
            tag TEXT NOT NULL UNIQUE,
            kind TEXT NOT NULL CHECK (kind IN ('SINGLE', 'OCO')),
            symbol TEXT NOT NULL,
            exchange TEXT NOT NULL,
            action TEXT NOT NULL,
            quantity INTEGER NOT NULL CHECK (quantity > 0),
            product TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('active', 'triggered', 'cancelled', 'expired', 'rejected')),
            reason TEXT NOT NULL,
            blocked INTEGER NOT NULL CHECK (blocked >= 0),
            placed_at INTEGER NOT NULL,
            changed_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL,
            CHECK (blocked = 0 OR state = 'active')
        ) STRICT"""
    )
    db.execute("CREATE INDEX paper_gtt_active ON paper_gtt (exchange, symbol) WHERE state = 'active'")
    db.execute(
        """CREATE TABLE paper_gtt_leg (
            gtt_id INTEGER NOT NULL REFERENCES paper_gtt (id),
            side TEXT NOT NULL CHECK (side IN ('stoploss', 'target')),
            trigger_price INTEGER NOT NULL CHECK (trigger_price > 0),
            price_type TEXT NOT NULL,
            price INTEGER NOT NULL CHECK (price >= 0),
            fired_order_id INTEGER UNIQUE REFERENCES paper_order (id),
            fired_at INTEGER,
            PRIMARY KEY (gtt_id, side),
            CHECK ((fired_order_id IS NULL) = (fired_at IS NULL))
        ) STRICT, WITHOUT ROWID"""
    )
    db.execute("CREATE UNIQUE INDEX paper_gtt_fires_once ON paper_gtt_leg (gtt_id) WHERE fired_order_id IS NOT NULL")


def _make_ledger(db: sqlite_utils.Database) -> None:
    """Every move of money with the balance it leaves, so that the last line is the account.

    What the account was given, all profit booked since, what was paid for holdings, and what is set aside for orders,
    positions and triggers. Written by ``store/paper_ledger.py`` alone.
    """
    db.execute(
        """CREATE TABLE paper_ledger (
            id INTEGER PRIMARY KEY,
            at INTEGER NOT NULL,
            kind TEXT NOT NULL CHECK (kind IN
                ('capital', 'carried', 'order', 'fill', 'gtt', 'settlement', 'expiry', 'reset')),
            order_id INTEGER REFERENCES paper_order (id),
            gtt_id INTEGER REFERENCES paper_gtt (id),
            symbol TEXT,
            exchange TEXT,
            product TEXT,
            capital INTEGER NOT NULL,
            realised INTEGER NOT NULL,
            invested INTEGER NOT NULL,
            blocked INTEGER NOT NULL,
            capital_after INTEGER NOT NULL CHECK (capital_after >= 0),
            realised_after INTEGER NOT NULL,
            invested_after INTEGER NOT NULL CHECK (invested_after >= 0),
            blocked_after INTEGER NOT NULL CHECK (blocked_after >= 0)
        ) STRICT"""
    )

    # Every look at a book asks for the last one.
    db.execute("CREATE INDEX paper_ledger_resets ON paper_ledger (order_id) WHERE kind = 'reset'")


def _carry_money_over(db: sqlite_utils.Database) -> None:
    """The account of before as the first lines: its capital, its profit, and one line for each sum set aside."""
    now = "CAST(strftime('%s', 'now') AS INTEGER) * 1000"
    db.execute(
        f"""INSERT INTO paper_ledger
            WITH carried (place, kind, order_id, symbol, exchange, product, capital, realised, blocked) AS (
                SELECT 0, 'capital', NULL, NULL, NULL, NULL, capital, 0, 0 FROM paper_account
                UNION ALL SELECT 1, 'carried', NULL, NULL, NULL, NULL, 0, realised, 0 FROM paper_account
                    WHERE realised <> 0
                UNION ALL SELECT 2, 'carried', id, symbol, exchange, product, 0, 0, blocked FROM paper_order
                    WHERE blocked > 0
                UNION ALL SELECT 3, 'carried', NULL, symbol, exchange, product, 0, 0, blocked FROM paper_position
                    WHERE blocked > 0
            )
            SELECT NULL, {now}, kind, order_id, NULL, symbol, exchange, product, capital, realised, 0, blocked,
                sum(capital) OVER so_far, sum(realised) OVER so_far, 0, sum(blocked) OVER so_far
            FROM carried
            WINDOW so_far AS (ORDER BY place, order_id, exchange, symbol, product ROWS UNBOUNDED PRECEDING)
            ORDER BY place, order_id, exchange, symbol, product"""
    )
    db.execute("DROP TABLE paper_account")
    db.execute("DROP INDEX paper_position_blocked")


def _make_ledger_rules(db: sqlite_utils.Database) -> None:
    """Append-only, and no line whose balance is not that of the line before with its own move."""
    # INSERT OR REPLACE deletes a line, and our connections ask the trigger on DELETE about that. A third
    # trigger for it would cost every fill as much as its line does.
    for change in ("UPDATE", "DELETE"):
        db.execute(
            f"CREATE TRIGGER paper_ledger_no_{change.lower()} BEFORE {change} ON paper_ledger"
            " BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
        )
    db.execute(
        """CREATE TRIGGER paper_ledger_balances AFTER INSERT ON paper_ledger
            WHEN EXISTS (SELECT 1 FROM paper_ledger WHERE id > NEW.id)
                OR (NEW.capital_after, NEW.realised_after, NEW.invested_after, NEW.blocked_after) IS NOT (
                    SELECT capital_after + NEW.capital, realised_after + NEW.realised,
                        invested_after + NEW.invested, blocked_after + NEW.blocked
                    FROM paper_ledger WHERE id < NEW.id ORDER BY id DESC LIMIT 1)
            BEGIN SELECT RAISE(ABORT, 'the ledger does not add up'); END"""
    )


def _make_holdings(db: sqlite_utils.Database) -> None:
    """Shares that were delivered; ``cost`` is the exact sum paid for them. Written by ``store/paperbook.py`` alone."""
    db.execute(
        """CREATE TABLE paper_holding (
            exchange TEXT NOT NULL,
            symbol TEXT NOT NULL,
            quantity INTEGER NOT NULL CHECK (quantity >= 0),
            cost INTEGER NOT NULL CHECK (cost >= 0),
            PRIMARY KEY (exchange, symbol),
            CHECK (quantity > 0 OR cost = 0)
        ) STRICT, WITHOUT ROWID"""
    )


def _make_days(db: sqlite_utils.Database) -> None:
    """Up to when everything that time does was done, the settings of the exchange, and the curve of a day.

    Each written by one module: ``store/paper_days.py``, ``store/paper_settings.py``, ``store/paper_equity.py``.
    """
    db.execute(
        """CREATE TABLE paper_clock (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            done_until INTEGER NOT NULL
        ) STRICT"""
    )
    # What became due since the last order or fill was never done. Without either, nothing is due before the first look.
    db.execute(
        """INSERT INTO paper_clock SELECT 1, max(moment) FROM (
            SELECT placed_at AS moment FROM paper_order UNION ALL SELECT traded_at FROM paper_trade
        ) WHERE EXISTS (SELECT 1 FROM paper_order) GROUP BY 1"""
    )
    db.execute("CREATE TABLE paper_setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID")
    db.execute(
        """CREATE TABLE paper_equity (
            minute INTEGER PRIMARY KEY,
            realised INTEGER NOT NULL,
            unrealised INTEGER NOT NULL
        ) STRICT"""
    )


def m025_paper_indexes(db: sqlite_utils.Database) -> None:
    """What a price reaches is one stretch of an index for each kind of order, and what of GTTs ended lately is one."""
    db.execute("DROP INDEX paper_order_working")
    db.execute(
        "CREATE INDEX paper_order_working ON paper_order (exchange, symbol, status, action,"
        " CASE status WHEN 'trigger pending' THEN trigger_price ELSE coalesce(bound, price) END)"
        f" WHERE {_IS_WORKING}"
    )
    db.execute("CREATE INDEX paper_gtt_ended ON paper_gtt (changed_at) WHERE state <> 'active'")


def m026_multiplier_of_trades(db: sqlite_utils.Database) -> None:
    """A trade keeps what one unit of it counted, whatever a later list says of its contract. Those of before take what
    their position has.
    """
    db.execute("ALTER TABLE paper_trade ADD COLUMN multiplier INTEGER NOT NULL DEFAULT 1 CHECK (multiplier > 0)")
    db.execute(
        """UPDATE paper_trade SET multiplier = paper_position.multiplier
            FROM paper_order JOIN paper_position USING (symbol, exchange, product)
            WHERE paper_order.id = paper_trade.order_id AND paper_position.multiplier <> 1"""
    )
