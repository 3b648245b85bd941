"""Logging in to a machine, and what a connection may do then."""

from __future__ import annotations

import asyncssh

from .links import Link
from .sessions import Session
from .state import MachineState

__all__ = ["LoginServer", "parse_public_keys"]

_MAX_SESSIONS = 10
_MAX_FAILURES = 6
_OPEN_CONNECT_FAILED = 2
_NO_MORE_AUTH_METHODS = 14
_OWN_HOSTS = frozenset({"", "localhost", "127.0.0.1", "::1"})


class LoginServer(asyncssh.SSHServer):
    """The SSH side of one connection: keys only, with the limits of sshd."""

    def __init__(self, machine: MachineState, link: Link) -> None:
        self._machine = machine
        self._link = link
        self._connection: asyncssh.SSHServerConnection | None = None
        self._failures = 0
        self._sessions = 0

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Remember the connection."""
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        """Require a login."""
        return True

    def auth_completed(self) -> None:
        """Count the connection as one that has logged in."""
        self._link.has_logged_in = True

    def public_key_auth_supported(self) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return False

    def kbdint_auth_supported(self) -> bool:
        return False

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Return whether this key of this user may log in now."""
        machine = self._machine
        if not machine.refuses_logins and username == machine.user and key.public_data in machine.keys:
            return True
        self._failures += 1
        if self._failures >= _MAX_FAILURES and self._connection is not None:
            self._connection.disconnect(_NO_MORE_AUTH_METHODS, "Too many authentication failures")
        return False

    def session_requested(self) -> Session:
        """Open a session; refuse the eleventh of a connection."""
        if self._sessions >= _MAX_SESSIONS:
            raise asyncssh.ChannelOpenError(_OPEN_CONNECT_FAILED, "open failed")
        self._sessions += 1
        return Session(self._machine, self._end_session)

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        """Allow `ssh -L` and `-W`."""
        return True

    def server_requested(self, listen_host: str, listen_port: int) -> bool:
        """Allow `ssh -R` on loopback."""
        return listen_host in _OWN_HOSTS

    def unix_connection_requested(self, dest_path: str) -> bool:
        """Allow `ssh -L` to a UNIX socket."""
        return True

    def unix_server_requested(self, listen_path: str) -> bool:
        """Allow `ssh -R` on a UNIX socket."""
        return True

    def _end_session(self) -> None:
        self._sessions -= 1


def parse_public_keys(lines: list[str]) -> frozenset[bytes]:
    """Return the keys of an account; leave out those that cannot be parsed."""
    keys = set()
    for line in lines:
        try:
            keys.add(asyncssh.import_public_key(line).public_data)
        except (ValueError, asyncssh.Error):
            continue
    return frozenset(keys)
