"""Making widgets that share what can be shared, and changing them no more than needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ipywidgets import HTML, Box, Button, Layout, Password
from traitlets import Unicode

from primepods_magic.api.text.sanitize import safe_html

if TYPE_CHECKING:
    from primepods_magic.notebook.launcher.state.model import LauncherModel

__all__ = ["Field", "SecretText", "WidgetFactory", "card_html", "set_visible", "update_traits"]

_HIDDEN = "primepods-hidden"


class SecretText(Password):  # type: ignore[misc] # ipywidgets has no types
    """A field for a secret: what is typed is sent once, is not sent back, and leaves the field at once."""

    value = Unicode("").tag(sync=True, echo_update=False)


class WidgetFactory:
    """Makes the widgets of one launcher, and closes all of them.

    Each widget costs a message for itself, its layout and its style; those of a kind share the latter two,
    and look as the style sheet says.

    Parameters
    ----------
    model : LauncherModel
        Whose own changes of widgets are no news.
    """

    def __init__(self, model: LauncherModel) -> None:
        self._model = model
        self._layout = Layout()
        self._styles: dict[Any, Any] = {}
        self._made: dict[str, Any] = {}

    def __call__(self, kind: Any, *classes: str, **traits: Any) -> Any:
        """Make a widget.

        Parameters
        ----------
        kind : type
            Its class.
        *classes
            What the style sheet knows it by, each without ``primepods-``.
        **traits
            Its traits.
        """
        if "style" in kind.class_trait_names():
            traits["style"] = self._style_of(kind)
        names = tuple(f"primepods-{name}" for name in classes)
        widget = kind(layout=self._layout, _dom_classes=names, **traits)
        self._made[widget.model_id] = widget
        return widget

    def _style_of(self, kind: Any) -> Any:
        style_class = kind.class_traits()["style"].klass
        if style_class not in self._styles:
            self._styles[style_class] = style_class()
        return self._styles[style_class]

    def html(self, *classes: str, value: str = "") -> Any:
        """A piece of HTML."""
        return self(HTML, *classes, value=value)

    def button(self, text: str, on_click: Callable[[], object], *classes: str, tooltip: str = "") -> Any:
        """A button.

        Parameters
        ----------
        text : str
            What it says.
        on_click : callable
            Puts what is to be done on the desk.
        *classes
            As for every widget.
        tooltip : str
            What else there is to say.
        """
        button = self(Button, "button", *classes, description=text, tooltip=tooltip or None)
        button.on_click(lambda _: on_click())
        return button

    def on_change(self, widget: Any, act: Callable[[Any], object], trait: str = "value") -> None:
        """Have something done when somebody changes a widget; changes of our own are none."""

        def changed(change: Any) -> None:
            if not self._model.is_here:
                act(change["new"])

        widget.observe(changed, trait)

    def close(self, *widgets: Any) -> None:
        """Close widgets; without any, all of them."""
        for widget in widgets or tuple(self._made.values()):
            self._made.pop(widget.model_id, None)
            widget.close()
        if not widgets:
            for shared in (self._layout, *self._styles.values()):
                shared.close()


def update_traits(widget: Any, **traits: Any) -> None:
    """Set those traits that differ, in one message."""
    changed = {name: value for name, value in traits.items() if getattr(widget, name) != value}
    if changed:
        with widget.hold_sync():
            for name, value in changed.items():
                setattr(widget, name, value)


def set_visible(widget: Any, is_shown: bool) -> None:
    """Show a widget or hide it; it stays where it is, and what has the focus keeps it."""
    classes = tuple(name for name in widget._dom_classes if name != _HIDDEN)
    update_traits(widget, _dom_classes=classes if is_shown else (*classes, _HIDDEN))


def card_html(inside: str, kind: str = "", *, role: str = "status") -> str:
    """A text that stands out.

    Parameters
    ----------
    inside : str
        HTML.
    kind : str
        ``good``, ``warn`` or ``bad``; none unless given.
    role : str
        How it is told to a screen reader.
    """
    classes = "primepods-card" + (f" primepods-{kind}" if kind else "")
    return f'<div role="{role}" class="{classes}">{inside}</div>'


class Field:
    """A control with a hint below it and, where something is wrong, the problem.

    Parameters
    ----------
    kit : Kit
        Makes the widgets.
    control : Widget
        The control, with its label.
    *classes
        As for every widget.
    """

    def __init__(self, kit: WidgetFactory, control: Any, *classes: str) -> None:
        self.control = control
        self._below = kit.html("below")
        self.box = kit(Box, "field", *classes, children=(control, self._below))

    def say(self, problem: str = "", hint: str = "") -> None:
        """Say what is wrong, else what there is to know."""
        if problem:
            update_traits(
                self._below, value=f'<div role="alert" class="primepods-problem">{safe_html(problem)}</div>'
            )
        else:
            update_traits(
                self._below, value=f'<div class="primepods-hint">{safe_html(hint)}</div>' if hint else ""
            )
