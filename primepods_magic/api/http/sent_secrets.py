"""The secrets that creates have sent: a service may repeat them in every answer from then on."""

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
# Every sentence has the words of some variables, and a log has more of them than the reason of a failure.
_RANDOM = re.compile(r"(?=(?:\D*\d){4})(?=.*[A-Za-z])[\w+/=.~-]{16,}", re.DOTALL)
_REASONS = frozenset({"installationFailure", "installation_failure"})
# A pod is known by these.
_KEPT = re.compile(r"(?:.*_)?ids?|.*[a-z]I[dD]s?|name|(?:resource|mount)Path")
# Requests need these of a pod, whatever they are.
_NEEDED = frozenset({"id", "podId", "pod_id"})
# A pod is reached at these: of them, the hosts stay.
_ADDRESSES = frozenset({"sshConnection", "ssh_connection", "ip", "internal", "external"})
_HOST = r"(?:[A-Za-z0-9_-]+\.)+[A-Za-z0-9_-]+(?![\w.@-])"
_HOST_OF_USER = re.compile("(?<=@)" + _HOST)
_BARE_HOST = re.compile(r"(?:(?<=//)|(?<![^\s,;]))" + _HOST)
# These say one of a few words. Such a word is public, and hidden it would be no state of a pod.
_CLOSED = frozenset(
    "STATUS INSTALLATION_STATUS USED_BY PROTOCOL PROVIDER PROVIDER_TYPE TYPE SOCKET SECURITY IMAGE "
    "ENVIRONMENT_TYPE STOCK_STATUS GPU_NAME GPU_TYPE REGION".split()
)
_PUBLIC_WORDS = frozenset(map(fold_word, KNOWN_WORDS))
# Without its user and its host nobody can log in to a pod.
_LOGINS = frozenset({"sshConnection", "ssh_connection"})
_USER = r"[A-Za-z0-9_.][A-Za-z0-9_.-]*"
_USER_OF_HOST = re.compile(rf"(?:(?<=//)|(?<![^\s,;])){_USER}(?=(?::[^\s@,;/]*)?@)|(?<=\s-l\s){_USER}(?=\s)")
_USER_KEY = re.compile(r"(?:ssh_?)?(?:user|user_?name|login)", re.IGNORECASE)
_WORDS = "***"
# A character that is escaped, and that escape once more, takes at most this many characters.
_MAX_ESCAPED = 12


def secrets_in(body: object) -> list[tuple[str, str]]:
    """Return the secret values of a create, each with its name; none of a letter or two, which are in every
    sentence."""
    body = body() if callable(body) else body
    pod = body.get("pod") if isinstance(body, dict) else None
    if not isinstance(pod, dict):
        return []
    named = [("jupyter_password", pod.get("jupyterPassword"))]
    named += [(str(env.get("key")), env.get("value")) for env in pod.get("envVars") or []]
    return [(name, value) for name, value in named if isinstance(value, str) and len(value) > 2]


class SentSecrets:
    """What one client has sent and must not be shown: in memory only, and never pickled. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, bool] = {}
        # What each pod of these creates was to be called.
        self._asked_names: dict[str, object] = {}
        self._elsewhere = Hider({})
        self._hide_reason: Callable[[str], str] = self._elsewhere.hide

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets are not pickled")

    def remember(self, body: object) -> None:
        """Remember the secrets of a create before it is sent; what it also says openly is none."""
        body = body() if callable(body) else body
        named = secrets_in(body)
        told = list(_open_texts(body)) if named else []
        fresh = {
            value: sounds_secret(name) or _RANDOM.fullmatch(value) is not None
            for name, value in named
            if len(value) >= _MIN_LENGTH and not any(value in text for text in told)
        }
        with self._lock:
            if fresh.items() <= self._values.items():
                return
            values = {**self._values, **fresh}
            self._values = dict(list(values.items())[-_MAX_REMEMBERED:])
            # A failure comes with every look at its pod.
            in_reasons = Hider(dict.fromkeys(self._values, _WORDS))
            self._hide_reason = lru_cache(maxsize=_MAX_REMEMBERED)(in_reasons.hide_beginning)
            certain = [value for value, is_certain in self._values.items() if is_certain]
            self._elsewhere = Hider(dict.fromkeys(certain, _WORDS), parts=False)

    def note_pod(self, body: object, answer: object) -> None:
        """Take note of the pod that a create has made: what it was to be called is its name, and not a secret
        that the service tells as its name."""
        body = body() if callable(body) else body
        pod = body.get("pod") if isinstance(body, dict) else None
        pod_id = answer.get("id") if isinstance(answer, dict) else None
        if isinstance(pod, dict) and isinstance(pod_id, str):
            with self._lock:
                names = {**self._asked_names, pod_id: pod.get("name")}
                self._asked_names = dict(list(names.items())[-_MAX_REMEMBERED:])

    @property
    def values(self) -> list[str]:
        """All of them."""
        return list(self._values)

    def hide_end(self, text: str, size: int) -> str:
        """Return at most that many of the last characters of a text, without secrets that cannot be ordinary
        words."""
        beyond = _MAX_ESCAPED * max(map(len, self._values), default=0)
        if len(text) <= size + beyond:
            return self._elsewhere.hide(text)[-size:]
        # Where the text is cut, a secret may be cut.
        return self._elsewhere.hide(text[-size - beyond :])[beyond:]

    def hide(self, answer: Any) -> Any:
        """Return an answer about pods without secrets.

        The reason of a failure is without any value, and other texts without those that cannot be ordinary
        words. Ids, names and hosts stay, for requests need them; of a pod that these creates have made,
        only its id, its hosts and the name that was asked for.

        Raises
        ------
        UnexpectedAnswer
            The answer is nested too deeply.
        """
        try:
            return self._hide_texts(answer) if self._values else answer
        except RecursionError:
            raise UnexpectedAnswer("the service's answer is nested too deeply to be read") from None

    def _hide_texts(self, answer: Any) -> Any:
        if isinstance(answer, str):
            return self._elsewhere.hide(answer)
        if isinstance(answer, list):
            return [self._hide_texts(item) for item in answer]
        if isinstance(answer, dict):
            hidden = {key: self._hide_field(str(key), value) for key, value in answer.items()}
            pod_id = answer.get("id", answer.get("podId"))
            if isinstance(pod_id, str) and pod_id in self._asked_names:
                hidden = {key: self._hide_own(pod_id, str(key), value) for key, value in hidden.items()}
            return hidden
        return answer

    def _hide_own(self, pod_id: str, key: str, value: Any) -> Any:
        """Hide secrets in the name and the ids of a pod that was created with them."""
        is_hidden = key not in _NEEDED and _KEPT.fullmatch(key) and isinstance(value, str)
        is_asked = key == "name" and value == self._asked_names.get(pod_id)
        return self._elsewhere.hide(value) if is_hidden and not is_asked else value

    def _hide_field(self, key: str, value: Any) -> Any:
        if key in _REASONS and isinstance(value, str):
            # One character more tells that there is more.
            return self._hide_reason(value[: MAX_SEARCHED + 1])
        if key in _ADDRESSES:
            return self._hide_in_address(value, is_login=key in _LOGINS)
        is_public = isinstance(value, str) and fold_word(key) in _CLOSED and fold_word(value) in _PUBLIC_WORDS
        return value if is_public or _KEPT.fullmatch(key) else self._hide_texts(value)

    def _hide_in_address(self, said: Any, *, is_login: bool) -> Any:
        """Hide secrets in the text of an address, or of several, but in no host, and in no user of a login:
        that is where the pod is, and who may enter it."""
        if isinstance(said, list):
            return [self._hide_in_address(item, is_login=is_login) for item in said]
        if isinstance(said, dict):
            return {
                key: value
                if is_login and isinstance(value, str) and _USER_KEY.fullmatch(str(key))
                else self._hide_in_address(value, is_login=is_login)
                for key, value in said.items()
            }
        if not isinstance(said, str) or self._elsewhere.hide(said) == said:
            return said
        kept = list(_HOST_OF_USER.finditer(said)) or list(_BARE_HOST.finditer(said))[:1]
        kept += _USER_OF_HOST.finditer(said) if is_login else ()
        parts, done = [], 0
        for match in sorted(kept, key=re.Match.start):
            if match.start() >= done:
                parts += [self._elsewhere.hide(said[done : match.start()]), match[0]]
                done = match.end()
        return "".join([*parts, self._elsewhere.hide(said[done:])])


def _open_texts(value: object) -> Iterator[str]:
    """Yield what a create says that is not secret."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _open_texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in ("envVars", "jupyterPassword"):
                yield from _open_texts(item)
