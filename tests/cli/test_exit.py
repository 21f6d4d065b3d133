"""Exit codes and the line that explains them."""

import pytest

from lattice_store import errors
from lattice_store.cli._exit import ExitCode, exit_code, explain
from lattice_store.errors import LatticeStoreError, ResetReason, api_error

CODES = [
    (errors.RecordNotFoundError("claims M", "default"), ExitCode.NOT_FOUND),
    (errors.InvalidPrefixError("bad"), ExitCode.USAGE),
    (errors.InvalidUrlError("bad"), ExitCode.USAGE),
    (errors.InvalidArgumentError("bad"), ExitCode.USAGE),
    (FileNotFoundError(2, "No such file or directory", "records.json"), ExitCode.USAGE),
    (errors.StorageUnavailableError("refused"), ExitCode.CONNECTION),
    (errors.NoRespondersError("nobody"), ExitCode.CONNECTION),
    (errors.StorageTimeoutError("late"), ExitCode.CONNECTION),
    (errors.ConnectionLostError("broke"), ExitCode.CONNECTION),
    (errors.ReplayInterruptedError("S", ResetReason.STREAM_DELETED, 4), ExitCode.CONNECTION),
    (errors.NotSupportedError("old"), ExitCode.CONNECTION),
    (api_error(404, 10059, "stream not found"), ExitCode.CONNECTION),
    (api_error(503, 10039, "JetStream not enabled for account"), ExitCode.CONNECTION),
    (api_error(400, 10065, "subjects overlap with an existing stream"), ExitCode.CONNECTION),
    (api_error(400, 10077, "maximum messages exceeded"), ExitCode.CONNECTION),
    (errors.AuthenticationError("refused"), ExitCode.PERMISSION),
    (errors.PermissionDeniedError("no"), ExitCode.PERMISSION),
    (errors.InvalidRecordError("bad"), ExitCode.DATA),
    (errors.CorruptRecordError("lc.a.claims.M", 3, "bad"), ExitCode.DATA),
    (errors.RevisionMismatchError("claims M", 1, 2), ExitCode.DATA),
    (errors.MisplacedRecordError("lc.a.claims.M", "OTHER", "LATTICECACHE_a"), ExitCode.DATA),
    (errors.RemoveIncompleteError("link", ("lc.a.linkdefs.1",)), ExitCode.DATA),
    (api_error(400, 10071, "wrong last sequence: 5"), ExitCode.DATA),
    (api_error(400, 10054, "message size exceeds maximum allowed"), ExitCode.DATA),
]


@pytest.mark.parametrize(("error", "code"), CODES, ids=lambda value: type(value).__name__)
def test_codes(error: BaseException, code: ExitCode) -> None:
    assert exit_code(error) is code
    assert str(error).split(":", maxsplit=1)[0] in explain(error)


def _all_errors(kind: type[LatticeStoreError]) -> list[type[LatticeStoreError]]:
    return [kind, *(each for subclass in kind.__subclasses__() for each in _all_errors(subclass))]


@pytest.mark.parametrize("kind", _all_errors(LatticeStoreError))
def test_every_error_of_the_library_has_a_code(kind: type[LatticeStoreError]) -> None:
    assert ExitCode.NOT_FOUND <= exit_code(kind.__new__(kind)) <= ExitCode.DATA


def test_an_explanation_is_one_harmless_line() -> None:
    assert explain(errors.StorageUnavailableError("two\nlines \x1b[31m")).startswith(r"two lines \x1b[31m; is a server")
    assert explain(errors.InvalidArgumentError()) == "InvalidArgumentError"
