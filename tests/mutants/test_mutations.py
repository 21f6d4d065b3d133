import pytest

from tests.agreement.run import all_families
from tests.mutants.mutations import MUTATIONS, Mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.bug)
def test_it_can_be_applied(mutation: Mutation) -> None:
    """The code moves on, and its mutations with it."""
    compile(mutation.applied(mutation.path().read_text()), mutation.module, "exec")
    assert mutation.family in all_families()


def test_there_are_enough_and_no_two_are_one() -> None:
    assert len({mutation.bug for mutation in MUTATIONS}) == len(MUTATIONS) >= 15
