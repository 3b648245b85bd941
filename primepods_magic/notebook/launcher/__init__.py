"""The launcher: `LauncherModel` has the state and rules, `LauncherView` the widgets."""

from __future__ import annotations

import atexit
import os
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.launcher.state.flow import LaunchSettings
from primepods_magic.notebook.launcher.state.model import LauncherModel
from primepods_magic.notebook.launcher.view.static import (
    connection_text,
    launcher_static_html,
    launcher_static_text,
)
from primepods_magic.notebook.shell.kernel import (
    cell_of,
    has_front_end,
    in_kernel,
    run_of,
    shows_widgets,
)
from primepods_magic.notebook.shell.output import say
from primepods_magic.pods.launching.limits import Limits

if TYPE_CHECKING:
    from primepods_magic.notebook.launcher.view.app import LauncherView
    from primepods_magic.pods.connection.connection import Connection

__all__ = ["Launcher", "close_launchers", "latest_cell"]

_MAX_READ_S = 10.0
_WIDGET = "application/vnd.jupyter.widget-view+json"
# Open launchers, the latest last, and closed ones whose widget still shows the last state.
_launchers: list[Launcher] = []
_settled: list[Launcher] = []


class Launcher:
    """A launcher under a cell: find a machine, configure and launch a pod, and manage your pods.

    It opens when it is displayed, for example as the last value of a cell. ``%pods launcher`` does the same.
    Without a front end that shows widgets, it is a note in text. In a notebook without IPython, such as
    marimo, it shows the account, your pods and your wallet, and nothing can be clicked.

    Parameters
    ----------
    connection : Connection, optional
        The connection to use; by default that of this notebook.
    limits : Limits, optional
        Ceilings for its launches; by default those of ``%config PodsMagics``.

    Raises
    ------
    NotConfigured
        No key is configured, and no one can confirm using the sandbox.

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

        self._shell = _get_shell()
        magics = _get_magics(self._shell)
        if connection is None:
            is_interactive = has_front_end(self._shell)
            connection = magics.connection if magics else current(sandbox_without_key=is_interactive)
        namespace = self._shell.user_ns if self._shell is not None else {}
        self._name = uuid.uuid4().hex
        self._setting = magics.display if magics is not None else "auto"
        self._cell_and_run = cell_of(self._shell), run_of(self._shell)
        self._static = ""
        self._is_closed = False
        self._view: LauncherView | None = None
        self._publish: Callable[..., object] = lambda *args, **kwargs: None
        self.model = LauncherModel(connection, namespace, lambda: _read_settings(magics, limits))
        """The state and actions of the launcher, without widgets."""

    @property
    def cell(self) -> str:
        """The form as a ``%%pod_create`` cell; empty before an offer is selected."""
        return self.model.cell

    def close(self) -> None:
        """Stop watching and leave the last state on the page; pods keep running."""
        if self._is_closed:
            return
        self._is_closed = True
        self.model.close()
        if self._view is not None:
            _launchers.remove(self)
            _settled.append(self)
            self._update_static()
            self._view.settle()

    def _close_view(self) -> None:
        """Close all widgets; the static fallback stays in the notebook."""
        self.close()
        if self._view is not None:
            _settled.remove(self)
            self._view.close()
            self._view = None

    def __repr__(self) -> str:
        return f"primepods_magic launcher · {connection_text(self.model)}"

    def _ipython_display_(self) -> None:
        if not shows_widgets(self._shell, self._setting):
            say(f"{self!r}\n{_NOTE}{_HINT if in_kernel(self._shell) else ''}")
        elif self._is_closed:
            say(launcher_static_text(self.model))
        else:
            self._show_view(self._view or self._open_view())

    def _repr_html_(self) -> str:
        """Return the state of the moment as HTML, for notebooks without IPython."""
        if self._view is None and not self._is_closed:
            self.model.open()
            self.model.wait_until_idle(_MAX_READ_S)
            self.close()
        return launcher_static_html(self.model, _STATIC_NOTE)

    def _open_view(self) -> LauncherView:
        from primepods_magic.notebook.launcher.view.app import LauncherView

        for other in (*_launchers, *_settled):
            # The cell ran again: replace its launcher.
            (cell, run), (mine, now) = other._cell_and_run, self._cell_and_run
            if cell is not None and cell == mine and run != now:
                other._close_view()
        # Request the offers while the widgets are created.
        self.model.open()
        view = self._view = LauncherView(self.model, self._name, self._close_in_background)
        _launchers.append(self)
        self.model.listen(self._render_view)
        return view

    def _show_view(self, view: LauncherView) -> None:
        """Display the widget, plus a static fallback for saved notebooks, hidden by the widget's CSS."""
        import contextvars

        publisher, context = self._shell.display_pub, contextvars.copy_context()

        def publish(data: dict[str, Any], *, update: bool = False, **transient: Any) -> None:
            context.copy().run(publisher.publish, data, {}, transient=transient, update=update)

        model = {"version_major": 2, "version_minor": 0, "model_id": view.root.model_id}
        # Without widgets, the static fallback is all there is.
        publish({_WIDGET: model, "text/plain": ""})
        self._static = ""
        self._publish = publish
        publish(self._make_bundle(), display_id=self._name)

    def _render_view(self) -> None:
        if self._view is not None and not self._is_closed:
            self._view.render()
            self._update_static()

    def _update_static(self) -> None:
        """Update the static fallback if it has changed."""
        text = launcher_static_text(self.model)
        if text != self._static:
            self._static = text
            self._publish(self._make_bundle(), update=True, display_id=self._name)

    def _make_bundle(self) -> dict[str, Any]:
        classes = f"primepods-last primepods-last-{self._name}"
        html = f'<div class="{classes}">{_WITHOUT_WIDGET}{launcher_static_html(self.model)}</div>'
        return {"text/html": html, "text/plain": launcher_static_text(self.model)}

    def _close_in_background(self) -> None:
        """Close without blocking: closing waits for a thread, and a callback must not."""
        from primepods_magic.pods.support.background import run_in_background

        run_in_background(self, self.close)


# Without a kernel, hide the error of the widget: the static fallback is next to it.
_WITHOUT_WIDGET = (
    "<style>.jp-OutputArea:has(.primepods-last):not(:has(.primepods-launcher)) .jupyter-widgets"
    "{display:none}</style>"
)
_NOTE = (
    "The launcher needs a notebook that shows widgets. Without them, run '%pods avail' to list offers, "
    "'%%pod_create' to create a pod, '%pods watch' to watch it start, and '%pods rm' to terminate it."
)
_STATIC_NOTE = (
    "The launcher has no buttons here. Use list_offers(), launch(), list_pods() and pod.terminate() instead."
)
_HINT = " If this front end shows widgets, run '%config PodsMagics.display = \"widgets\"' first."


def close_launchers() -> None:
    """Close all launchers and their widgets."""
    for launcher in (*_launchers, *_settled):
        launcher._close_view()


def latest_cell() -> str | None:
    """Return the form of the latest launcher as a cell, or None if no launcher is open."""
    if not _launchers:
        return None
    model = _launchers[-1].model
    model.wait_until_read(2.0)
    return model.cell


def _read_settings(magics: Any, limits: Limits | None) -> LaunchSettings:
    if magics is None:
        return LaunchSettings(limits=limits) if limits else LaunchSettings()
    return LaunchSettings(
        limits=limits or Limits(magics.max_price_usd_hr, magics.max_burn_usd_hr, magics.max_month_usd),
        settle_s=magics.settle_s,
        default_image=magics.default_image,
        default_team=magics.default_team,
    )


def _get_shell() -> Any:
    from IPython.core.getipython import get_ipython

    return get_ipython()


def _get_magics(shell: Any) -> Any:
    return shell.magics_manager.registry.get("PodsMagics") if shell is not None else None


def _reset_in_child() -> None:
    """Forget all launchers: their threads do not exist in a forked process."""
    _launchers.clear()
    _settled.clear()


atexit.register(close_launchers)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_in_child)
