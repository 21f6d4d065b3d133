"""Short ways to say from which server version to which one something holds."""

import pytest

VERSIONS = ("2.9", "2.10", "2.11", "2.12", "2.14", "2.15")


def per_version(*groups, names=("expected",)):
    """Parametrize by version: each group is the first and the last version that behave alike, and how.

    The groups follow each other; versions before the first group have nothing to say.
    """
    cases = [
        (version, *expected)
        for first, last, *expected in groups
        for version in VERSIONS[VERSIONS.index(first) : VERSIONS.index(last) + 1]
    ]
    assert tuple(case[0] for case in cases) == VERSIONS[VERSIONS.index(groups[0][0]) :], "a version is missing"
    return pytest.mark.parametrize(("version", *names), cases)
