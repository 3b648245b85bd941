"""Names of secrets: of fields that a service sends, of variables, and of what a spec says."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["may_hold_secret", "sounds_secret"]

_CAMEL_CASE = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[a-z]+")
# No other word has these in it: "jupyterpassword", "hftoken".
_PARTS = re.compile(
    "password|passwd|passwort|passphrase|passcode|secret|token|credential|bearer|cookie|jwt|authorization"
    "|(?:api|access|private)key|connection(?:string|ur[il])|(?:database|postgres|mongo|redis|db|jdbc)ur[il]"
)
_ENDINGS = re.compile("(?:pass|pw|pwd|keys?|creds?|auth|dsn|webhook)$")
_WORDS = frozenset("pass pat otp totp pin sig signature session sessions sas pem csrf xsrf private".split())
# What names a key, or says how many there are, is not one.
_KEY_IDS = re.compile(r"key_?s?_(?:ids?|names?|types?|fingerprints?|counts?)(?:_|$)")
# What a user has written for a machine, with whatever is in it.
_WRITTEN_PARTS = re.compile("envvar|environmentvar|userdata|cloudinit|command|kubeconfig|dockerfile")
_WRITTEN_ENDINGS = re.compile("(?:args?|argv|arguments|scripts?|configs?|configuration)$")
_WRITTEN_WORDS = frozenset("env envs environ vars variables cmd entrypoint headers".split())


@lru_cache(maxsize=4096)
def sounds_secret(name: str) -> bool:
    """Return whether a name, of a field or a variable, sounds like a secret's, however its words are joined.

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
    """Return whether a field sounds like a secret, or holds what a user has written for a machine: an
    environment, a command, a configuration.

    >>> may_hold_secret("dockerArgs"), may_hold_secret("environment"), may_hold_secret("environmentType")
    (True, True, False)
    """
    if sounds_secret(name):
        return True
    words = _WORD.findall(_CAMEL_CASE.sub("_", name).lower())
    if words == ["environment"] or _WRITTEN_PARTS.search("".join(words)):
        return True
    return not _WRITTEN_WORDS.isdisjoint(words) or any(map(_WRITTEN_ENDINGS.search, words))
