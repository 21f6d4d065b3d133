"""Limits bound something, or they are refused."""

import attrs
import pytest

from lattice_store.errors import InvalidArgumentError
from lattice_store.limits import Limits


@pytest.mark.parametrize("name", [field.name for field in attrs.fields(Limits)])
@pytest.mark.parametrize("value", [0, -1, 0.5, 5.0, True, None, "5s"])
def test_a_limit_is_a_whole_number_and_positive(name: str, value: object) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        Limits(**{name: value})
    assert str(caught.value) == f"{name}={value!r}: a limit is a whole number, 1 at least"
    assert getattr(Limits(**{name: 1}), name) == 1
