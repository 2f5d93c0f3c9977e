"""What the person is told after a restore."""

from __future__ import annotations

from enum import StrEnum


class Undone(StrEnum):
    """What a restore did not bring back, or made less safe. The value is a sentence for the person."""

    KEY = (
        "The API key of the backup was regenerated or revoked after the backup was made, so it stays refused. "
        "Generate a new one on the API key page, and put it into your programs."
    )
    COPY = "No copy of the API key is kept, as you chose after the backup was made, so it cannot be shown."
    PERMISSIONS = "The API key may do only what it might do then and still might do now: look at its permissions."
    ADDRESSES = "The API key is taken only from the addresses that were chosen after the backup was made."
    RECOVERY_CODES = (
        "Recovery codes that were used or replaced after the backup was made stay worthless. Make new ones on the "
        "Security page."
    )
    TWO_FACTOR = (
        "The authenticator app that was set up after the backup was made stays in force, with its recovery codes; the "
        "former ones are worthless."
    )
    TWO_FACTOR_OFF = (
        "The authenticator app that was set up after the backup was made could not be kept, and no former one counts: "
        "the password alone is asked until you set the app up again on the Security page."
    )
    SWITCHES = "Codes of the authenticator app are asked wherever they were asked then or just now."
    PASSWORD = "The password was changed or reset after the backup was made: the older one is in force again."  # noqa: S105 - a sentence
    ORDERS = "Orders that waited in the Action Center when the backup was made were turned down."
    DOUBTS = "Orders that were in doubt when the backup was made, and of which it was found out since, stay decided."
    DOUBTS_KEPT = (
        "Orders that came in doubt after the backup was made are in doubt here too: new orders in their symbols wait. "
        "Look on the Orders page and at your broker, and decide."
    )
    ANALYZE = (
        "Orders go to the paper account (analyze mode), although they went to the broker when the backup was made: "
        "switch back when you have looked."
    )
    KILL_SWITCH = "The kill switch is on, as it was just now: new orders are refused until you release it."
    GUARDS = "The guards are those of just now: those of the day of the backup would stop less."
    SMART_ORDERS = "Smart orders are worked out as just now: the settings of the day of the backup would send more."
    GUARDS_UNKNOWN = (
        "The guards of just now could not be read: those of the day of the backup are in force. Look at them."
    )
    DOUBTS_UNKNOWN = (
        "Which orders were in doubt just now could not be read: look for them at your broker before you send anything "
        "again."
    )
    UNKNOWN = (
        "Not all of what was here before could be read, so what you ended or made safer after the backup was made may "
        "be as it was then. If you regenerated the API key, do it again: the key of the backup may work. Look at its "
        "permissions and addresses, at the guards, at the password and at the Security page."
    )
    STOPPED = "The kill switch is on for that reason: new orders are refused until you have looked, and release it."
