"""The launcher on the screen: its parts below each other, drawn from the model and from nothing else."""

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
    """The widgets of a launcher, which show nothing before the first `render`.

    Parameters
    ----------
    model : LauncherModel
        Is told what somebody does, and says what to show.
    name : str
        Tells it from others on the page.
    on_close : callable
        Is called when somebody closes it.
    """

    def __init__(self, model: LauncherModel, name: str, on_close: Callable[[], object]) -> None:
        self._model = model
        self._kit = WidgetFactory(model)
        kit = self._kit
        self._place = kit.html()
        close = kit.button("Close", on_close, tooltip="Stop watching; the pods go on")
        self._find, self._fleet = FindView(kit, model), PodListView(kit, model)
        self._order: tuple[ConfigureView, LaunchView] | None = None
        self._style = HTML(style_html(name))
        self._header = kit(Box, "header", children=(self._place, close))
        self.root: Any = Box(
            (self._style, self._header, self._find.box, self._fleet.box),
            _dom_classes=("primepods-launcher",),
        )

    def render(self) -> None:
        """Show what the model says."""
        update_traits(self._place, value=connection_html(self._model))
        self._find.render()
        if self._model.order.listed is not None and self._order is None:
            self._add_order()
        for part in self._order or ():
            part.render()
        self._fleet.render()

    def _add_order(self) -> None:
        """What is needed once an offer is chosen: half of all widgets, for which nobody waits before."""
        configure, launch = self._order = (
            ConfigureView(self._kit, self._model),
            LaunchView(self._kit, self._model),
        )
        sections = (self._find.box, configure.box, launch.box, configure.code, self._fleet.box)
        self.root.children = (self._style, self._header, *sections)

    def settle(self) -> None:
        """Say the last state in one piece, and let go of everything else."""
        self.root.children = (self._style, HTML(launcher_static_html(self._model)))
        self._kit.close()

    def close(self) -> None:
        """Close the widgets that `settle` has left."""
        for widget in (*self.root.children, self.root):
            for part in (widget, widget.layout, getattr(widget, "style", None)):
                if part is not None:
                    part.close()
