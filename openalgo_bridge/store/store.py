"""All the tables of one bridge, opened together."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from openalgo_bridge.clock import Clock
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.store import schema
from openalgo_bridge.store.api_keys import ApiKeys
from openalgo_bridge.store.audit import AuditLog
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.failed_logins import FailedLogins
from openalgo_bridge.store.guards import Guards
from openalgo_bridge.store.idempotency import Idempotency
from openalgo_bridge.store.instruments import Instruments
from openalgo_bridge.store.integrations import Integrations
from openalgo_bridge.store.journal import Journal
from openalgo_bridge.store.key_uses import KeyUses
from openalgo_bridge.store.kill_switch import KillSwitch
from openalgo_bridge.store.machine_key import MachineKey
from openalgo_bridge.store.paperbook import PaperBook
from openalgo_bridge.store.preferences import Preferences
from openalgo_bridge.store.sessions import Sessions
from openalgo_bridge.store.ticket_lists import TicketLists
from openalgo_bridge.store.traffic import TrafficLog
from openalgo_bridge.store.two_factor import TwoFactors
from openalgo_bridge.store.users import Users
from openalgo_bridge.store.vault import Vault

_MACHINE_KEY_REPLACED = (
    "The file machine.key was lost or replaced, so no program can use the API key any more and every browser is "
    "signed out. Sign in, generate a new key on the API key page, and put it into your programs."
)
_START = Actor(name="start of the bridge")
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
    guards: Guards
    kill_switch: KillSwitch
    journal: Journal
    ticket_lists: TicketLists
    idempotency: Idempotency
    paperbook: PaperBook
    traffic: TrafficLog
    instruments: Instruments
    files: tuple[Database, ...]

    @classmethod
    def open(cls, folder: Path, clock: Clock) -> Store:
        """Open or make the files under ``folder`` (which exists) and bring their tables up to date.

        Three files, because SQLite has one writer per file: a night's instrument list or a busy traffic log
        must not make an order wait. A key that a lost machine key has made useless is retired, and the log says so.
        Raises StorageError.
        """
        bridge = Database(folder / "bridge.db", synchronous="FULL")
        traffic = Database(folder / "traffic.db", synchronous="NORMAL")
        instruments = Database(folder / "instruments.db", synchronous="NORMAL")
        bridge.migrate(schema.bridge)
        traffic.migrate(schema.traffic)
        instruments.migrate(schema.instruments)
        listed = Instruments(instruments)
        listed.ensure_embedded_list()
        machine_key, api_keys = MachineKey.load_or_create(folder / "machine.key"), ApiKeys(bridge, clock)
        if api_keys.retire_foreign(machine_key.mark, by=_START):
            _log.warning(_MACHINE_KEY_REPLACED)
        return cls(
            machine_key=machine_key,
            users=Users(bridge, clock),
            vault=Vault(bridge),
            api_keys=api_keys,
            key_uses=KeyUses(traffic, clock),
            integrations=Integrations(bridge, clock),
            two_factor=TwoFactors(bridge, clock),
            audit=AuditLog(bridge, clock),
            sessions=Sessions(bridge, clock),
            failed_logins=FailedLogins(bridge, clock),
            preferences=Preferences(bridge, clock),
            guards=Guards(bridge, clock),
            kill_switch=KillSwitch(bridge, clock),
            journal=Journal(bridge, clock),
            ticket_lists=TicketLists(bridge, clock),
            idempotency=Idempotency(bridge, clock),
            paperbook=PaperBook(bridge),
            traffic=TrafficLog(traffic),
            instruments=listed,
            files=(bridge, traffic, instruments),
        )

    def close(self) -> None:
        """Close every file."""
        for file in self.files:
            file.close()
