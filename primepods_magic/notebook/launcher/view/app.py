"""The root widget of the launcher, rendered from the model alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ipywidgets import HTML, Box

from .configure import ConfigureView
from .find import FindView
from .launch import LaunchView
from .pods import PodListView
from .static import connection_html, launcher_static_html
from .style import style_html
from .widgets import WidgetFactory, update_traits

if TYPE_CHECKING:
    from collections.abc import Callable

    from primepods_magic.notebook.launcher.state.model import LauncherModel

__all__ = ["LauncherView"]


class LauncherView:
    """The widgets of a launcher, empty before the first `render`; `name` is unique on the page."""

    def __init__(self, model: LauncherModel, name: str, on_close: Callable[[], object]) -> None:
        self._model = model
        widgets = self._widgets = WidgetFactory(model)
        self._connection = widgets.html()
        close = widgets.button("Close", on_close, tooltip="Close the launcher; pods keep running")
        self._find, self._pods = FindView(widgets, model), PodListView(widgets, model)
        self._flow: tuple[ConfigureView, LaunchView] | None = None
        self._style = HTML(style_html(name))
        self._header = widgets(Box, "header", children=(self._connection, close))
        self.root: Any = Box(
            (self._style, self._header, self._find.box, self._pods.box),
            _dom_classes=("primepods-launcher",),
        )

    def render(self) -> None:
        """Show the state of the model."""
        update_traits(self._connection, value=connection_html(self._model))
        self._find.render()
        if self._model.flow.selected is not None and self._flow is None:
            self._add_flow()
        for part in self._flow or ():
            part.render()
        self._pods.render()

    def _add_flow(self) -> None:
        """Create half of all widgets when the first offer is selected: they are not needed before."""
        configure, launch = self._flow = (
            ConfigureView(self._widgets, self._model),
            LaunchView(self._widgets, self._model),
        )
        sections = (self._find.box, configure.box, launch.box, self._pods.box, configure.code)
        self.root.children = (self._style, self._header, *sections)

    def settle(self) -> None:
        """Replace the controls by the last state as static HTML."""
        self.root.children = (self._style, HTML(launcher_static_html(self._model)))
        self._widgets.close()

    def close(self) -> None:
        """Close the widgets that `settle` leaves."""
        for widget in (*self.root.children, self.root):
            for part in (widget, widget.layout, getattr(widget, "style", None)):
                if part is not None:
                    part.close()
