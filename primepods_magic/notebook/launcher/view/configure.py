"""Configure: what the pod is to be, its price, and the same as a cell."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ipywidgets import BoundedIntText, Box, Checkbox, Dropdown, Text, Textarea

from primepods_magic.api.requests import TEMPLATE_IMAGE
from primepods_magic.api.text.money import format_usd, format_usd_hr
from primepods_magic.api.text.sanitize import safe_html, sanitize
from primepods_magic.notebook.launcher.state.form import SIZES, Bounds, bounds, limits_of
from primepods_magic.notebook.launcher.state.formatting import price_parts

from .static import team_name
from .variables import VariablesView
from .widgets import Field, SecretText, WidgetFactory, card_html, set_visible, update_traits

if TYPE_CHECKING:
    from primepods_magic.notebook.launcher.state.model import LauncherModel

__all__ = ["ConfigureView"]

_UNITS = {"disk": ("Disk", "GB"), "vcpus": ("vCPUs", "vCPUs"), "memory": ("Memory", "GB")}
_MORE = ("env", "disks", "team", "ssh_key_id")
_MORE_WORDS = "More settings: variables, password, disks, team …"
_ALL_OF_IT = ("offer", "account", "price", "spec")


class ConfigureView:
    """The part of the launcher in which the chosen offer becomes a pod's specification.

    Parameters
    ----------
    kit : Kit
        Makes the widgets.
    model : LauncherModel
        Is told what somebody does, and says what to show.
    """

    def __init__(self, kit: WidgetFactory, model: LauncherModel) -> None:
        self._kit = kit
        self._model = model
        self._changes = -1
        self._bounds: dict[str, Bounds | None] = {}
        self._is_more = False
        self._fields = {
            "name": Field(kit, kit(Text, description="Name", continuous_update=True), "wide"),
            "image": Field(kit, kit(Dropdown, description="Image", options=[]), "wide"),
            "template": Field(kit, kit(Text, description="Template of yours: its id"), "wide"),
        }
        for name, (what, unit) in _UNITS.items():
            label = what if what == unit else f"{what} ({unit})"
            control = kit(BoundedIntText, description=label, min=0, max=1_000_000)
            self._fields[SIZES[name]] = Field(kit, control)
        self._more_fields = {
            "team": Field(kit, kit(Dropdown, description="Billed to", options=[]), "wide"),
            "ssh_key_id": Field(kit, kit(Dropdown, description="SSH key", options=[]), "wide"),
            "jupyter_password": Field(
                kit,
                kit(
                    SecretText,
                    description="Jupyter password",
                    continuous_update=False,
                    placeholder="generated; type your own",
                ),
                "wide",
            ),
            "auto_restart": Field(
                kit, kit(Checkbox, description="Start again after an error", indent=False), "medium"
            ),
        }
        for name, field in (*self._fields.items(), *self._more_fields.items()):
            if name in SIZES.values():
                kit.on_change(field.control, partial(self._size, name))
            elif name != "jupyter_password":
                kit.on_change(field.control, partial(self._set, name))
        kit.on_change(self._more_fields["jupyter_password"].control, self._password)
        self._variables = VariablesView(kit, model)
        self._disks: dict[str, Any] = {}
        self._disk_box = kit(Box, "row")
        self._disk_label = kit.html()
        self._disk_field = Field(kit, kit(Box, "column", children=(self._disk_label, self._disk_box)), "all")
        self._title = kit.html()
        self._price = kit.html()
        self._wrong = kit.html()
        self._toggle = kit.button(_MORE_WORDS, self._toggle_more, "quiet")
        more = (*(field.box for field in self._more_fields.values()), self._variables.box)
        self._more = kit(Box, "row", children=(*more, self._disk_field.box))
        self._cell = kit(Textarea, description="The same as a cell", rows=8)
        kit.on_change(self._cell, lambda _: model.do(self._restore_cell))
        self._code_hint = kit.html()
        self.code = kit(
            Box,
            "section",
            children=(
                self._cell,
                self._code_hint,
            ),
        )
        self.box = kit(
            Box,
            "section",
            children=(
                self._title,
                kit(Box, "row", children=tuple(field.box for field in self._fields.values())),
                self._toggle,
                self._more,
                self._price,
                self._wrong,
            ),
        )

    def _set(self, name: str, value: Any) -> None:
        self._model.set(**{name: value})

    def _size(self, name: str, value: int) -> None:
        bound = self._bounds.get(name)
        self._model.set(**{name: None if bound is not None and value == bound.default else value})

    def _password(self, value: str) -> None:
        if value:
            self._more_fields["jupyter_password"].control.value = ""
            self._model.do(self._model.order.set_password, value)

    def _toggle_more(self) -> None:
        self._is_more = not self._is_more
        self._model.do(lambda: None)

    def _restore_cell(self) -> None:
        """What is typed into it goes nowhere; the form says what it says."""
        update_traits(self._cell, value=self._model.cell)

    def render(self) -> None:
        """Show what the model says."""
        order = self._model.order
        is_chosen = order.listed is not None
        set_visible(self.box, is_chosen)
        set_visible(self.code, is_chosen and bool(order.body))
        if order.listed is None:
            return
        offer = order.listed.offer
        update_traits(self._title, value=f"<h3>Configure it: {_offer_html(self._model)}</h3>")
        for name, limits in limits_of(offer).items():
            self._bounds[SIZES[name]] = bounds(limits, _UNITS[name][1])
        self._offer_choices()
        if self._changes != order.form_changes:
            self._changes = order.form_changes
            self._fill_in()
        self._say_what_is_wrong()
        self._variables.render()
        update_traits(self._price, value=_price_html(self._model))
        update_traits(self._code_hint, value=_code_hint_html(self._model))
        update_traits(self._cell, value=self._model.cell, rows=min(16, self._model.cell.count("\n") + 1))

    def _offer_choices(self) -> None:
        account, order = self._model.account, self._model.order
        offer = order.listed.offer if order.listed else None
        images = [(sanitize(image), image) for image in (offer.images if offer else ())]
        keys = [(sanitize(key.name) or sanitize(key.id), key.id) for key in account.keys or ()]
        primary = f"{keys[0][0]}, the primary one" if keys else "none on the account"
        unknown = "the account's primary one"
        teams = [
            (f"team {sanitize(team.name) or sanitize(team.team_id)}", team.team_id) for team in account.teams
        ]
        own = order.default_team
        mine = f"team {team_name(self._model, own)}, as set" if own else "my own wallet"
        _options(self._fields["image"].control, images, order.form.image)
        _options(
            self._more_fields["ssh_key_id"].control,
            [(unknown if account.keys is None else primary, ""), *keys[1:]],
            order.form.ssh_key_id,
        )
        _options(self._more_fields["team"].control, [(mine, ""), *teams], order.form.team)
        self._offer_disks()

    def _offer_disks(self) -> None:
        for disk in self._model.account.disks:
            if disk.id and disk.id not in self._disks:
                price = "" if disk.price_hr is None else f", {format_usd_hr(disk.price_hr)} by itself"
                size = "" if disk.size is None else f", {disk.size:g} GB"
                label = f"{_as_label(disk.name or disk.id)}{size}{price}"
                box = self._kit(Checkbox, description=label, indent=False)
                self._kit.on_change(box, lambda _: self._model.do(self._take_disks))
                self._disks[disk.id] = box
        children = tuple(self._disks.values())
        if self._disk_box.children != children:
            self._disk_box.children = children

    def _take_disks(self) -> None:
        self._model.order.set(disks=tuple(disk_id for disk_id, box in self._disks.items() if box.value))

    def _fill_in(self) -> None:
        """Put into the controls what nobody typed there: what comes with the offer."""
        form = self._model.order.form
        for name, bound in self._bounds.items():
            if bound is not None:
                size = getattr(form, name)
                _bound(self._fields[name].control, bound, bound.default if size is None else size)
        update_traits(self._fields["image"].control, value=form.image)

    def _say_what_is_wrong(self) -> None:
        order = self._model.order
        problems = order.problems
        hints = {
            **{name: bound.words for name, bound in self._bounds.items() if bound},
            "name": order.note
            or ("" if order.form.name.strip() or not order.spec else f"without one: {order.spec.pod_name}"),
            "jupyter_password": _password_hint(self._model),
            "ssh_key_id": "" if self._model.account.keys != () else "%pods keys add lets yours log in",
        }
        for name, field in {**self._fields, **self._more_fields}.items():
            field.say(problems.get(name, ""), hints.get(name, ""))
        label = "Disks to attach" if self._disks else "You have no disks to attach"
        update_traits(self._disk_label, value=f'<div class="primepods-label">{label}</div>')
        self._disk_field.say(problems.get("disks", ""))
        set_visible(self._fields["template"].box, order.form.image == TEMPLATE_IMAGE)
        for name, bound in self._bounds.items():
            set_visible(self._fields[name].box, bound is not None)
        is_more = self._is_more or any(name in problems for name in _MORE)
        set_visible(self._more, is_more)
        update_traits(
            self._toggle,
            description="Fewer settings" if is_more else _MORE_WORDS,
        )
        wrong = [problems[name] for name in _ALL_OF_IT if name in problems]
        update_traits(
            self._wrong, value="".join(card_html(safe_html(said), "bad", role="alert") for said in wrong)
        )


def _password_hint(model: LauncherModel) -> str:
    reference = model.order.form.jupyter_password
    if model.order.secrets.is_kept(reference):
        return f"{reference.strip('${}')}.get_secret_value() tells it"
    return f"taken from {reference}"


def _code_hint_html(model: LauncherModel) -> str:
    form = model.order.form
    names = dict.fromkeys(
        name.strip("${}") for name in (*form.env.values(), form.jupyter_password) if name.startswith("${")
    )
    takes = f"It takes {', '.join(names)} from this notebook or the environment." if names else ""
    return (
        '<div class="primepods-hint">Running it is the same as launching here. '
        f"<code>%pods launcher --cell</code> puts it into the next cell. {safe_html(takes)}</div>"
    )


def _as_label(text: object) -> str:
    """Text for a label, which front ends typeset: what would be mathematics there is written wide."""
    return sanitize(text).translate(
        {ord("$"): "\N{FULLWIDTH DOLLAR SIGN}", ord("\\"): "\N{FULLWIDTH REVERSE SOLIDUS}"}
    )


def _options(control: Any, options: list[tuple[str, Any]], value: str) -> None:
    """Offer these, and whatever is chosen already."""
    if value not in [known for _, known in options]:
        options = [*options, (sanitize(value), value)]
    if list(control.options) != options:
        with control.hold_sync():
            control.options = options
            control.value = value


def _bound(control: Any, bound: Bounds, value: int) -> None:
    """Widen before narrowing: a control checks each of its numbers against the others."""
    with control.hold_sync():
        control.min, control.max = min(control.min, bound.least), max(control.max, bound.most)
        control.value = value
        control.min, control.max, control.step = bound.least, bound.most, bound.step
        control.disabled = bound.is_fixed


def _offer_html(model: LauncherModel) -> str:
    quote = model.order.quote
    if quote is None:
        return ""
    offer = quote.offer
    spot = ", spot: it may be reclaimed at any time" if offer.is_spot else ""
    return safe_html(f"{offer.gpu_count} × {offer.gpu_type} at {quote.place}{spot}")


def _price_html(model: LauncherModel) -> str:
    quote = model.order.quote
    if quote is None:
        return ""
    parts = " + ".join(safe_html(part) for part in price_parts(quote))
    below = f'<div class="primepods-hint">{parts}</div>'
    day = safe_html(f"{format_usd_hr(quote.price_usd_hr)} · {format_usd(quote.price_usd_day)}/day")
    return f'<div class="primepods-price" role="status"><b>{day}</b>{below}</div>'
