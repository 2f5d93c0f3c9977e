"""All the tables of one bridge, opened together."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from openalgo_bridge.clock import Clock
from openalgo_bridge.errors import StorageError
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.store import integrity, schema
from openalgo_bridge.store.api_keys import ApiKeys
from openalgo_bridge.store.audit import AuditLog
from openalgo_bridge.store.breaks import Breaks
from openalgo_bridge.store.calendar import TradingCalendar
from openalgo_bridge.store.chart_preferences import ChartPreferences
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.failed_logins import FailedLogins
from openalgo_bridge.store.faults import Faults
from openalgo_bridge.store.guards import Guards
from openalgo_bridge.store.idempotency import Idempotency
from openalgo_bridge.store.indicators import Indicators
from openalgo_bridge.store.instrument_lists import InstrumentLists
from openalgo_bridge.store.instruments import Instruments
from openalgo_bridge.store.instruments_in_use import InstrumentsInUse
from openalgo_bridge.store.integrations import Integrations
from openalgo_bridge.store.journal import Journal
from openalgo_bridge.store.key_uses import KeyUses
from openalgo_bridge.store.kill_switch import KillSwitch
from openalgo_bridge.store.known_secrets import KnownSecrets
from openalgo_bridge.store.machine_key import MachineKey
from openalgo_bridge.store.outcomes import Outcomes
from openalgo_bridge.store.paper_capital import PaperCapital
from openalgo_bridge.store.paper_equity import PaperEquity
from openalgo_bridge.store.paper_ledger import PaperLedger
from openalgo_bridge.store.paper_settings import SavedPaperSettings
from openalgo_bridge.store.paperbook import PaperBook
from openalgo_bridge.store.preferences import Preferences
from openalgo_bridge.store.sessions import Sessions
from openalgo_bridge.store.standing import StandingReads
from openalgo_bridge.store.strategy_fills import StrategyFills
from openalgo_bridge.store.ticket_lists import TicketLists
from openalgo_bridge.store.traffic import TrafficLog
from openalgo_bridge.store.traffic_digest import Digest
from openalgo_bridge.store.traffic_export import TrafficExport
from openalgo_bridge.store.traffic_index import CallIndex
from openalgo_bridge.store.traffic_retention import TrafficRetention
from openalgo_bridge.store.traffic_search import TrafficSearch
from openalgo_bridge.store.traffic_summary import TrafficSummary
from openalgo_bridge.store.two_factor import TwoFactors
from openalgo_bridge.store.users import Users
from openalgo_bridge.store.vault import Vault

_MACHINE_KEY_REPLACED = (
    "The file machine.key was lost or replaced, so no program can use the API key any more and every browser is "
    "signed out. Sign in, generate a new key on the API key page, and put it into your programs."
)
_CODES_UNREADABLE = (
    "The codes of your authenticator app cannot be checked without the former machine.key. Where a code is asked, type "
    "one of your recovery codes and set the app up again. Without one, stop the bridge and run: "
    "run.py reset-password --remove-two-factor"
)
_START = Actor(name="start of the bridge")
# A cancel goes without its row rather than wait for a program that has traffic.db open.
_TRAFFIC_PATIENCE_MS = 250
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """One attribute per table. ``files`` are the databases under it."""

    machine_key: MachineKey
    users: Users
    vault: Vault
    api_keys: ApiKeys
    key_uses: KeyUses
    integrations: Integrations
    two_factor: TwoFactors
    audit: AuditLog
    sessions: Sessions
    failed_logins: FailedLogins
    preferences: Preferences
    calendar: TradingCalendar
    chart_preferences: ChartPreferences
    guards: Guards
    kill_switch: KillSwitch
    standing: StandingReads
    journal: Journal
    breaks: Breaks
    ticket_lists: TicketLists
    outcomes: Outcomes
    idempotency: Idempotency
    paperbook: PaperBook
    paper_capital: PaperCapital
    paper_equity: PaperEquity
    paper_ledger: PaperLedger
    paper_settings: SavedPaperSettings
    strategy_fills: StrategyFills
    traffic: TrafficLog
    traffic_digest: Digest
    traffic_index: CallIndex
    traffic_search: TrafficSearch
    traffic_summary: TrafficSummary
    traffic_retention: TrafficRetention
    traffic_export: TrafficExport
    faults: Faults
    indicators: Indicators
    instruments: Instruments
    instrument_lists: InstrumentLists
    files: tuple[Database, ...]

    @classmethod
    def open(cls, folder: Path, clock: Clock) -> Store:
        """Open or make the files under ``folder`` (which exists) and bring their tables up to date.

        Three files, because SQLite has one writer per file: a night's instrument list or a busy traffic log
        must not make an order wait. A key that a lost machine key has made useless is retired, and the log says so.
        Raises StorageError.
        """
        refusal = integrity.why_not_anew(folder)
        if refusal:
            raise StorageError(refusal)
        store = cls.of_bridge(folder, clock)
        bridge, traffic, instruments = store.files
        bridge.migrate(schema.bridge)
        traffic.migrate(schema.traffic)
        instruments.migrate(schema.instruments)
        store.instrument_lists.ensure()
        if store.api_keys.retire_foreign(store.machine_key.mark, by=_START):
            _log.warning(_MACHINE_KEY_REPLACED)
            if store.two_factor.get().is_set_up:
                _log.warning(_CODES_UNREADABLE)
        return store

    @classmethod
    def of_bridge(cls, folder: Path, clock: Clock, *, bridge: str = "bridge.db") -> Store:
        """The same, with every file as it is. One that is not asked for is not opened.

        For a command that needs the account alone and must work although another file is damaged, or while a
        bridge of an older version runs. ``bridge`` names a draft that is to become ``bridge.db``. Where there is no
        ``machine.key`` one is made, after the tables of ``bridge``. Raises StorageError.
        """
        machine_key = _machine_key(folder, bridge)
        account = Database(folder / bridge, synchronous="FULL")
        traffic = Database(folder / "traffic.db", synchronous="NORMAL", patience_ms=_TRAFFIC_PATIENCE_MS)
        listed = Database(folder / "instruments.db", synchronous="NORMAL")
        instruments, calendar = Instruments(listed), TradingCalendar(account, clock)
        paperbook = PaperBook(account)
        return cls(
            machine_key=machine_key,
            users=Users(account, clock),
            vault=Vault(account),
            api_keys=ApiKeys(account, clock),
            key_uses=KeyUses(traffic, clock),
            integrations=Integrations(account, clock),
            two_factor=TwoFactors(account, clock),
            audit=AuditLog(account, clock),
            sessions=Sessions(account, clock),
            failed_logins=FailedLogins(account, clock),
            preferences=Preferences(account, clock),
            calendar=calendar,
            chart_preferences=ChartPreferences(account),
            guards=Guards(account, clock),
            kill_switch=KillSwitch(account, clock),
            standing=StandingReads(account),
            journal=Journal(account, clock),
            breaks=Breaks(account, clock),
            ticket_lists=TicketLists(account, clock),
            outcomes=Outcomes(account, clock),
            idempotency=Idempotency(account, clock),
            paperbook=paperbook,
            paper_capital=PaperCapital(account, paperbook, clock),
            paper_equity=PaperEquity(account),
            paper_ledger=PaperLedger(account),
            paper_settings=SavedPaperSettings(account, clock),
            strategy_fills=StrategyFills(account),
            traffic=TrafficLog(traffic, KnownSecrets(account, machine_key)),
            traffic_digest=Digest(traffic),
            traffic_index=CallIndex(traffic),
            traffic_search=TrafficSearch(traffic),
            traffic_summary=TrafficSummary(traffic),
            traffic_retention=TrafficRetention(traffic, clock),
            traffic_export=TrafficExport(traffic, TrafficSearch(traffic)),
            indicators=Indicators(account, clock),
            faults=Faults(traffic, clock, KnownSecrets(account, machine_key)),
            instruments=instruments,
            instrument_lists=InstrumentLists(
                listed,
                clock,
                instruments=instruments,
                calendar=calendar.load,
                in_use=InstrumentsInUse(account).names,
            ),
            files=(account, traffic, listed),
        )

    def close(self) -> None:
        """Close every file."""
        for file in self.files:
            file.close()


def _machine_key(folder: Path, bridge: str) -> MachineKey:
    """A killed first start must not leave the key alone, which stands for a ``bridge.db`` that vanished."""
    path = folder / "machine.key"
    if not path.exists():
        with closing(Database(folder / bridge, synchronous="FULL")) as account:
            account.migrate(schema.bridge)
    return MachineKey.load_or_create(path)
