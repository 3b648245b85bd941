"""Environment variables: a name, a value that leaves its field at once, and those that there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ipywidgets import Box, Text

from primepods_magic.api.text.sanitize import safe_html

from .widgets import Field, SecretText, WidgetFactory, update_traits

if TYPE_CHECKING:
    from primepods_magic.notebook.launcher.state.model import LauncherModel

__all__ = ["VariablesView"]

_HINT = "Enter adds it. Values are masked, and kept out of the notebook"


class VariablesView:
    """The pod's environment variables; no value is ever in a widget.

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
        self._changes = 0
        self._lines: dict[str, tuple[Any, ...]] = {}
        self._name = kit(Text, description="Environment variable", placeholder="HF_TOKEN")
        self._value = kit(
            SecretText, description="Its value", continuous_update=False, placeholder="or ${NAME}"
        )
        kit.on_change(self._name, lambda name: model.do(model.order.name_variable, name))
        kit.on_change(self._value, self._given)
        self._field = Field(kit, kit(Box, "row", "entry", children=(self._name, self._value)), "all")
        self._list = kit(Box, "column")
        self.box = kit(Box, "column", "all", children=(self._field.box, self._list))

    def _given(self, value: str) -> None:
        if value:
            self._value.value = ""
            self._model.do(self._model.order.give_value, value)

    def render(self) -> None:
        """Show what the model says."""
        order = self._model.order
        self._field.say(order.problems.get("env", ""), _HINT)
        if self._changes != order.form_changes:
            self._changes = order.form_changes
            update_traits(self._name, value=order.draft_name)
        for gone in self._lines.keys() - order.form.env.keys():
            self._kit.close(*self._lines.pop(gone))
        for name, reference in order.form.env.items():
            if name not in self._lines:
                self._lines[name] = self._line(name)
            text = f"{safe_html(name)} = ••••• <span class='primepods-hint'>{safe_html(reference)}</span>"
            update_traits(self._lines[name][1], value=text)
        children = tuple(line[0] for line in self._lines.values())
        if self._list.children != children:
            self._list.children = children

    def _line(self, name: str) -> tuple[Any, ...]:
        text = self._kit.html()
        remove = self._kit.button(
            f"Remove {name}", lambda: self._model.do(self._model.order.remove_variable, name), "quiet"
        )
        return self._kit(Box, "row", "middle", children=(text, remove)), text, remove
