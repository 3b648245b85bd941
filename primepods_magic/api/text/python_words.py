"""Messages in the words of the session: magics once they are loaded, else plain Python, or a shell's."""

from __future__ import annotations

import re
from typing import Literal

__all__ = ["speak_magics", "speak_shell", "spoken_words", "use_python_words", "use_shell_words"]

_CALLS = {
    "ls": "list_pods()",
    "rm": "get_pod('{pod}').terminate()",
    "rm --all": "for pod in list_pods(): pod.terminate()",
    "show": "get_pod('{pod}')",
    "ssh": "get_pod('{pod}').ssh",
    "wait": "get_pod('{pod}').wait()",
    "env": "get_pod('{pod}').compare_packages()",
    "connect --sandbox": "connect(sandbox=True)",
    "avail --multi-node": "list_offers(multi_node=True)",
    "avail --spot": "list_offers(spot=True)",
    "gpus": "list_gpus()",
    "alert": "list_alerts()",
    "alert --off": "end_alert('{pod}')",
}
_COMMAND = re.compile(r"'%pods ([a-z]+)( --[a-z-]+)?(?: ([\w.-]+))?'")
_FLAGS = (
    (re.compile(r"'--new' \(in Python: new=True\)|'--new'|--new\b"), "new=True"),
    (re.compile(r"'--replace'|--replace\b"), "replace_existing=True"),
    (re.compile(r"--force\b"), "force=True"),
    (re.compile(r"--dry-run\b"), "dry_run=True"),
)

_SHELL_WORDS = (
    (re.compile(r" \(in Python: [^)]*\)"), ""),
    # The process ends with the message.
    (re.compile(r" The search for it goes on in the background\."), ""),
    (re.compile(r"%pods connect (--sandbox|--live|--context \S+?)(?=['. ])"), r"primepods \1 COMMAND"),
    (re.compile(r"%config PodsMagics\.(\w+)"), r"c.PodsMagics.\1"),
    (re.compile(r"%?%pod_create\b"), "primepods create"),
    (re.compile(r"(?<!%)%pods\b"), "primepods"),
)

Words = Literal["python", "magics", "shell"]
_words: Words = "python"


def speak_magics(is_loaded: bool = True) -> None:
    """Choose the words of later messages; the extension does this when it is loaded and unloaded."""
    global _words
    _words = "magics" if is_loaded else "python"


def speak_shell() -> None:
    """Choose the words of the command ``primepods`` for later messages."""
    global _words
    _words = "shell"


def spoken_words() -> Words:
    """Return whose words later messages use."""
    return _words


def use_python_words(text: str) -> str:
    """Return a message with the Python for each command in it, unless the magics are loaded.

    >>> use_python_words("Terminate it with '%pods rm train', or use '--new'")       # doctest: +SKIP
    "Terminate it with get_pod('train').terminate(), or use new=True"
    """
    if _words == "shell":
        return use_shell_words(text)
    if _words == "magics" or ("%" not in text and "--" not in text):
        return text
    text = _COMMAND.sub(_write_call, text)
    for flag, words in _FLAGS:
        text = flag.sub(words, text)
    return text


def use_shell_words(text: str) -> str:
    """Return a text with ``primepods …`` for each magic in it, if that command is what runs.

    >>> use_shell_words("Run '%pods rm train'")                               # doctest: +SKIP
    "Run 'primepods rm train'"
    """
    if _words == "shell":
        for magic, words in _SHELL_WORDS:
            text = magic.sub(words, text)
    return text


def _write_call(match: re.Match[str]) -> str:
    command, flag, pod = match.groups()
    call = _CALLS.get(command + (flag or ""))
    needs_pod = call is not None and "{pod}" in call
    if call is None or needs_pod != (pod is not None):
        return match[0]
    return call.replace("{pod}", pod or "")
