"""Every ticket has exactly one outcome, so outcomes always add up to what was received."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.outcome import Outcome, outcome_of_order, outcome_of_ticket
from openalgo_bridge.model.states import MAY_BE_THERE, OrderState, TicketState
from openalgo_bridge.model.ticket import Operation

STATUSES = [None, *OrderStatus]
OF_ONE = {
    outcome_of_order(operation, state, status, filled)
    for operation in Operation
    for state in OrderState
    for status in STATUSES
    for filled in (0, 5)
}


def of_journal(operation: Operation, *states: OrderState) -> Outcome:
    return outcome_of_ticket(TicketState.RELEASED, [outcome_of_order(operation, state) for state in states])


def test_every_combination_has_one_outcome_and_they_add_up() -> None:
    counted: Counter[Outcome] = Counter()
    received = 0
    for state in TicketState:
        for number in range(4):
            for messages in itertools.combinations_with_replacement(sorted(OF_ONE), number):
                received += 1
                counted[outcome_of_ticket(state, messages)] += 1
    assert counted.total() == received
    assert set(counted) == set(Outcome), "an outcome that no ticket can have is a word too many"


def test_how_often_a_message_has_an_outcome_and_in_which_order_changes_nothing() -> None:
    for messages in itertools.combinations(sorted(OF_ONE), 3):
        shuffled = [*messages[::-1], *messages]
        assert outcome_of_ticket(TicketState.RELEASED, messages) is outcome_of_ticket(TicketState.RELEASED, shuffled)


@pytest.mark.parametrize("operation", list(Operation))
@pytest.mark.parametrize("state", [state for state in OrderState if state is not OrderState.SENT])
def test_what_was_not_sent_is_named_by_our_own_state_whatever_the_broker_says(
    operation: Operation, state: OrderState
) -> None:
    assert len({outcome_of_order(operation, state, status, 5) for status in STATUSES}) == 1


@pytest.mark.parametrize(
    ("status", "filled", "told"),
    [
        (None, 0, Outcome.SENT),
        (OrderStatus.OPEN, 0, Outcome.WORKING),
        (OrderStatus.OPEN, 5, Outcome.WORKING),
        (OrderStatus.TRIGGER_PENDING, 0, Outcome.WORKING),
        (OrderStatus.COMPLETE, 10, Outcome.FILLED),
        (OrderStatus.REJECTED, 0, Outcome.REFUSED),
        (OrderStatus.CANCELLED, 0, Outcome.CANCELLED),
        (OrderStatus.CANCELLED, 5, Outcome.PARTLY_FILLED),
    ],
)
def test_an_order_that_was_sent_is_named_by_the_broker(status: OrderStatus | None, filled: int, told: Outcome) -> None:
    assert outcome_of_order(Operation.PLACE, OrderState.SENT, status, filled) is told


def test_a_change_that_the_broker_took_is_done_whatever_its_order_does() -> None:
    for status in STATUSES:
        assert outcome_of_order(Operation.CANCEL, OrderState.SENT, status) is Outcome.DONE


@pytest.mark.parametrize("doubtful", sorted(MAY_BE_THERE))
def test_a_doubt_is_never_hidden_by_what_went_well(doubtful: OrderState) -> None:
    alone = of_journal(Operation.CLOSE, doubtful)
    for others in itertools.product(set(OrderState) - MAY_BE_THERE - {OrderState.PLANNED}, repeat=2):
        assert of_journal(Operation.CLOSE, doubtful, *others) is alone


def test_all_that_failed_is_never_called_done() -> None:
    for failed in (OrderState.REJECTED, OrderState.DROPPED, OrderState.NOT_PLACED):
        assert of_journal(Operation.CANCEL, OrderState.SENT, failed) is Outcome.PARTLY_DONE
        assert of_journal(Operation.CANCEL, failed, failed) in {
            Outcome.REFUSED,
            Outcome.DROPPED,
            Outcome.NOT_PLACED,
        }
    assert of_journal(Operation.CANCEL, OrderState.SENT, OrderState.SENT) is Outcome.DONE


def test_a_ticket_that_nobody_let_go_is_named_by_itself() -> None:
    told = [outcome_of_ticket(state) for state in TicketState]
    assert len(set(told) - {Outcome.SENDING}) == len(TicketState) - 2, "accepted and approved are on their way"


NOT_OVER = (Outcome.DECIDE, Outcome.IN_DOUBT, Outcome.SENDING, Outcome.WORKING, Outcome.SENT)
AS_ASKED = {Outcome.FILLED, Outcome.DONE}
NOTHING_CAME_OF_IT = {Outcome.REFUSED, Outcome.NOT_PLACED, Outcome.DROPPED, Outcome.CANCELLED}


def test_of_every_combination_of_messages_nothing_is_said_that_one_of_them_belies() -> None:
    for number in range(2, len(OF_ONE) + 1):
        for messages in itertools.combinations(sorted(OF_ONE), number):
            together, of_each = outcome_of_ticket(TicketState.RELEASED, messages), set(messages)
            still_open = [each for each in NOT_OVER if each in of_each]
            if still_open:
                assert together is still_open[0], messages
            elif of_each <= AS_ASKED:
                assert together is Outcome.DONE, messages
            elif of_each <= NOTHING_CAME_OF_IT:
                assert together in of_each, messages
                assert together is not Outcome.CANCELLED, "a refusal is not hidden by a cancellation"
            else:
                assert together is Outcome.PARTLY_DONE, messages
    assert {*NOT_OVER, *AS_ASKED, *NOTHING_CAME_OF_IT, Outcome.PARTLY_FILLED} == OF_ONE


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (OrderStatus.COMPLETE, Outcome.FILLED),
        (OrderStatus.CANCELLED, Outcome.PARTLY_DONE),
        (OrderStatus.REJECTED, Outcome.PARTLY_DONE),
        (OrderStatus.OPEN, Outcome.WORKING),
        (None, Outcome.SENT),
    ],
)
def test_a_closing_is_over_when_its_last_leg_is(second: OrderStatus | None, told: Outcome) -> None:
    legs = [outcome_of_order(Operation.PLACE, OrderState.SENT, status) for status in (OrderStatus.COMPLETE, second)]
    assert outcome_of_ticket(TicketState.RELEASED, legs) is told
