"""The command line `python -m primepods_magic`, which is also `primepods`."""

from __future__ import annotations


def main() -> int:
    """Run a command; return its exit code."""
    from primepods_magic.notebook.script import main

    return main()


if __name__ == "__main__":
    raise SystemExit(main())
