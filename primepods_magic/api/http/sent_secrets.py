"""Secrets that creates have sent, hidden in every later response that repeats them."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NoReturn

from primepods_magic.api.enums import KNOWN_WORDS
from primepods_magic.api.errors import UnexpectedAnswer
from primepods_magic.api.fields.lenient_types import fold_word
from primepods_magic.api.secrets.names import sounds_secret
from primepods_magic.api.secrets.redaction import MAX_SEARCHED, Hider

__all__ = ["SentSecrets", "secrets_in"]

_MAX_REMEMBERED = 1_000
_MIN_LENGTH = 6
# Values of other variables may be ordinary words, which any log contains; a random token is none.
_RANDOM = re.compile(r"(?=(?:\D*\d){4})(?=.*[A-Za-z])[\w+/=.~-]{16,}", re.DOTALL)
_REASONS = frozenset({"installationFailure", "installation_failure"})
# Fields that identify a pod stay.
_KEPT = re.compile(r"(?:.*_)?ids?|.*[a-z]I[dD]s?|name|(?:resource|mount)Path")
# Requests need these, whatever they hold.
_NEEDED = frozenset({"id", "podId", "pod_id"})
# Addresses of a pod, whose hosts stay.
_ADDRESSES = frozenset({"sshConnection", "ssh_connection", "ip", "internal", "external"})
_HOST = r"(?:[A-Za-z0-9_-]+\.)+[A-Za-z0-9_-]+(?![\w.@-])"
_HOST_OF_USER = re.compile("(?<=@)" + _HOST)
_BARE_HOST = re.compile(r"(?:(?<=//)|(?<![^\s,;]))" + _HOST)
# Fields with a fixed vocabulary. Its words are public, and a hidden one would not be a valid state.
_CLOSED = frozenset(
    "STATUS INSTALLATION_STATUS USED_BY PROTOCOL PROVIDER PROVIDER_TYPE TYPE SOCKET SECURITY IMAGE "
    "ENVIRONMENT_TYPE STOCK_STATUS GPU_NAME GPU_TYPE REGION".split()
)
_PUBLIC_WORDS = frozenset(map(fold_word, KNOWN_WORDS))
# Fields whose user also stays: no one can log in without it.
_LOGINS = frozenset({"sshConnection", "ssh_connection"})
_USER = r"[A-Za-z0-9_.][A-Za-z0-9_.-]*"
_USER_OF_HOST = re.compile(rf"(?:(?<=//)|(?<![^\s,;])){_USER}(?=(?::[^\s@,;/]*)?@)|(?<=\s-l\s){_USER}(?=\s)")
_USER_KEY = re.compile(r"(?:ssh_?)?(?:user|user_?name|login)", re.IGNORECASE)
_MASK = "***"
# Length of a character that is escaped twice.
_MAX_ESCAPED = 12


def secrets_in(body: object) -> list[tuple[str, str]]:
    """Return the secrets in a create as (name, value); skip one or two letters, which are in every text."""
    body = body() if callable(body) else body
    pod = body.get("pod") if isinstance(body, dict) else None
    if not isinstance(pod, dict):
        return []
    named = [("jupyter_password", pod.get("jupyterPassword"))]
    named += [(str(env.get("key")), env.get("value")) for env in pod.get("envVars") or []]
    return [(name, value) for name, value in named if isinstance(value, str) and len(value) > 2]


class SentSecrets:
    """The secrets that one client has sent, in memory only and never pickled. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, bool] = {}
        # The name requested for each created pod.
        self._requested_names: dict[str, object] = {}
        self._elsewhere = Hider({})
        self._hide_reason: Callable[[str], str] = self._elsewhere.hide

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets are not pickled")

    def remember(self, body: object) -> None:
        """Store the secrets of a create before it is sent; a value that it also holds openly is not one."""
        body = body() if callable(body) else body
        named = secrets_in(body)
        open_texts = list(_iter_open_texts(body)) if named else []
        fresh = {
            value: sounds_secret(name) or _RANDOM.fullmatch(value) is not None
            for name, value in named
            if len(value) >= _MIN_LENGTH and not any(value in text for text in open_texts)
        }
        with self._lock:
            if fresh.items() <= self._values.items():
                return
            values = {**self._values, **fresh}
            self._values = dict(list(values.items())[-_MAX_REMEMBERED:])
            # Cached: a failure's reason comes with every poll of its pod.
            in_reasons = Hider(dict.fromkeys(self._values, _MASK))
            self._hide_reason = lru_cache(maxsize=_MAX_REMEMBERED)(in_reasons.hide_beginning)
            certain = [value for value, is_certain in self._values.items() if is_certain]
            self._elsewhere = Hider(dict.fromkeys(certain, _MASK), parts=False)

    def note_pod(self, body: object, answer: object) -> None:
        """Store the name that was requested for a created pod; any other name may be a repeated secret."""
        body = body() if callable(body) else body
        pod = body.get("pod") if isinstance(body, dict) else None
        pod_id = answer.get("id") if isinstance(answer, dict) else None
        if isinstance(pod, dict) and isinstance(pod_id, str):
            with self._lock:
                names = {**self._requested_names, pod_id: pod.get("name")}
                self._requested_names = dict(list(names.items())[-_MAX_REMEMBERED:])

    @property
    def values(self) -> list[str]:
        """All secrets that were sent."""
        return list(self._values)

    def hide_end(self, text: str, size: int) -> str:
        """Return the last ``size`` characters of a text without secrets that cannot be ordinary words."""
        beyond = _MAX_ESCAPED * max(map(len, self._values), default=0)
        if len(text) <= size + beyond:
            return self._elsewhere.hide(text)[-size:]
        # Search some more text, because the cut may go through a secret.
        return self._elsewhere.hide(text[-size - beyond :])[beyond:]

    def hide(self, answer: Any) -> Any:
        """Return a response about pods without secrets.

        A failure's reason loses every secret, other texts only those that cannot be ordinary words. Ids,
        names and hosts stay, because requests need them; of a pod created here, only its id, its hosts and
        the requested name.
        """
        try:
            return self._hide_texts(answer) if self._values else answer
        except RecursionError:
            raise UnexpectedAnswer("Cannot read the service's response: it is nested too deeply") from None

    def _hide_texts(self, answer: Any) -> Any:
        if isinstance(answer, str):
            return self._elsewhere.hide(answer)
        if isinstance(answer, list):
            return [self._hide_texts(item) for item in answer]
        if isinstance(answer, dict):
            hidden = {key: self._hide_field(str(key), value) for key, value in answer.items()}
            pod_id = answer.get("id", answer.get("podId"))
            if isinstance(pod_id, str) and pod_id in self._requested_names:
                hidden = {key: self._hide_own(pod_id, str(key), value) for key, value in hidden.items()}
            return hidden
        return answer

    def _hide_own(self, pod_id: str, key: str, value: Any) -> Any:
        """Hide secrets in the name and ids of a pod that was created with them."""
        is_hidden = key not in _NEEDED and _KEPT.fullmatch(key) and isinstance(value, str)
        is_asked = key == "name" and value == self._requested_names.get(pod_id)
        return self._elsewhere.hide(value) if is_hidden and not is_asked else value

    def _hide_field(self, key: str, value: Any) -> Any:
        if key in _REASONS and isinstance(value, str):
            # One character more shows that the text goes on.
            return self._hide_reason(value[: MAX_SEARCHED + 1])
        if key in _ADDRESSES:
            return self._hide_in_address(value, is_login=key in _LOGINS)
        is_public = isinstance(value, str) and fold_word(key) in _CLOSED and fold_word(value) in _PUBLIC_WORDS
        return value if is_public or _KEPT.fullmatch(key) else self._hide_texts(value)

    def _hide_in_address(self, address: Any, *, is_login: bool) -> Any:
        """Hide secrets in addresses, but not in hosts or in the user of a login: connecting needs them."""
        if isinstance(address, list):
            return [self._hide_in_address(item, is_login=is_login) for item in address]
        if isinstance(address, dict):
            return {
                key: value
                if is_login and isinstance(value, str) and _USER_KEY.fullmatch(str(key))
                else self._hide_in_address(value, is_login=is_login)
                for key, value in address.items()
            }
        if not isinstance(address, str) or self._elsewhere.hide(address) == address:
            return address
        kept = list(_HOST_OF_USER.finditer(address)) or list(_BARE_HOST.finditer(address))[:1]
        kept += _USER_OF_HOST.finditer(address) if is_login else ()
        parts, done = [], 0
        for match in sorted(kept, key=re.Match.start):
            if match.start() >= done:
                parts += [self._elsewhere.hide(address[done : match.start()]), match[0]]
                done = match.end()
        return "".join([*parts, self._elsewhere.hide(address[done:])])


def _iter_open_texts(value: object) -> Iterator[str]:
    """Yield the texts in a create that are not secret."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _iter_open_texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in ("envVars", "jupyterPassword"):
                yield from _iter_open_texts(item)
