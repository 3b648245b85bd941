"""SSH targets, parsed from the many shapes of ``sshConnection``.

Only a user, a host and a port are taken from foreign text, and only if each is clearly one. An unreadable
port never defaults to 22: that node counts as unreachable.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from primepods_magic.api.text.short_repr import ShortRepr

from .lenient_types import fold_word, is_no_value, port_in

__all__ = ["SshTarget", "count_targets", "host_in", "read_by_port", "read_connections"]

_USER = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*")
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_SCHEME = re.compile(r"(?:ssh|tcp)://", re.IGNORECASE)
# Between nodes in one text; a ";" that touches the next word belongs to it and invalidates the host.
_BETWEEN_NODES = re.compile(r"[\r\n]+|;\s+|,\s*")
_MAX_CHARS = 4096
_MAX_DEPTH = 3
_DEFAULT_USER = "root"
_DEFAULT_PORT = 22
# Options of ssh(1) with and without an argument.
_WITH_ARGUMENT = frozenset("BbcDEeFIiJLlmOopQRSWw")
_ALONE = frozenset("46AaCfGgKkMNnqsTtVvXxYy")
# A port after the target instead of "-p": "(2200)", ": 2200", "sshport=2200", "2200/tcp".
_TRAILING_PORT = re.compile(
    r"[\W_]*(?:(?:ssh|tcp)[\W_]*)?(?:(?:port|p)[\W_]*)?(?<![-\u2010-\u2015\u2212])(\d+)(?:/tcp)?\W*",
    re.IGNORECASE | re.ASCII,
)
_NAMED_PORT = re.compile(r"\b\w*port\b[\s:=]*([^\s)]*)", re.IGNORECASE)
_MAY_BE_PORT = re.compile(r"^[^\w/~.]|^p\b|\btcp\b|\d{2}", re.IGNORECASE)
_PORT_BEFORE = re.compile(r"port\W*\d", re.IGNORECASE)
# Options that connect through another host.
_DETOURS = frozenset({"PROXYJUMP", "PROXYCOMMAND", "PROXYUSEFDPASS"})
_HOST_KEYS = ("HOST", "HOSTNAME", "IP", "IPADDRESS", "PUBLICIP", "ADDRESS")
_USER_KEYS = ("USER", "USERNAME", "LOGIN")
_PORT_KEYS = (
    *("PORT", "SSHPORT", "EXTERNALPORT", "PUBLICPORT", "TCPPORT", "HOSTPORT", "MAPPEDPORT"),
    *("SSHEXTERNALPORT", "EXTERNALSSHPORT", "SSHPUBLICPORT", "PUBLICSSHPORT"),
)
_TEXT_KEYS = ("COMMAND", "SSHCOMMAND", "SSHCONNECTION", "SSH", "URL", "URI")


@dataclass(frozen=True, repr=False)
class SshTarget(ShortRepr):
    """The SSH target of one node.

    >>> SshTarget("root", "203.0.113.21", 30122).command
    'ssh root@203.0.113.21 -p 30122'
    """

    user: str
    host: str
    port: int = _DEFAULT_PORT

    @property
    def command(self) -> str:
        """SSH command for this target."""
        return f"ssh {self.user}@{self.host} -p {self.port}"


class _UnreadableTarget(ValueError):
    """Text that is not, or must not be read as, one target."""


def read_connections(value: object) -> tuple[SshTarget | None, ...]:
    """Read ``sshConnection``: text, an object, a list with one of these per node, or the words of a command.

    A node that is not up is ``None``. A target that ``ssh`` could read as an option is refused.

    >>> read_connections(["ubuntu@203.0.113.41:2200", None])
    (SshTarget(user='ubuntu', host='203.0.113.41', port=2200), None)
    >>> read_connections("ssh -p 2200 root@203.0.113.9")
    (SshTarget(user='root', host='203.0.113.9', port=2200),)
    >>> read_connections("-oProxyCommand=x@203.0.113.9")
    ()
    """
    targets = tuple(_read_nodes(value))
    return targets if any(targets) else ()


def count_targets(value: object) -> int:
    """Return the number of nodes that ``sshConnection`` lists, up or not.

    >>> count_targets(["root@203.0.113.41 -p 22", None]), count_targets("root@203.0.113.9")
    (2, 1)
    """
    return sum(1 for _ in _read_nodes(value))


def host_in(text: str) -> str | None:
    """Return a host name or address (IPv6 without brackets) if the text is one.

    >>> host_in("203.0.113.9"), host_in("[2001:db8::7]"), host_in("node;reboot"), host_in("0.0.0.0")
    ('203.0.113.9', '2001:db8::7', None, None)
    """
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if _is_address(bare):
        return bare
    labels = text.removesuffix(".").split(".")
    is_name = len(text) <= 253 and all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdigit()
    return text if is_name else None


def _is_address(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    # 0.0.0.0 stands for an address that is not known yet; a zone id names a local interface.
    return not address.is_unspecified and "%" not in text


def _read_nodes(value: object, depth: int = 0) -> Iterator[SshTarget | None]:
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, str):
        yield from _read_text(value)
    elif isinstance(value, Mapping):
        yield _read_object(value)
    elif isinstance(value, list):
        if any(map(_is_word, value)):
            yield _read_one(" ".join(str(item) for item in value if isinstance(item, (str, int))))
            return
        for item in value:
            yield from (tuple(_read_nodes(item, depth + 1)) or (None,))


def _is_word(item: object) -> bool:
    """Return whether a list item can only be a word of a command."""
    if not isinstance(item, str):
        return isinstance(item, int)
    return item == "ssh" or item.isdigit() or (item.startswith("-") and "@" not in item)


def _read_text(text: str) -> tuple[SshTarget | None, ...]:
    if len(text) > _MAX_CHARS:
        return ()
    text = text.replace("\\\n", " ")
    for parts in ([part for part in _BETWEEN_NODES.split(text) if part.strip()], text.split()):
        if len(parts) > 1:
            targets = tuple(map(_read_one, parts))
            are_nodes = all(target or is_no_value(part) for part, target in zip(parts, targets, strict=True))
            if are_nodes or (parts != text.split() and sum("@" in part for part in parts) > 1):
                return targets
    return (_read_one(text),)


def _read_object(target: Mapping[Any, Any]) -> SshTarget | None:
    fields = {fold_word(str(name)).replace("_", ""): value for name, value in target.items()}

    def first(names: tuple[str, ...]) -> Any:
        return next((fields[name] for name in names if not is_no_value(fields.get(name))), None)

    text, host, user = map(first, (_TEXT_KEYS, _HOST_KEYS, _USER_KEYS))
    if isinstance(host, str):
        text = host if user is None else f"{user}@{host}"
    if not isinstance(text, str):
        return None
    ports = {port_in(fields[name]) for name in _PORT_KEYS if not is_no_value(fields.get(name))}
    if not ports:
        # Other port fields may hold the SSH port, so 22 is not a safe default.
        has_others = any("PORT" in name and _may_hold_port(value) for name, value in fields.items())
        return _read_one(text, needs_port=has_others)
    login, number = _read_one(text), ports.pop()
    return SshTarget(login.user, login.host, number) if login and number and not ports else None


def _may_hold_port(value: object) -> bool:
    return bool(value) if isinstance(value, (list, dict)) else bool(re.search(r"\d", str(value)[:_MAX_CHARS]))


def _read_one(text: str, *, needs_port: bool = False) -> SshTarget | None:
    return None if len(text) > _MAX_CHARS else _read_cached(text, needs_port)


# Cached: watching reads the same few texts again and again.
@lru_cache(maxsize=4096)
def _read_cached(text: str, needs_port: bool) -> SshTarget | None:
    try:
        return _parse_command(shlex.split(text), needs_port=needs_port)
    except ValueError:
        # Such as an unterminated quotation.
        return None


def _parse_command(words: list[str], *, needs_port: bool) -> SshTarget:
    """Parse the words of a command as ssh does: of an option given twice the first counts."""
    introduction, words = _split_introduction(words)
    # 1. Options and the target.
    options: dict[str, str] = {}
    target = None
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word.startswith("-") and word != "--":
            _take_option(word, rest, options)
        elif word != "--":
            if target is not None:
                rest.insert(0, word)
                break
            target = word
    if target is None:
        raise _UnreadableTarget("no target")
    # 2. User and host; options override the target.
    user, host, port = _split_target(target)
    user = options.get("USER", user)
    if user is None:
        # Without a user, only an obvious host counts: "pending" is not one.
        if "." not in host and ":" not in host:
            raise _UnreadableTarget("no host")
        user = _DEFAULT_USER
    host = host_in(options.get("HOSTNAME", host)) or ""
    if not _USER.fullmatch(user) or not host:
        raise _UnreadableTarget("no user or no host")
    # 3. The port: an option, part of the target, or in the text after it.
    port = options.get("PORT", port)
    if any("@" in word or re.fullmatch(r"-p\S*", word) for word in rest):
        raise _UnreadableTarget("another target, or its port")
    if port is None:
        port = _find_trailing_port(" ".join(rest))
    if port is None and (needs_port or _PORT_BEFORE.search(" ".join(introduction))):
        raise _UnreadableTarget("a port somewhere else")
    number = _DEFAULT_PORT if port is None else port_in(port)
    if number is None:
        raise _UnreadableTarget("no port")
    return SshTarget(user, host, number)


def _split_introduction(words: list[str]) -> tuple[list[str], list[str]]:
    """Split off the words before the first ``ssh``, such as a prompt, unless they hold a target."""
    for index, word in enumerate(words):
        if "@" in word:
            break
        if word.rpartition("/")[2].lower() == "ssh":
            return words[:index], words[index + 1 :]
    return [], words


def _take_option(word: str, rest: list[str], options: dict[str, str]) -> None:
    """Parse an option, with its argument if it takes one."""
    if word.startswith("--"):
        name, has_value, value = word[2:].partition("=")
        if name.lower() not in ("port", "user"):
            raise _UnreadableTarget("an option that ssh does not have")
        options.setdefault(name.upper(), value if has_value else _next_word(rest))
        return
    for index, letter in enumerate(word[1:], 2):
        if letter in _WITH_ARGUMENT:
            _take_argument(letter, word[index:] or _next_word(rest), options)
            return
        if letter not in _ALONE:
            raise _UnreadableTarget("an option that ssh does not have")


def _take_argument(letter: str, value: str, options: dict[str, str]) -> None:
    if letter in "pl":
        options.setdefault("PORT" if letter == "p" else "USER", value.removeprefix("="))
    elif letter in "JW":
        raise _UnreadableTarget("a detour")
    elif letter == "o":
        name, _, setting = value.strip().replace("=", " ", 1).partition(" ")
        if name.upper() in _DETOURS and setting.strip().lower() != "none":
            raise _UnreadableTarget("a detour")
        options.setdefault(name.upper(), setting.strip())


def _next_word(rest: list[str]) -> str:
    if not rest:
        raise _UnreadableTarget("an option without its argument")
    return rest.pop(0)


def _find_trailing_port(text: str) -> str | None:
    """Return the port in the text after the target; ``None`` if that is a remote command.

    Ambiguous text is an error: another machine may listen on port 22.
    """
    match = _TRAILING_PORT.fullmatch(text) or _NAMED_PORT.search(text)
    if match is None and _MAY_BE_PORT.search(text):
        raise _UnreadableTarget("a port somewhere in a command")
    return match[1] if match else None


def _split_target(target: str) -> tuple[str | None, str, str | None]:
    """Split ``user@host:port``; user and port are optional."""
    target = _SCHEME.sub("", target).removesuffix("/") if _SCHEME.match(target) else target
    user, has_user, host = target.rpartition("@")
    bracketed = re.fullmatch(r"(\[[^\]]*\])(?::(.*))?", host)
    if bracketed:
        return user if has_user else None, bracketed[1], bracketed[2]
    # A bare IPv6 address has several colons and no port.
    name, has_port, port = host.rpartition(":") if host.count(":") == 1 else (host, "", "")
    return user if has_user else None, name, port if has_port else None


def read_by_port(
    ip: object, ports: Iterable[tuple[str | None, str | None, str | None]]
) -> tuple[SshTarget | None, ...]:
    """Read SSH targets from node addresses and port mappings (internal, external or target, use).

    >>> [target] = read_by_port("203.0.113.9", [("22", "30122", None)])
    >>> target.command
    'ssh root@203.0.113.9 -p 30122'
    """
    outside = [external for internal, external, use in ports if _is_for_ssh(internal, use)]
    addresses = ip if isinstance(ip, list) else _BETWEEN_NODES.split(ip) if isinstance(ip, str) else [None]
    if not outside:
        return ()
    if len(outside) != len(addresses):
        outside = outside[:1] * len(addresses)
    targets = tuple(map(_read_mapped, addresses, outside))
    return targets if any(targets) else ()


def _is_for_ssh(internal: str | None, use: str | None) -> bool:
    if use is not None and not is_no_value(use):
        return fold_word(use) == "SSH"
    return port_in((internal or "").partition("/")[0]) == _DEFAULT_PORT


def _read_mapped(address: object, external: str | None) -> SshTarget | None:
    external = (external or "").partition("/tcp")[0].strip()
    host = host_in(address.strip()) if isinstance(address, str) else None
    if port_in(external) is None:
        # Perhaps a complete target; a bare invalid port is not one.
        return _read_one(external) if "." in external or ":" in external else None
    return SshTarget(_DEFAULT_USER, host, port_in(external) or 0) if host else None
