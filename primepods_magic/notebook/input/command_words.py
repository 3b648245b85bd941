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


def describe_unknown(word: str, commands: Iterable[str]) -> str:
    """Return the message for a word that is not a command, with the one that may be meant."""
    from primepods_magic.api.text.sanitize import sanitize
    from primepods_magic.api.validation.suggest import suggest

    if word.casefold() in _STOPPING:
        start = " Start a stopped pod in the dashboard." if word.casefold() in _STARTING else ""
        return (
            f"There is no '%pods {word}': pods cannot be stopped and started again here. A pod is billed "
            f"until '%pods rm' terminates it. Its disk and everything on it are then lost: '%pods get' "
            f"fetches what you want to keep, and '%pods disks' has disks that stay.{start} Nothing was done"
        )
    hint = suggest(word, (*commands, *_COMMAND_OF_WORD, *CREATE_WORDS))
    return f"There is no '%pods {sanitize(word)}'{hint}. Run '%pods -h' for the list of commands"
