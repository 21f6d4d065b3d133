"""Play every transcript again and write down what is answered now: ``python -m tests.transcripts``.

A new transcript is written by hand, title and what clients do, and completed by this.
"""

from pathlib import Path

from lattice_store_sim import Transcript


def main() -> None:
    for path in sorted(Path(__file__).parent.glob("*.txt")):
        before = path.read_text()
        after = str(Transcript.parse(before).replay())
        print(f"{path.name}: {'as it was' if after == before else 'rewritten'}")  # noqa: T201  # its purpose
        path.write_text(after)


if __name__ == "__main__":
    main()
