"""The program between a terminal session and its command: it takes the terminal, and becomes the command.

A function before `exec` would do the same, but Python must not run in a fork of a process with threads. It
runs as a script without site-packages, so it imports the standard library only.
"""

import fcntl
import os
import signal
import sys
import termios


def become_command(shell: str, words: "list[str]") -> None:
    """Make the input the controlling terminal, and replace this program."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    # Python ignores these, and so would the command.
    for name in ("SIGPIPE", "SIGXFSZ"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    os.execv(shell, words)  # noqa: S606 - whoever has logged in may run anything


if __name__ == "__main__":
    become_command(sys.argv[1], sys.argv[2:])
