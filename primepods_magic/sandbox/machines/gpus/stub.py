"""The program behind a machine's `nvidia-smi`: it sends its arguments to the machine and prints the answer.

It runs as a script without site-packages, so it imports the standard library only.
"""

import json
import os
import signal
import socket
import sys


def ask_machine(path: str, words: "list[str]") -> int:
    """Print the answers as they arrive; return the exit code."""
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(path)
        link.sendall(json.dumps({"pid": os.getpid(), "words": words}).encode() + b"\n")
        for line in link.makefile("r", encoding="utf-8"):
            answer = json.loads(line)
            sys.stdout.write(answer["text"])
            sys.stdout.flush()
            if answer["code"] is not None:
                return int(answer["code"])
    return 1


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(ask_machine(sys.argv[1], sys.argv[2:]))
