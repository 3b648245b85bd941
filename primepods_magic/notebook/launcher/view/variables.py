"""The environment variables of the pod, and the fields to add one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ipywidgets import Box, Text

from primepods_magic.api.text.sanitize import safe_html

from .widgets import Field, SecretText, WidgetFactory, update_traits

if TYPE_CHECKING:
    from primepods_magic.notebook.launcher.state.model import LauncherModel

__all__ = ["VariablesView"]

_HINT = "Press Enter to add it. Its value is kept, masked, in a variable of this notebook, and not saved."


class VariablesView:
    """The pod's environment variables; no widget holds a value."""

    def __init__(self, widgets: WidgetFactory, model: LauncherModel) -> None:
        self._widgets = widgets
        self._model = model
        self._changes = 0
        self._lines: dict[str, tuple[Any, ...]] = {}
        self._name = widgets(Text, description="Environment variable", placeholder="HF_TOKEN")
        self._value = widgets(
            SecretText, description="Value", continuous_update=False, placeholder="or ${NAME}"
        )
        widgets.on_change(self._name, lambda name: model.do(model.flow.name_variable, name))
        widgets.on_change(self._value, self._add_variable)
        entry = widgets(Box, "row", "entry", children=(self._name, self._value))
        self._field = Field(widgets, entry, "all")
        self._list = widgets(Box, "column", "lines")
        self.box = widgets(Box, "column", "all", children=(self._field.box, self._list))

    def _add_variable(self, value: str) -> None:
        if value:
            self._value.value = ""
            self._model.do(self._model.flow.add_variable, value)

    def render(self) -> None:
        """Show the state of the model."""
        flow = self._model.flow
        self._field.show(flow.problems.get("env", ""), _HINT)
        if self._changes != flow.form_changes:
            self._changes = flow.form_changes
            update_traits(self._name, value=flow.draft_name)
        for removed in self._lines.keys() - flow.form.env.keys():
            self._widgets.close(*self._lines.pop(removed))
        for name, reference in flow.form.env.items():
            if name not in self._lines:
                self._lines[name] = self._make_line(name)
            text = f"{safe_html(name)} = ••••• <span class='primepods-hint'>{safe_html(reference)}</span>"
            update_traits(self._lines[name][1], value=text)
        children = tuple(line[0] for line in self._lines.values())
        if self._list.children != children:
            self._list.children = children

    def _make_line(self, name: str) -> tuple[Any, ...]:
        text = self._widgets.html()
        remove = self._widgets.button(
            f"Remove {name}", lambda: self._model.do(self._model.flow.remove_variable, name), "quiet"
        )
        return self._widgets(Box, "row", "middle", children=(text, remove)), text, remove
