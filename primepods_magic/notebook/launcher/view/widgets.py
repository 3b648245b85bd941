"""A factory that shares layouts and styles between widgets, and helpers that change widgets minimally."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ipywidgets import HTML, Box, Button, Layout, Password
from traitlets import Unicode

from primepods_magic.api.text.sanitize import safe_html, sanitize

if TYPE_CHECKING:
    from primepods_magic.notebook.launcher.state.model import LauncherModel

__all__ = [
    "Field",
    "SecretText",
    "WidgetFactory",
    "card_html",
    "set_options",
    "set_visible",
    "update_traits",
]

_HIDDEN = "primepods-hidden"


class SecretText(Password):  # type: ignore[misc] # ipywidgets has no types
    """A field for a secret, which is sent once, never echoed, and cleared at once."""

    value = Unicode("").tag(sync=True, echo_update=False)


class WidgetFactory:
    """A factory for the widgets of one launcher, which also closes them.

    A widget costs one message each for itself, its layout, and its style. The latter two are shared; the
    style sheet does the rest.
    """

    def __init__(self, model: LauncherModel) -> None:
        self._model = model
        self._layout = Layout()
        self._styles: dict[Any, Any] = {}
        self._made: dict[str, Any] = {}

    def __call__(self, kind: Any, *classes: str, **traits: Any) -> Any:
        """Create a widget; each of its CSS classes gets the prefix ``primepods-``."""
        if "style" in kind.class_trait_names():
            traits["style"] = self._share_style(kind)
        names = tuple(f"primepods-{name}" for name in classes)
        widget = kind(layout=self._layout, _dom_classes=names, **traits)
        self._made[widget.model_id] = widget
        return widget

    def _share_style(self, kind: Any) -> Any:
        style_class = kind.class_traits()["style"].klass
        if style_class not in self._styles:
            self._styles[style_class] = style_class()
        return self._styles[style_class]

    def html(self, *classes: str, value: str = "") -> Any:
        """Create a piece of HTML."""
        return self(HTML, *classes, value=value)

    def button(self, text: str, on_click: Callable[[], object], *classes: str, tooltip: str = "") -> Any:
        """Create a button; `on_click` must return at once."""
        button = self(Button, "button", *classes, description=text, tooltip=tooltip or None)
        button.on_click(lambda _: on_click())
        return button

    def on_change(self, widget: Any, act: Callable[[Any], object], trait: str = "value") -> None:
        """Call `act` when the user changes a widget; changes by the launcher do not count."""

        def handle_change(change: Any) -> None:
            if not self._model.is_current_thread:
                act(change["new"])

        widget.observe(handle_change, trait)

    def close(self, *widgets: Any) -> None:
        """Close widgets; without any, all of them."""
        for widget in widgets or tuple(self._made.values()):
            self._made.pop(widget.model_id, None)
            widget.close()
        if not widgets:
            for shared in (self._layout, *self._styles.values()):
                shared.close()


def update_traits(widget: Any, **traits: Any) -> None:
    """Set the traits that differ, in one message."""
    changed = {name: value for name, value in traits.items() if getattr(widget, name) != value}
    if changed:
        with widget.hold_sync():
            for name, value in changed.items():
                setattr(widget, name, value)


def set_options(control: Any, options: list[tuple[str, Any]], value: Any) -> None:
    """Set the options of a list, and keep the selected value, which may be missing among them."""
    if value not in [known for _, known in options]:
        options = [*options, (sanitize(value), value)]
    if list(control.options) != options:
        with control.hold_sync():
            control.options = options
            control.value = value


def set_visible(widget: Any, is_shown: bool) -> None:
    """Show or hide a widget; its place and the focus stay."""
    classes = tuple(name for name in widget._dom_classes if name != _HIDDEN)
    update_traits(widget, _dom_classes=classes if is_shown else (*classes, _HIDDEN))


def card_html(inside: str, kind: str = "", *, role: str = "status") -> str:
    """Return HTML as a highlighted card; `kind` is ``good``, ``warn``, ``bad``, or empty."""
    classes = "primepods-card" + (f" primepods-{kind}" if kind else "")
    return f'<div role="{role}" class="{classes}">{inside}</div>'


class Field:
    """A control with a line below it for a hint or a problem."""

    def __init__(self, widgets: WidgetFactory, control: Any, *classes: str) -> None:
        self.control = control
        self._below = widgets.html("below")
        self.box = widgets(Box, "field", *classes, children=(control, self._below))

    def show(self, problem: str = "", hint: str = "") -> None:
        """Show the problem, or else the hint."""
        if problem:
            html = f'<div role="alert" class="primepods-problem">{safe_html(problem)}</div>'
        else:
            html = f'<div class="primepods-hint">{safe_html(hint)}</div>' if hint else ""
        update_traits(self._below, value=html)
