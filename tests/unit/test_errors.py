import inspect
import pickle
import re

import pytest

from lattice_store import errors
from lattice_store.errors import ApiError, LatticeStoreError, Outcome, ResetReason, api_error

CLASSES = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, LatticeStoreError) and value is not LatticeStoreError
]
ARGUMENTS = {
    "code": 400,
    "err_code": 10071,
    "description": "wrong last sequence: 5",
    "stream": "S",
    "reason": ResetReason.STREAM_RECREATED,
    "last_sequence": 7,
    "key": "claims M1",
    "prefix": "default",
    "subject": "lc.default.claims.M1",
    "revision": 3,
    "problem": "no JSON",
    "path": "S.stream",
    "expected": 2,
    "actual": 4,
    "remaining": ("lc.default.linkdefs.x",),
}
UNKNOWN = {
    "StorageTimeoutError",
    "ConnectionLostError",
    "UnexpectedAnswerError",
    "RemoveIncompleteError",
    "MisplacedRecordError",
}


def make(kind: type[LatticeStoreError]) -> LatticeStoreError:
    if not hasattr(kind, "__attrs_attrs__"):
        return kind("what happened")
    return kind(**{field.name: ARGUMENTS[field.name] for field in kind.__attrs_attrs__})


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_survives_pickling_and_says_something_in_one_line(kind):
    error = make(kind)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert str(copy) == str(error)
    assert str(error)
    assert "\n" not in str(error)
    assert copy.outcome is error.outcome


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_says_whether_the_operation_was_applied(kind):
    assert kind.outcome is (Outcome.UNKNOWN if kind.__name__ in UNKNOWN else Outcome.REJECTED)


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes():
    drawn = set(re.findall(r"(\w+Error)\b", errors.__doc__.split("JetStream's errors")[0]))
    python = {"ValueError", "TimeoutError", "ConnectionError"}
    assert drawn - python == {kind.__name__ for kind in CLASSES} | {"LatticeStoreError"}


@pytest.mark.parametrize(
    ("code", "err_code", "description", "name"),
    [
        (404, 10059, "stream not found", "StreamNotFoundError"),
        (404, 10037, "no message found", "MessageNotFoundError"),
        (400, 10043, "sequence 9 not found", "MessageNotFoundError"),
        (500, 10057, "stream store EOF", "MessageNotFoundError"),
        (500, 10057, "message delete not permitted", "ApiError"),
        (400, 10058, "stream name already in use with a different configuration", "StreamNameInUseError"),
        (400, 10065, "subjects overlap with an existing stream", "SubjectsOverlapError"),
        (400, 10071, "wrong last sequence: 5", "WrongLastSequenceError"),
        (503, 10077, "maximum messages exceeded", "StreamFullError"),
        (503, 10077, "disk is broken", "StoreFailedError"),
        (400, 10109, "invalid operation on sealed stream", "ApiError"),
        (503, 10076, "JetStream not enabled", "JetStreamDisabledError"),
    ],
)
def test_the_class_follows_from_the_err_code(code, err_code, description, name):
    error = api_error(code, err_code, description)
    assert type(error).__name__ == name
    assert isinstance(error, ApiError)
    assert (error.code, error.err_code, error.description) == (code, err_code, description)
    assert str(error) == f"{description} ({code}/{err_code})"


def test_a_wrong_last_sequence_carries_the_actual_one():
    assert api_error(400, 10071, "wrong last sequence: 5").actual == 5
    assert api_error(400, 10164, "wrong last sequence").actual is None


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (errors.StorageUnavailableError("away"), True),
        (errors.NoRespondersError("nobody"), True),
        (errors.StorageTimeoutError("slow"), True),
        (errors.ConnectionLostError("cut"), True),
        (api_error(503, 10008, "JetStream system temporarily unavailable"), True),
        (api_error(503, 10076, "JetStream not enabled"), True),
        (api_error(503, 10039, "JetStream not enabled for account"), True),
        (api_error(400, 10026, "maximum consumers limit reached"), True),
        (api_error(400, 10131, "consumer create request did not match filtered subject"), False),
        (api_error(404, 10059, "stream not found"), False),
        (errors.AuthenticationError("refused"), False),
        (errors.UnexpectedAnswerError("pong"), False),
        (errors.PermissionDeniedError("no"), False),
        (errors.StorageClosedError("closed"), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, LatticeStoreError) else str(value),
)
def test_which_errors_may_pass_by_themselves(error, passes):
    assert errors.may_pass(error) is passes


def test_python_programmers_catch_what_they_expect():
    assert issubclass(errors.InvalidArgumentError, ValueError)
    assert issubclass(errors.StorageTimeoutError, TimeoutError)
    assert issubclass(errors.ConnectionLostError, ConnectionError)
    assert issubclass(errors.RecordNotFoundError, LookupError)
