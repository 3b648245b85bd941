"""Rent a GPU by looking: the launcher. `LauncherModel` knows no widget, and its view no rule."""

from __future__ import annotations

import atexit
import os
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.launcher.state.model import LauncherModel
from primepods_magic.notebook.launcher.state.order import LaunchSettings
from primepods_magic.notebook.launcher.view.static import (
    connection_text,
    launcher_static_html,
    launcher_static_text,
)
from primepods_magic.notebook.shell.kernel import cell_of, has_front_end, run_of
from primepods_magic.notebook.shell.output import say
from primepods_magic.pods.launching.limits import Limits

if TYPE_CHECKING:
    from primepods_magic.notebook.launcher.view.app import LauncherView
    from primepods_magic.pods.connection.connection import Connection

__all__ = ["Launcher", "close_launchers", "latest_cell"]

_WIDGET = "application/vnd.jupyter.widget-view+json"
# Those that are open, the latest last, and those whose last state is still shown by a widget.
_launchers: list[Launcher] = []
_settled: list[Launcher] = []


class Launcher:
    """A launcher of pods under a cell: find a machine, configure it, launch it, and look after your pods.

    It opens when it is displayed, as the last value of a cell is. ``%pods launcher`` does the same. Where no
    front end shows widgets it is a note in text.

    Parameters
    ----------
    connection : Connection, optional
        Where; else where the commands of this notebook go.
    limits : Limits, optional
        Ceilings for its launches; else those of ``%config PodsMagics``.

    Raises
    ------
    NotConfigured
        There is no key, and nobody is here to try the sandbox.

    Examples
    --------
    >>> launcher = Launcher()                                                # doctest: +SKIP
    >>> launcher                                                             # doctest: +SKIP
    >>> print(launcher.cell)                                                 # doctest: +SKIP
    %%pod_create
    name: train
    gpu: H100_80GB
    ...
    >>> launcher.close()                                                     # doctest: +SKIP
    """

    def __init__(self, connection: Connection | None = None, *, limits: Limits | None = None) -> None:
        from primepods_magic.pods.connection.current import current

        self._shell = _shell()
        magics = _magics(self._shell)
        if connection is None:
            here = has_front_end(self._shell)
            connection = magics.connection if magics else current(sandbox_without_key=here)
        namespace = self._shell.user_ns if self._shell is not None else {}
        self._name = uuid.uuid4().hex
        self._as_text = magics is not None and magics.display == "text"
        self._place = cell_of(self._shell), run_of(self._shell)
        self._still = ""
        self._is_closed = False
        self._view: LauncherView | None = None
        self._publish: Callable[..., object] = lambda *args, **kwargs: None
        self.model = LauncherModel(connection, namespace, lambda: _settings(magics, limits))
        """What it knows and does, without widgets."""

    @property
    def cell(self) -> str:
        """The form as a ``%%pod_create`` cell; empty before an offer is chosen."""
        return self.model.cell

    def close(self) -> None:
        """Stop watching and asking, and leave what was seen last; the pods go on."""
        if self._is_closed:
            return
        self._is_closed = True
        self.model.close()
        if self._view is not None:
            _launchers.remove(self)
            _settled.append(self)
            self._keep_still()
            self._view.settle()

    def _forget(self) -> None:
        """Close what still shows the last state; what stands beside it in the notebook stays."""
        self.close()
        if self._view is not None:
            _settled.remove(self)
            self._view.close()
            self._view = None

    def __repr__(self) -> str:
        return f"primepods_magic launcher · {connection_text(self.model)}"

    def _ipython_display_(self) -> None:
        in_kernel = getattr(self._shell, "kernel", None) is not None
        if self._as_text or not in_kernel or not has_front_end(self._shell):
            say(f"{self!r}\n{_NOTE}")
        elif self._is_closed:
            say(launcher_static_text(self.model))
        else:
            self._show(self._view or self._open())

    def _open(self) -> LauncherView:
        from primepods_magic.notebook.launcher.view.app import LauncherView

        for other in (*_launchers, *_settled):
            # The same cell once more: one launcher under it.
            (cell, run), (mine, now) = other._place, self._place
            if cell is not None and cell == mine and run != now:
                other._forget()
        # The list of offers is on its way while the widgets are made.
        self.model.open()
        view = self._view = LauncherView(self.model, self._name, self._close_behind)
        _launchers.append(self)
        self.model.listen(self._render)
        return view

    def _show(self, view: LauncherView) -> None:
        """The widget, and beside it what a saved notebook tells instead, which the widget's style hides."""
        import contextvars

        publisher, context = self._shell.display_pub, contextvars.copy_context()

        def publish(data: dict[str, Any], *, update: bool = False, **transient: Any) -> None:
            context.copy().run(publisher.publish, data, {}, transient=transient, update=update)

        model = {"version_major": 2, "version_minor": 0, "model_id": view.root.model_id}
        # Where it is no widget, what is beside it says everything.
        publish({_WIDGET: model, "text/plain": ""})
        self._still = ""
        self._publish = publish
        publish(self._bundle(), display_id=self._name)

    def _render(self) -> None:
        if self._view is not None and not self._is_closed:
            self._view.render()
            self._keep_still()

    def _keep_still(self) -> None:
        """Bring what a saved notebook tells up to date, where it tells something else by now."""
        still = launcher_static_text(self.model)
        if still != self._still:
            self._still = still
            self._publish(self._bundle(), update=True, display_id=self._name)

    def _bundle(self) -> dict[str, Any]:
        mark = f"primepods-last primepods-last-{self._name}"
        html = f'<div class="{mark}">{_WITHOUT_WIDGET}{launcher_static_html(self.model)}</div>'
        return {"text/html": html, "text/plain": launcher_static_text(self.model)}

    def _close_behind(self) -> None:
        """Closing waits for a thread, and a callback must not."""
        from primepods_magic.pods.support.background import run_in_background

        run_in_background(self, self.close)


# A page that has no kernel says below a widget that it has none; what the launcher said last is beside it.
_WITHOUT_WIDGET = (
    "<style>.jp-OutputArea:has(.primepods-last):not(:has(.primepods-launcher)) .jupyter-widgets"
    "{display:none}</style>"
)
_NOTE = (
    "The launcher needs a notebook that shows widgets. The same in text: '%pods avail' lists what can be "
    "rented, '%%pod_create' rents it, '%pods watch' shows how it comes up, and '%pods rm' ends it."
)


def close_launchers() -> None:
    """Close all of them, and the widgets that show their last states."""
    for launcher in (*_launchers, *_settled):
        launcher._forget()


def latest_cell() -> str | None:
    """The form of the launcher that was opened last as a cell; ``None`` where none is open."""
    if not _launchers:
        return None
    model = _launchers[-1].model
    model.wait_until_read(2.0)
    return model.cell


def _settings(magics: Any, limits: Limits | None) -> LaunchSettings:
    """As they are now."""
    if magics is None:
        return LaunchSettings(limits=limits) if limits else LaunchSettings()
    return LaunchSettings(
        limits=limits or Limits(magics.max_price_usd_hr, magics.max_burn_usd_hr),
        settle_s=magics.settle_s,
        default_image=magics.default_image,
        default_team=magics.default_team,
    )


def _shell() -> Any:
    from IPython.core.getipython import get_ipython

    return get_ipython()


def _magics(shell: Any) -> Any:
    return shell.magics_manager.registry.get("PodsMagics") if shell is not None else None


def _in_child() -> None:
    """In a child process nobody looks at them, and none of their threads is there."""
    _launchers.clear()
    _settled.clear()


atexit.register(close_launchers)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
