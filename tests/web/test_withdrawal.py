"""Who presses a button that withdraws something hears what is true, whatever its broker said."""

from __future__ import annotations

import pytest

from openalgo_bridge.errors import BridgeError, Busy, NotFound, NotSent, OutcomeUnknown, Rejected, SessionExpired
from openalgo_bridge.trading.sending import InDoubt, Sent
from openalgo_bridge.web.withdrawal import CANCEL, WITHDRAW, attempted

WHERE = "paper account"


@pytest.mark.parametrize("fault", [Busy("Too many wait."), NotSent("Too many wait."), SessionExpired("Too many wait.")])
def test_what_never_left_was_not_done(fault: BridgeError) -> None:
    def send() -> Sent | InDoubt:
        raise fault

    told = attempted(send, CANCEL, "order 7", WHERE)
    assert told == ("Order 7 was not cancelled, paper account. Too many wait.", "danger")
    told = attempted(send, WITHDRAW, "GTT 7", WHERE)
    assert told == ("GTT 7 was not withdrawn, paper account. Too many wait.", "danger")


@pytest.mark.parametrize("refusal", [Rejected("It is gone."), NotFound("It is gone.")])
def test_what_the_broker_refused_it_did_not_do(refusal: BridgeError) -> None:
    def send() -> Sent | InDoubt:
        raise refusal

    told = attempted(send, CANCEL, "order 7", WHERE)
    assert told == ("The broker did not cancel order 7, paper account: It is gone.", "danger")
    told = attempted(send, WITHDRAW, "GTT 7", WHERE)
    assert told == ("The broker did not withdraw GTT 7, paper account: It is gone.", "danger")


def test_what_cannot_be_named_is_not_told_as_one_of_these() -> None:
    def send() -> Sent | InDoubt:
        raise OutcomeUnknown("Nobody knows.")

    with pytest.raises(OutcomeUnknown):
        attempted(send, CANCEL, "order 7", WHERE)
