"""``/settings/calendar``: when the exchanges trade. It warns and explains, it never stops an order; so no step-up."""

# mypy: disable-error-code="no-untyped-call"
# Flask-WTF and WTForms have no annotations.

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import SelectMultipleField, StringField  # type: ignore[import-untyped, unused-ignore]

from openalgo_bridge.clock import day_in_india
from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.calendar import WITH_HOLIDAYS, Calendar, DayAndExchange, Holiday, Session
from openalgo_bridge.model.calendar_form import (
    FIRST_YEAR,
    LAST_YEAR,
    CalendarForm,
    parse,
    parse_names,
)
from openalgo_bridge.model.holidays import SHIPPED
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.store.calendar import CalendarChanges, TradingCalendar
from openalgo_bridge.trading import paper_terms
from openalgo_bridge.web.current import actor, current_desk
from openalgo_bridge.web.forms import PageForm
from openalgo_bridge.web.optional import if_readable

blueprint = Blueprint("calendar", __name__, url_prefix="/settings/calendar")

_CLOSED_ON_HOLIDAYS = (
    Exchange.NSE,
    Exchange.BSE,
    Exchange.NFO,
    Exchange.BFO,
    Exchange.CDS,
    Exchange.BCD,
    Exchange.NCDEX,
)


class SpecialDayForm(PageForm):
    """``POST /settings/calendar``. What means what is said by :mod:`~openalgo_bridge.model.calendar_form`."""

    day = StringField("Date", render_kw={"type": "date", "min": f"{FIRST_YEAR}-01-01", "max": f"{LAST_YEAR}-12-31"})
    description = StringField("What day it is", render_kw={"maxlength": 60, "placeholder": "Republic Day"})
    exchanges = SelectMultipleField(
        "Exchanges", choices=[each.value for each in WITH_HOLIDAYS], default=list(_CLOSED_ON_HOLIDAYS)
    )
    opens = StringField("Opens (IST)", render_kw={"type": "time"})
    closes = StringField("Closes (IST)", render_kw={"type": "time"})

    @property
    def typed(self) -> CalendarForm:
        """As it was sent."""
        return CalendarForm(
            day=(self.day.data or "").strip(),
            description=self.description.data or "",
            exchanges=tuple(self.exchanges.data or ()),
            opens=self.opens.data or "",
            closes=self.closes.data or "",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trading:
    """Exchanges that trade at the same hours of one day."""

    exchanges: tuple[Exchange, ...]
    opens: datetime
    closes: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the year, all exchanges that it is about, and whether the trader wrote any of it."""

    holiday: Holiday
    exchanges: tuple[Exchange, ...]
    trading: tuple[Trading, ...]
    is_own: bool


@blueprint.get("")
def calendar() -> ResponseReturnValue:
    """The special days of a year, ``?year=``, and what trades today."""
    return _page(SpecialDayForm(formdata=None), _year_in_url())


@blueprint.post("")
def add() -> ResponseReturnValue:
    """A holiday, or a session at other hours, on one day for some exchanges."""
    form = SpecialDayForm()
    try:
        days = parse(form.typed)
    except Invalid as refusal:
        form.show_faults(refusal.faults)
        return _page(form, _year_in_url(), refusal.status)
    _change(lambda calendar, since: calendar.put(days, by=actor(), since=since))
    flash(f"Saved: {days[0].day:%d %b %Y}, {days[0].description}.", "success")
    return _back(days[0].day.year)


@blueprint.post("/remove")
def remove() -> ResponseReturnValue:
    """The exchanges of a line trade as usual on that day. Raises Invalid."""
    names = _names()
    _change(lambda calendar, since: calendar.remove(names, by=actor(), since=since))
    flash(f"Removed. {names[0][0]:%d %b %Y} is an ordinary day for {_listed(names)}.", "success")
    return _back(names[0][0].year)


@blueprint.post("/restore")
def restore() -> ResponseReturnValue:
    """What came with the bridge counts again. Raises Invalid."""
    names = _names()
    _change(lambda calendar, since: calendar.restore(names, by=actor(), since=since))
    flash(f"Restored for {names[0][0]:%d %b %Y}: {_listed(names)}.", "success")
    return _back(names[0][0].year)


@blueprint.post("/year")
def complete() -> ResponseReturnValue:
    """The trader says that every holiday of a year is in the list, or that some are missing. Raises Invalid."""
    year = request.form.get("year", type=int)
    if year is None or not FIRST_YEAR <= year <= LAST_YEAR:
        raise Invalid(f"The calendar goes from {FIRST_YEAR} to {LAST_YEAR}.")
    is_complete = request.form.get("complete") == "yes"
    _change(lambda calendar, since: calendar.set_complete(year, is_complete=is_complete, by=actor(), since=since))
    flash(f"The list of {year} counts as {'complete' if is_complete else 'not complete'}.", "success")
    return _back(year)


def _change(change: Callable[[TradingCalendar, datetime], object]) -> None:
    desk = current_desk()
    paper_terms.change(desk, lambda since: change(desk.store.calendar, since), lambda told: flash(told, "warning"))


def _page(form: SpecialDayForm, year: int, status: int = 200) -> tuple[str, int]:
    store, today = current_desk().store.calendar, day_in_india(current_desk().clock.now())
    changes = if_readable(store.changes)
    in_force = SHIPPED if changes is None else changes.applied_to(SHIPPED)
    text = render_template(
        "calendar.html",
        form=form,
        year=year,
        years=[each for each in (year - 1, year + 1) if FIRST_YEAR <= each <= LAST_YEAR],
        lines=_lines(in_force, changes or CalendarChanges(), year),
        removed=_removed(changes or CalendarChanges(), year),
        is_shipped=year in SHIPPED.years,
        is_complete=year in in_force.years,
        is_readable=changes is not None,
        today=today,
        trading=_together(in_force.timings(today)),
        remark=in_force.remark(Exchange.NSE, today),
    )
    return text, status


def _lines(calendar: Calendar, changes: CalendarChanges, year: int) -> list[Line]:
    own = {(each.day, each.exchange) for each in changes.days}
    return [_line(each, own) for each in calendar.holidays(year)]


def _line(holiday: Holiday, own: set[DayAndExchange]) -> Line:
    exchanges = (*holiday.closed, *(each.exchange for each in holiday.open))
    return Line(
        holiday=holiday,
        exchanges=exchanges,
        trading=_together(holiday.open),
        is_own=any((holiday.day, each) in own for each in exchanges),
    )


def _together(sessions: Sequence[Session]) -> tuple[Trading, ...]:
    exchanges: dict[tuple[datetime, datetime], list[Exchange]] = {}
    for each in sessions:
        exchanges.setdefault((each.opens, each.closes), []).append(each.exchange)
    return tuple(
        Trading(exchanges=tuple(names), opens=opens, closes=closes) for (opens, closes), names in exchanges.items()
    )


def _removed(changes: CalendarChanges, year: int) -> list[Line]:
    """The shipped days that trade as usual after all."""
    days = [special for name, special in SHIPPED.special_days.items() if name in changes.ordinary]
    return _lines(Calendar.of(days, years=()), changes, year)


def _names() -> tuple[DayAndExchange, ...]:
    return parse_names(request.form.get("day", ""), request.form.getlist("exchanges"))


def _listed(names: tuple[DayAndExchange, ...]) -> str:
    return ", ".join(exchange for _, exchange in names)


def _year_in_url() -> int:
    """The year asked for; this one where that is none."""
    year = request.args.get("year", type=int)
    if year is not None and FIRST_YEAR <= year <= LAST_YEAR:
        return year
    return day_in_india(current_desk().clock.now()).year


def _back(year: int) -> ResponseReturnValue:
    return redirect(url_for("calendar.calendar", year=year, _anchor="content"))
