"""The filters, and the list of the offers that match them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ipywidgets import Box, Combobox, Dropdown, Select, Text

from primepods_magic.api.text.sanitize import escape_html, safe_html, sanitize
from primepods_magic.notebook.launcher.state.offers import (
    MAX_SHOWN,
    Filters,
    OfferKey,
    OfferOrder,
    PricedOffer,
)
from primepods_magic.notebook.progress.rows import as_of_text

from .offer_table import format_table
from .widgets import Field, WidgetFactory, card_html, set_options, set_visible, update_traits

if TYPE_CHECKING:
    from primepods_magic.notebook.launcher.state.model import LauncherModel

__all__ = ["FindView"]

_ANY = "Any"
_CLOUDS = {"secure_cloud": "Secure cloud", "community_cloud": "Community cloud"}


class FindView:
    """The section in which an offer is selected."""

    def __init__(self, widgets: WidgetFactory, model: LauncherModel) -> None:
        self._model = model
        self._rows: tuple[PricedOffer, ...] = ()
        self._filter_changes = 0
        self._fields: dict[str, Field] = {}
        for name, kind, description, example in (
            ("gpu", Combobox, "GPU type", "H100"),
            ("count", Dropdown, "GPUs", 0),
            ("location", Combobox, "Region or country", "eu_north"),
            ("max_price", Text, "Max $/h", "2.50"),
            ("provider", Dropdown, "Provider", ""),
            ("security", Dropdown, "Security", ""),
            ("socket", Dropdown, "Socket", ""),
        ):
            traits: dict[str, Any] = {
                "placeholder": _ANY,
                "tooltip": f"For example {example}",
                "continuous_update": True,
            }
            if kind is Dropdown:
                traits = {"options": [(_ANY, example)], "value": example}
            self._add_field(widgets, name, widgets(kind, description=description, **traits))
        kinds = [("On-demand", False), ("Spot (can be reclaimed)", True)]
        kind = widgets(Dropdown, description="Kind", options=kinds, value=False)
        self._add_field(widgets, "is_spot", kind)
        orders = [(order.value[0].upper() + order.value[1:], order) for order in OfferOrder]
        self._order = widgets(Dropdown, description="Order", options=orders, value=model.order)
        widgets.on_change(self._order, model.sort)
        self._status = widgets.html()
        self._refresh = widgets.button("Refresh", model.refresh, tooltip="Reload the list of offers")
        self._clear = widgets.button("Clear filters", model.clear_filters)
        self._head = widgets.html("head")
        self._select = widgets(Select, description="Offers", options=[])
        widgets.on_change(self._select, self._choose_row, "index")
        self._table = widgets(Box, "table", children=(self._head, self._select))
        order = widgets(Box, "field", children=(self._order,))
        controls = (*(field.box for field in self._fields.values()), order)
        filters = widgets(Box, "grid", children=controls)
        buttons = widgets(Box, "row", children=(self._refresh, self._clear))
        title = widgets.html(value="<h3>Find a machine</h3>")
        self.box = widgets(Box, "section", children=(title, filters, self._status, self._table, buttons))

    def _add_field(self, widgets: WidgetFactory, name: str, control: Any) -> None:
        self._fields[name] = Field(widgets, control)
        widgets.on_change(control, lambda value: self._model.filter(**{name: value}))

    def _choose_row(self, index: int | None) -> None:
        if index is not None and index < len(self._rows):
            self._model.choose(OfferKey.of(self._rows[index].offer))

    def render(self) -> None:
        """Show the state of the model."""
        model = self._model
        for name, field in self._fields.items():
            field.show(model.results.problems.get(name, ""))
        self._update_choices()
        if model.filter_changes != self._filter_changes:
            self._filter_changes = model.filter_changes
            for name, field in self._fields.items():
                update_traits(field.control, value=getattr(model.filters, name))
        self._show_rows()
        update_traits(self._status, value=_format_status(model))
        update_traits(self._refresh, disabled=model.is_loading)
        set_visible(self._clear, model.filters != Filters())

    def _update_choices(self) -> None:
        """Update the choices of each filter to the values of the offers."""
        offers, filters = self._model.offer_list, self._model.filters
        update_traits(self._fields["gpu"].control, options=offers.values("gpu_type"))
        locations = (*offers.values("region"), *offers.values("country"))
        update_traits(self._fields["location"].control, options=locations)
        counts = [(_ANY, 0), *((str(count), count) for count in offers.counts)]
        set_options(self._fields["count"].control, counts, filters.count)
        for name in ("provider", "security", "socket"):
            values = [(_CLOUDS.get(value, sanitize(value)), value) for value in offers.values(name)]
            set_options(self._fields[name].control, [(_ANY, ""), *values], getattr(filters, name))

    def _show_rows(self) -> None:
        rows = self._model.results.rows
        set_visible(self._table, bool(rows))
        if rows != self._rows:
            self._rows = rows
            table = format_table(rows)
            update_traits(self._head, value=escape_html(table.head))
            with self._select.hold_sync():
                # All rows: the box around the list scrolls, so that both of its bars are in sight.
                self._select.rows = max(2, len(rows))
                self._select.options = list(zip(table.lines, range(len(rows)), strict=True))
                self._select.index = self._find_selected()
        elif self._select.index != self._find_selected():
            self._select.index = self._find_selected()

    def _find_selected(self) -> int | None:
        selected = self._model.flow.selected
        key = OfferKey.of(selected.offer) if selected else None
        return next((index for index, row in enumerate(self._rows) if OfferKey.of(row.offer) == key), None)


def _format_status(model: LauncherModel) -> str:
    offers, results = model.offer_list, model.results
    if model.offers_error:
        old = f" Showing the list {as_of_text(offers.taken_at)}." if offers.taken_at else ""
        text = f"Could not list offers: {model.offers_error.rstrip('.')}.{old}"
        return card_html(safe_html(text), "bad", role="alert")
    if offers.taken_at is None:
        return '<div role="status">Loading offers …</div>'
    if results.problems:
        return ""
    if not results.total:
        return card_html("No offers match these filters now. Clear some to see more.", "warn")
    parts = [f"{results.total} offer{'' if results.total == 1 else 's'}, {results.order.value}"]
    if results.total > MAX_SHOWN:
        parts = [
            f"Showing {MAX_SHOWN:,} of {results.total:,} offers, {results.order.value}. "
            "Use the filters to see others."
        ]
    parts.append("refreshing …" if model.is_loading else f"list {as_of_text(offers.taken_at)}")
    left_out = ", ".join(f"{number} {reason}" for reason, number in sorted(results.left_out.items()))
    if left_out:
        parts.append(f"left out: {left_out}")
    return f'<div role="status" class="primepods-hint">{safe_html(" · ".join(parts))}</div>'
