"""`python -m tests.documents`: write REFERENCE.md, and the outputs in README.md, from the code."""

from __future__ import annotations

from tests.documents import readme, reference


def main() -> None:
    reference.PATH.write_text(reference.reference(), encoding="utf-8")
    readme.PATH.write_text(readme.executed(readme.PATH.read_text(encoding="utf-8")), encoding="utf-8")
    for path in (reference.PATH, readme.PATH):
        print(f"wrote {path.name}")


if __name__ == "__main__":
    main()
