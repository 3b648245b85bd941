"""Names that indicate secrets: fields of the service, variables and spec keys."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["may_hold_secret", "sounds_secret"]

_CAMEL_CASE = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[a-z]+")
# Never part of other words: "jupyterpassword", "hftoken".
_PARTS = re.compile(
    "password|passwd|passwort|passphrase|passcode|secret|token|credential|bearer|cookie|jwt|authorization"
    "|(?:api|access|private)key|connection(?:string|ur[il])|(?:database|postgres|mongo|redis|db|jdbc)ur[il]"
)
_ENDINGS = re.compile("(?:pass|pw|pwd|keys?|creds?|auth|dsn|webhook)$")
_WORDS = frozenset("pass pat otp totp pin sig signature session sessions sas pem csrf xsrf private".split())
# Names and counts of keys are not keys.
_KEY_IDS = re.compile(r"key_?s?_(?:ids?|names?|types?|fingerprints?|counts?)(?:_|$)")
# Free text that users write for a machine, with any content.
_WRITTEN_PARTS = re.compile("envvar|environmentvar|userdata|cloudinit|command|kubeconfig|dockerfile")
_WRITTEN_ENDINGS = re.compile("(?:args?|argv|arguments|scripts?|configs?|configuration)$")
_WRITTEN_WORDS = frozenset("env envs environ vars variables cmd entrypoint headers".split())


@lru_cache(maxsize=4096)
def sounds_secret(name: str) -> bool:
    """Return whether the name of a field or variable sounds like a secret.

    >>> sounds_secret("HF_TOKEN"), sounds_secret("jupyterpassword"), sounds_secret("sshKeyId")
    (True, True, False)
    """
    snake = _CAMEL_CASE.sub("_", name).lower()
    words = _WORD.findall(snake)
    if _PARTS.search("".join(words)) or not _WORDS.isdisjoint(words):
        return True
    return any(map(_ENDINGS.search, _WORD.findall(_KEY_IDS.sub("_", snake))))


@lru_cache(maxsize=4096)
def may_hold_secret(name: str) -> bool:
    """Return whether a field sounds like a secret, or holds user text: environment, command, configuration.

    >>> may_hold_secret("dockerArgs"), may_hold_secret("environment"), may_hold_secret("environmentType")
    (True, True, False)
    """
    if sounds_secret(name):
        return True
    words = _WORD.findall(_CAMEL_CASE.sub("_", name).lower())
    if words == ["environment"] or _WRITTEN_PARTS.search("".join(words)):
        return True
    return not _WRITTEN_WORDS.isdisjoint(words) or any(map(_WRITTEN_ENDINGS.search, words))
