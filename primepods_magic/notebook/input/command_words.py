"""Words that people try as commands: other names of the commands, and answers to the rest."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["CREATE_WORDS", "describe_unknown", "find_command", "split_command"]

_OTHER_NAMES = {
    "ls": "list ps pods instances",
    "show": "info describe inspect",
    "avail": "availability available offers offer search find price prices pricing",
    "gpus": "gpu gpu-types gpu_types",
    "rm": "terminate delete del remove kill end destroy",
    "logs": "log tail",
    "ssh": "shell terminal console bash sh",
    "jobs": "job queue",
    "wallet": "balance billing credits credit",
    "costs": "cost spend spending usage bill bills report",
    "watch": "progress follow top",
    "launcher": "gui widget ui app",
    "keys": "key ssh-keys ssh-key",
    "teams": "team members",
    "disks": "disk volumes volume",
    "connect": "login auth whoami config",
    "doctor": "check debug diagnose",
    "history": "past",
    "put": "upload push send cp scp",
    "get": "download fetch pull",
    "sync": "rsync",
    "env": "packages pip requirements",
}

CREATE_WORDS = frozenset("create new launch rent up".split())
"""Words for ``%pod_create``."""

_STARTING = frozenset("start resume restart reboot".split())
_STOPPING = _STARTING | frozenset("stop pause suspend hibernate halt shutdown poweroff down".split())
"""Actions of services that keep the disk of a machine that is off."""

_SHOWS_PORTS = "'%pods show {pod}' shows its ports, and '%pods ssh {pod}' how to log in"
_RUNS = "'%pods exec {pod} -- COMMAND' runs a shell command there, and '%%pod {pod}' a cell"
_MEASURES = "'%pods exec {pod} -- nvidia-smi' shows its GPUs, and '%pods cells {pod}' how busy they were"
_ENDS = "'%pods guard {pod} --for 4h --idle 30m' ends it by itself, and '%pods hold {pod} 2h' keeps it longer"
_OPENS = "'%pods kernel {pod}' runs a notebook on it, and '%pods show {pod}' shows its own Jupyter"
_SAVES = "'%pods get {pod}:PATH' fetches files, and a disk that '%pods disks' lists outlives its pods"
_OFFERS = "'%pods avail' lists the offers with their regions, countries, providers and images"
_CHOOSES = "Every command takes a pod's name; '%pods connect --context NAME' chooses an account"
_HINTS = {
    "run execute cmd command script": _RUNS,
    "metrics stats nvidia-smi gpustat nvtop": _MEASURES,
    "ports port forward port-forward tunnel expose": _SHOWS_PORTS,
    "autostop autodown autoterminate schedule extend": _ENDS,
    "jupyter jupyterlab lab notebook": _OPENS,
    "snapshot backup": _SAVES,
    "images image regions region providers provider countries country": _OFFERS,
    "use select switch context contexts": _CHOOSES,
}
_HINT_OF_WORD = {word: hint for words, hint in _HINTS.items() for word in words.split()}
"""What is closest to words of other tools that are no command of ours, and are not run as one."""

_COMMAND_OF_WORD = {word: name for name, words in _OTHER_NAMES.items() for word in words.split()}


def split_command(line: str) -> tuple[str, str | None]:
    """Split a line at `` -- ``; what follows is for the shell of a pod, and stays as it is.

    >>> split_command("train -- echo '$HOME' -- {a}")
    ('train', "echo '$HOME' -- {a}")
    >>> split_command("train -- 'ls -la; df -h'")
    ('train', 'ls -la; df -h')
    """
    words, separator, command = f" {line} ".partition(" -- ")
    return words.strip(), _unquote_whole(command.strip()) if separator else None


def _unquote_whole(command: str) -> str:
    """Take the quotes off a command that is one quoted word, as people write it for ssh."""
    quote = command[:1]
    is_whole = quote in ("'", '"') and command.endswith(quote) and command.count(quote) == 2
    return command[1:-1] if is_whole and len(command.split()) > 1 else command


def find_command(word: str, commands: Iterable[str]) -> str | None:
    """Return the command that a word names, by its own name or another one; ``None`` if there is none.

    >>> find_command("ls", ["ls"]), find_command("list", ["ls"]), find_command("stop", ["ls"])
    ('ls', 'ls', None)
    """
    return word if word in commands else _COMMAND_OF_WORD.get(word.casefold())


def describe_unknown(word: str, commands: Iterable[str], pod: str = "train") -> str:
    """Return the message for a word that is not a command, with the one that may be meant, for a pod."""
    from primepods_magic.api.text.sanitize import sanitize
    from primepods_magic.api.validation.suggest import suggest

    folded = word.casefold()
    if folded in _STOPPING:
        return _describe_stopping(folded, pod)
    if folded in _HINT_OF_WORD:
        return f"There is no '%pods {folded}'. {_HINT_OF_WORD[folded].format(pod=pod)}. Nothing was done"
    hint = suggest(word, (*commands, *_COMMAND_OF_WORD, *CREATE_WORDS))
    return f"There is no '%pods {sanitize(word)}'{hint}. Run '%pods -h' for the list of commands"


def _describe_stopping(word: str, pod: str) -> str:
    """Say that a pod cannot be stopped, what ends it, and how to keep its data."""
    start = (
        " A pod that was stopped elsewhere can be started in the dashboard. '%pod_create' rents another one."
        if word in _STARTING
        else ""
    )
    return (
        f"There is no '%pods {word}': this service cannot stop a pod and start it again. Nothing was done, "
        f"and a pod is billed until it is terminated. '%pods rm {pod}' terminates it, and everything on its "
        f"own disk is then lost. To keep data, fetch it first with '%pods get {pod}:PATH'. Or keep it on a "
        "persistent disk: '%pods disks create' makes one, and 'disks: [ID]' in a '%%pod_create' cell "
        f"attaches it.{start}"
    )
