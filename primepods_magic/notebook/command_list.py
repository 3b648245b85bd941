"""The commands of ``%pods``, and the text of ``%pods -h``."""

from __future__ import annotations

__all__ = ["COMMANDS", "format_overview"]

COMMANDS = {
    "ls": "list your pods",
    "show": "show everything about one pod",
    "status": "show the state of pods, with one request for up to a hundred",
    "avail": "list offers, cheapest first",
    "gpus": "list GPU types, with the cheapest price of each",
    "alert": "notify you when an offer fits; list and end alerts",
    "launcher": "find, configure, launch and manage pods by mouse or keyboard",
    "watch": "show live progress bars",
    "wait": "wait until pods are ready",
    "logs": "show the logs of a pod",
    "ssh": "show how to connect to a pod with ssh, scp, rsync and VS Code",
    "exec": "run a shell command on a pod",
    "put": "send files and folders to a pod",
    "get": "fetch files and folders from a pod",
    "sync": "make a folder on a pod match a local one",
    "env": "compare the packages that this notebook has imported with those on a pod",
    "jobs": "list the cells that are running or have run on your pods",
    "attach": "show a cell that is running on a pod, from its beginning",
    "cancel": "end a cell that is running on a pod",
    "kernel": "put a pod into the kernel picker of Jupyter",
    "cells": "list the cells that ran on pods, and what they cost",
    "guard": "end pods by themselves: at a time, when idle, or at a sum",
    "hold": "keep a guarded pod longer",
    "rm": "terminate pods, verify that they are gone, and show what they cost",
    "history": "list the pods you rented and what they cost",
    "costs": "break spending down by person, resource and time",
    "audit": "list what was rented and ended from this computer, by whichever front end",
    "cache": "show or clear the history stored on this computer",
    "wallet": "show your balance and the latest charges",
    "disks": "list, create, rename and delete disks, which are billed separately",
    "keys": "manage the SSH keys that can log in to your pods",
    "teams": "list your teams and their members",
    "connect": "show or choose the service that requests go to",
    "doctor": "check your setup for problems",
}
"""Modules under ``commands``, each with ``add_arguments(parser)`` and ``run(magics, args)``. They import what
they need in ``run``, so that completion can read the arguments of all of them at once."""


def format_overview() -> str:
    """Return the help of ``%pods``: its commands, and what holds for all of them."""
    commands = {"": "show pods, spending and balance at a glance", **COMMANDS}
    rows = "".join(f"\n  %pods {name:<10}{summary}" for name, summary in commands.items())
    return (
        f"Rent, watch and terminate GPU pods.\n{rows}\n  %%pod_create    rent one or more pods\n"
        "  %%pod           run a cell on a pod\n\n"
        "'%pods COMMAND -h' explains a command, with examples. Every listing is a DataFrame: df = %pods ls\n"
        "POD is a name, an id, or the beginning of an id. A final ';' hides the output; '# …' is a comment.\n"
        "$name and {expr} are replaced by their values. Each value is one argument, even with spaces; a\n"
        "list or a column of a frame is one argument per value: '%pods rm {mine.id}'. $$name, {{ and }} are\n"
        "the text itself, and so are quoted braces without a variable name in them: 'name~^[a-z]{3}'.\n"
        "'%config PodsMagics' lists the settings.\n\n"
        "  %pods avail --gpu H100_80GB\n"
        "  %pod_create --gpu H100_80GB --name train --wait\n"
        "  %pods ssh train\n"
        "  %pods rm train"
    )
