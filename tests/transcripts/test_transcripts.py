from pathlib import Path

import pytest

from lattice_store_sim import Transcript

PATHS = sorted(Path(__file__).parent.glob("*.txt"))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_the_simulator_answers_as_it_was_written_down(path: Path) -> None:
    """What changed on purpose is written down anew by ``python -m tests.transcripts``."""
    text = path.read_text()
    assert str(Transcript.parse(text).replay()) == text


def test_there_are_some() -> None:
    assert len(PATHS) >= 3
