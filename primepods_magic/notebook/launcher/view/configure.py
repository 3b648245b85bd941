"""The form of a pod, its price, and the equivalent cell."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ipywidgets import Box, Checkbox, Dropdown, IntText, Text, Textarea

from primepods_magic.api.requests import TEMPLATE_IMAGE
from primepods_magic.api.text.money import format_usd, format_usd_hr
from primepods_magic.api.text.sanitize import safe_html, sanitize
from primepods_magic.notebook.launcher.state.form import Bounds, read_bounds, resource_limits
from primepods_magic.notebook.launcher.state.formatting import format_price_parts

from .static import team_name
from .variables import VariablesView
from .widgets import Field, SecretText, WidgetFactory, card_html, set_options, set_visible, update_traits

if TYPE_CHECKING:
    from primepods_magic.notebook.launcher.state.model import LauncherModel

__all__ = ["ConfigureView"]

_UNITS = {"disk": ("Disk", "GB"), "vcpus": ("vCPUs", "vCPUs"), "memory": ("Memory", "GB")}
_ENDS = {"run_for": "End it after", "idle": "End it when idle for"}
_MORE_FIELDS = ("env", "disks", "team", "ssh_key_id")
_MORE_CAPTION = "Show more settings: variables, password, disks, team"
_WHOLE_FORM = ("offer", "account", "price", "spec")


class ConfigureView:
    """The section in which the selected offer becomes the specification of a pod."""

    def __init__(self, widgets: WidgetFactory, model: LauncherModel) -> None:
        self._widgets = widgets
        self._model = model
        self._changes = -1
        self._bounds: dict[str, Bounds | None] = {}
        self._is_more = False
        self._fields = {
            "name": Field(
                widgets, widgets(Text, description="Name", continuous_update=True), "wide", "hinted"
            ),
            "image": Field(widgets, widgets(Dropdown, description="Image", options=[]), "wide"),
            "template": Field(widgets, widgets(Text, description="Template ID"), "wide"),
        }
        for name, (title, unit) in _UNITS.items():
            label = title if title == unit else f"{title} ({unit})"
            control = widgets(IntText, description=label)
            self._fields[name] = Field(widgets, control, "hinted")
        for name, title in _ENDS.items():
            control = widgets(Text, description=title, continuous_update=True, placeholder="never")
            self._fields[name] = Field(widgets, control, "hinted")
        self._more_fields = {
            "team": Field(widgets, widgets(Dropdown, description="Billed to", options=[]), "wide"),
            "ssh_key_id": Field(widgets, widgets(Dropdown, description="SSH key", options=[]), "wide"),
            "jupyter_password": Field(
                widgets,
                widgets(
                    SecretText,
                    description="Jupyter password",
                    continuous_update=False,
                    placeholder="None",
                ),
                "long",
                "hinted",
            ),
            "auto_restart": Field(
                widgets,
                widgets(Checkbox, description="Restart automatically on error", indent=False),
                "long",
            ),
        }
        for name, field in (*self._fields.items(), *self._more_fields.items()):
            if name in _UNITS:
                widgets.on_change(field.control, partial(self._set_size, name))
            elif name != "jupyter_password":
                widgets.on_change(field.control, partial(self._set_field, name))
        widgets.on_change(self._more_fields["jupyter_password"].control, self._set_password)
        self._remove_password = widgets.button(
            "Remove the password", lambda: model.do(model.flow.remove_password), "quiet"
        )
        self._variables = VariablesView(widgets, model)
        self._disks: dict[str, Any] = {}
        self._disk_box = widgets(Box, "row")
        self._disk_label = widgets.html()
        self._disk_field = Field(
            widgets, widgets(Box, "column", children=(self._disk_label, self._disk_box)), "all"
        )
        self._title = widgets.html()
        self._price = widgets.html()
        self._problems = widgets.html()
        self._toggle = widgets.button(_MORE_CAPTION, self._toggle_more, "quiet")
        password = self._more_fields["jupyter_password"].box
        password.children = (*password.children, self._remove_password)
        more = (*(field.box for field in self._more_fields.values()), self._variables.box)
        self._more = widgets(Box, "row", children=(*more, self._disk_field.box))
        self._cell = widgets(Textarea, description="Equivalent cell", rows=8)
        widgets.on_change(self._cell, lambda _: model.do(self._restore_cell))
        self._code_hint = widgets.html()
        self.code = widgets(Box, "section", children=(self._cell, self._code_hint))
        self.box = widgets(
            Box,
            "section",
            children=(
                self._title,
                widgets(Box, "row", children=tuple(field.box for field in self._fields.values())),
                self._toggle,
                self._more,
                self._price,
                self._problems,
            ),
        )

    def _set_field(self, name: str, value: Any) -> None:
        self._model.set(**{name: value})

    def _set_size(self, name: str, value: int) -> None:
        bound = self._bounds.get(name)
        self._model.set(**{name: None if bound is not None and value == bound.default else value})

    def _set_password(self, value: str) -> None:
        if value:
            self._more_fields["jupyter_password"].control.value = ""
            self._model.do(self._model.flow.set_password, value)

    def _toggle_more(self) -> None:
        self._is_more = not self._is_more
        self._model.do(lambda: None)

    def _restore_cell(self) -> None:
        """Undo input: the cell only shows the form."""
        update_traits(self._cell, value=self._model.cell)

    def render(self) -> None:
        """Show the state of the model."""
        flow = self._model.flow
        is_selected = flow.selected is not None
        set_visible(self.box, is_selected)
        set_visible(self.code, is_selected and bool(flow.body))
        if flow.selected is None:
            return
        offer = flow.selected.offer
        update_traits(self._title, value=f"<h3>Configure the pod: {_format_offer(self._model)}</h3>")
        for name, limits in resource_limits(offer).items():
            self._bounds[name] = read_bounds(limits, _UNITS[name][1])
        self._update_choices()
        if self._changes != flow.form_changes:
            self._changes = flow.form_changes
            self._fill_form()
        self._show_problems()
        self._variables.render()
        update_traits(self._price, value=_format_price(self._model))
        update_traits(self._code_hint, value=_format_code_hint(self._model))
        update_traits(self._cell, value=self._model.cell, rows=min(16, self._model.cell.count("\n") + 1))

    def _update_choices(self) -> None:
        account, flow = self._model.account, self._model.flow
        offer = flow.selected.offer if flow.selected else None
        images = [(sanitize(image), image) for image in (offer.images if offer else ())]
        keys = [(sanitize(key.name) or sanitize(key.id), key.id) for key in account.keys or ()]
        primary = f"{keys[0][0]} (primary)" if keys else "No keys on the account"
        unknown = "The primary key of the account"
        teams = [
            (f"Team {sanitize(team.name) or sanitize(team.team_id)}", team.team_id) for team in account.teams
        ]
        own = flow.default_team
        default = f"Team {team_name(self._model, own)} (default)" if own else "Your wallet"
        set_options(self._fields["image"].control, images, flow.form.image)
        set_options(
            self._more_fields["ssh_key_id"].control,
            [(unknown if account.keys is None else primary, ""), *keys[1:]],
            flow.form.ssh_key_id,
        )
        set_options(self._more_fields["team"].control, [(default, ""), *teams], flow.form.team)
        self._update_disks()

    def _update_disks(self) -> None:
        for disk in self._model.account.disks:
            if disk.id and disk.id not in self._disks:
                price = (
                    "" if disk.price_hr is None else f", {format_usd_hr(disk.price_hr)}, billed separately"
                )
                size = "" if disk.size is None else f", {disk.size:g} GB"
                label = f"{_escape_label(disk.name or disk.id)}{size}{price}"
                box = self._widgets(Checkbox, description=label, indent=False)
                self._widgets.on_change(box, lambda _: self._model.do(self._set_disks))
                self._disks[disk.id] = box
        children = tuple(self._disks.values())
        if self._disk_box.children != children:
            self._disk_box.children = children

    def _set_disks(self) -> None:
        self._model.flow.set(disks=tuple(disk_id for disk_id, box in self._disks.items() if box.value))

    def _fill_form(self) -> None:
        """Update the controls that the selected offer has changed."""
        form = self._model.flow.form
        for name, bound in self._bounds.items():
            if bound is not None:
                size = getattr(form, name)
                # Without bounds of its own: a control would change what was typed without a word.
                update_traits(
                    self._fields[name].control,
                    value=bound.default if size is None else size,
                    step=bound.step,
                    disabled=bound.is_fixed,
                )
        update_traits(self._fields["image"].control, value=form.image)

    def _show_problems(self) -> None:
        flow = self._model.flow
        problems = flow.problems
        hints = {
            **{name: bound.text for name, bound in self._bounds.items() if bound},
            "name": flow.name_hint
            or ("" if flow.form.name.strip() or not flow.spec else f"If left empty: {flow.spec.pod_name}"),
            "run_for": "Such as 4h, by itself",
            "idle": "Such as 30m, by itself",
            "jupyter_password": _format_password_hint(self._model),
            "ssh_key_id": "" if self._model.account.keys != () else "Add yours with %pods keys add",
        }
        for name, field in {**self._fields, **self._more_fields}.items():
            field.show(problems.get(name, ""), hints.get(name, ""))
        label = "Disks to attach" if self._disks else "You have no disks to attach"
        update_traits(self._disk_label, value=f'<div class="primepods-label">{label}</div>')
        self._disk_field.show(problems.get("disks", ""))
        set_visible(self._fields["template"].box, flow.form.image == TEMPLATE_IMAGE)
        for name, bound in self._bounds.items():
            set_visible(self._fields[name].box, bound is not None)
        has_password = bool(flow.form.jupyter_password)
        set_visible(self._remove_password, has_password)
        password = self._more_fields["jupyter_password"].control
        update_traits(password, placeholder="•••••" if has_password else "None")
        is_more = self._is_more or any(name in problems for name in _MORE_FIELDS)
        set_visible(self._more, is_more)
        update_traits(
            self._toggle,
            description="Show fewer settings" if is_more else _MORE_CAPTION,
        )
        cards = [
            card_html(safe_html(problems[name]), "bad", role="alert")
            for name in _WHOLE_FORM
            if name in problems
        ]
        update_traits(self._problems, value="".join(cards))


def _format_password_hint(model: LauncherModel) -> str:
    reference = model.flow.form.jupyter_password
    if not reference:
        return "Press Enter to set it. It is kept, masked, in a variable of this notebook."
    if model.flow.secrets.is_stored(reference):
        return f"To see it: {reference.strip('${}')}.get_secret_value()"
    return f"Taken from {reference}"


def _format_code_hint(model: LauncherModel) -> str:
    form = model.flow.form
    names = dict.fromkeys(
        name.strip("${}") for name in (*form.env.values(), form.jupyter_password) if name.startswith("${")
    )
    reads = f"It reads {', '.join(names)} from this notebook or the environment." if names else ""
    return (
        '<div class="primepods-hint">Running this cell is the same as launching here. '
        f"<code>%pods launcher --cell</code> copies it into the next cell. {safe_html(reads)}</div>"
    )


def _escape_label(text: object) -> str:
    """Return text for a label without the characters that front ends typeset as mathematics."""
    return sanitize(text).translate(
        {ord("$"): "\N{FULLWIDTH DOLLAR SIGN}", ord("\\"): "\N{FULLWIDTH REVERSE SOLIDUS}"}
    )


def _format_offer(model: LauncherModel) -> str:
    quote = model.flow.quote
    if quote is None:
        return ""
    offer = quote.offer
    spot = " (spot: it can be reclaimed at any time)" if offer.is_spot else ""
    return safe_html(f"{offer.gpu_count} × {offer.gpu_type} at {quote.place}{spot}")


def _format_price(model: LauncherModel) -> str:
    quote = model.flow.quote
    if quote is None:
        return ""
    parts = f'<div class="primepods-hint">{safe_html(format_price_parts(quote))}</div>'
    price = safe_html(f"{format_usd_hr(quote.price_usd_hr)} · {format_usd(quote.price_usd_day)}/day")
    return f'<div class="primepods-price" role="status"><b>{price}</b>{parts}</div>'
