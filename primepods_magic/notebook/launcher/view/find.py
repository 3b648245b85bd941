"""Find: the filters, and the offers that they leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ipywidgets import Box, Combobox, Dropdown, Select, Text

from primepods_magic.api.text.sanitize import escape_html, safe_html, sanitize
from primepods_magic.notebook.launcher.state.offers import SHOWN, Filters, OfferKey, PricedOffer
from primepods_magic.notebook.progress.rows import as_of_text

from .offer_table import table
from .widgets import Field, WidgetFactory, card_html, set_visible, update_traits

if TYPE_CHECKING:
    from primepods_magic.notebook.launcher.state.model import LauncherModel

__all__ = ["FindView"]

_ANY = "any"
_ROWS = 10
_CLOUDS = {"secure_cloud": "secure cloud", "community_cloud": "community cloud"}


class FindView:
    """The part of the launcher in which an offer is chosen.

    Parameters
    ----------
    kit : Kit
        Makes the widgets.
    model : LauncherModel
        Is told what somebody does, and says what to show.
    """

    def __init__(self, kit: WidgetFactory, model: LauncherModel) -> None:
        self._model = model
        self._rows: tuple[PricedOffer, ...] = ()
        self._filter_changes = 0
        self._fields: dict[str, Field] = {}
        text: dict[str, Any] = {"continuous_update": True}
        self._add(kit, "gpu", kit(Combobox, description="GPU type", placeholder="any, such as H100", **text))
        self._add(kit, "count", kit(Dropdown, description="GPUs", options=[(_ANY, 0)], value=0))
        self._add(
            kit,
            "place",
            kit(Combobox, description="Region or country", placeholder="any, such as eu_north or NO", **text),
        )
        self._add(
            kit, "max_price", kit(Text, description="$/h at most", placeholder="any, such as 2.50", **text)
        )
        for name in ("provider", "security", "socket"):
            control = kit(Dropdown, description=name.capitalize(), options=[(_ANY, "")], value="")
            self._add(kit, name, control)
        kinds = [("on demand", False), ("spot, can be reclaimed", True)]
        self._add(kit, "is_spot", kit(Dropdown, description="Kind", options=kinds, value=False))
        self._status = kit.html()
        self._refresh = kit.button("Refresh", model.refresh, tooltip="Take the list of offers again")
        self._clear = kit.button("Clear filters", model.clear_filters)
        self._head = kit.html("head")
        self._select = kit(Select, description="Offers, cheapest first", options=[], rows=_ROWS)
        kit.on_change(self._select, self._chosen, "index")
        self._table = kit(Box, "table", children=(self._head, self._select))
        filters = kit(Box, "grid", children=tuple(field.box for field in self._fields.values()))
        buttons = kit(Box, "row", children=(self._refresh, self._clear))
        self.box = kit(
            Box,
            "section",
            children=(
                kit.html(value="<h3>Find a machine</h3>"),
                filters,
                self._status,
                self._table,
                buttons,
            ),
        )

    def _add(self, kit: WidgetFactory, name: str, control: Any) -> None:
        self._fields[name] = Field(kit, control)
        kit.on_change(control, lambda value: self._model.filter(**{name: value}))

    def _chosen(self, index: int | None) -> None:
        if index is not None and index < len(self._rows):
            self._model.choose(OfferKey.of(self._rows[index].offer))

    def render(self) -> None:
        """Show what the model says."""
        model = self._model
        for name, field in self._fields.items():
            field.say(model.found.problems.get(name, ""))
        self._offer_words()
        if model.filter_changes != self._filter_changes:
            self._filter_changes = model.filter_changes
            for name, field in self._fields.items():
                update_traits(field.control, value=getattr(model.filters, name))
        self._show_rows()
        update_traits(self._status, value=_status(model))
        update_traits(self._refresh, disabled=model.is_loading)
        set_visible(self._clear, model.filters != Filters())

    def _offer_words(self) -> None:
        """What can be chosen: what the offers say."""
        market, filters = self._model.market, self._model.filters
        update_traits(self._fields["gpu"].control, options=market.words("gpu_type"))
        update_traits(
            self._fields["place"].control, options=(*market.words("region"), *market.words("country"))
        )
        _choices(
            self._fields["count"].control,
            [(_ANY, 0), *((str(n), n) for n in market.counts)],
            filters.count,
        )
        for name in ("provider", "security", "socket"):
            words = [(_CLOUDS.get(word, sanitize(word)), word) for word in market.words(name)]
            _choices(self._fields[name].control, [(_ANY, ""), *words], getattr(filters, name))

    def _show_rows(self) -> None:
        rows = self._model.found.rows
        set_visible(self._table, bool(rows))
        if rows != self._rows:
            self._rows = rows
            written = table(rows)
            update_traits(self._head, value=escape_html(written.head))
            with self._select.hold_sync():
                self._select.rows = max(2, min(_ROWS, len(rows)))
                self._select.options = list(zip(written.lines, range(len(rows)), strict=True))
                self._select.index = self._index()
        elif self._select.index != self._index():
            self._select.index = self._index()

    def _index(self) -> int | None:
        """Where the chosen offer stands in the list."""
        listed = self._model.order.listed
        key = OfferKey.of(listed.offer) if listed else None
        places = (place for place, row in enumerate(self._rows) if OfferKey.of(row.offer) == key)
        return next(places, None)


def _choices(control: Any, options: list[tuple[str, Any]], value: Any) -> None:
    if list(control.options) != options and any(value == known for _, known in options):
        with control.hold_sync():
            control.options = options
            control.value = value


def _status(model: LauncherModel) -> str:
    market, found = model.market, model.found
    if model.trouble:
        old = f" Below is the list {as_of_text(market.taken_at)}." if market.taken_at else ""
        said = f"The offers cannot be listed: {model.trouble.rstrip('.')}.{old}"
        return card_html(safe_html(said), "bad", role="alert")
    if market.taken_at is None:
        return '<div role="status">Asking for offers …</div>'
    if found.problems:
        return ""
    if not found.total:
        return card_html("No offer is like that now. Fewer filters show more.", "warn")
    words = [f"{found.total} offer{'' if found.total == 1 else 's'}, cheapest first"]
    if found.total > SHOWN:
        words.append(f"the first {SHOWN} are below and {found.total - SHOWN} more follow; filters show those")
    words.append("asking again …" if model.is_loading else f"list {as_of_text(market.taken_at)}")
    left_out = [
        f"{number} {what}"
        for number, what in (
            (market.sold_out, "sold out"),
            (market.unpriced, "not priced in USD"),
            (market.undescribed, "not fully described"),
        )
        if number
    ]
    if left_out:
        words.append(f"left out: {', '.join(left_out)}")
    return f'<div role="status" class="primepods-hint">{safe_html(" · ".join(words))}</div>'
