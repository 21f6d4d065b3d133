"""The wasmCloud lattice cache as a typed, pluggable storage layer.

Layout: vocabulary in public modules (`errors`, `limits`, `clock`, `headers`, `subjects`, `model`,
`storage`), behaviour in underscored ones (records, format, view, watch, lattice), backends beside them
(`lattice_store.nats`, and `lattice_store_sim` in a package of its own), `testing` and `cli` on top.
Everything is imported when first used, so that importing the package costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lattice_store._changes import AliasConflict as AliasConflict
    from lattice_store._changes import CorruptRecord as CorruptRecord
    from lattice_store._changes import Entry as Entry
    from lattice_store._changes import Held as Held
    from lattice_store._changes import RecordCorrupt as RecordCorrupt
    from lattice_store._changes import RecordPut as RecordPut
    from lattice_store._changes import RecordRemoved as RecordRemoved
    from lattice_store._ensure import Difference as Difference
    from lattice_store._ensure import Ensured as Ensured
    from lattice_store._ensure import EnsureOutcome as EnsureOutcome
    from lattice_store._ensure import StreamWarning as StreamWarning
    from lattice_store._lattice import Lattice as Lattice
    from lattice_store._live import LiveView as LiveView
    from lattice_store._open import open_storage as open_storage
    from lattice_store._records import Claims as Claims
    from lattice_store._records import ClaimsKey as ClaimsKey
    from lattice_store._records import LinkDefinition as LinkDefinition
    from lattice_store._records import LinkKey as LinkKey
    from lattice_store._records import OciReference as OciReference
    from lattice_store._records import OciReferenceKey as OciReferenceKey
    from lattice_store._view import LatticeView as LatticeView
    from lattice_store._watch import CaughtUp as CaughtUp
    from lattice_store._watch import Reset as Reset
    from lattice_store._watch import Watch as Watch
    from lattice_store._writes import ABSENT as ABSENT
    from lattice_store.errors import LatticeStoreError as LatticeStoreError
    from lattice_store.errors import Outcome as Outcome
    from lattice_store.errors import ResetReason as ResetReason
    from lattice_store.limits import Limits as Limits
    from lattice_store.model import Message as Message
    from lattice_store.model import PubAck as PubAck
    from lattice_store.model import StreamConfig as StreamConfig
    from lattice_store.storage import Replay as Replay
    from lattice_store.storage import Storage as Storage

_HOME = {
    "ABSENT": "_writes",
    "AliasConflict": "_changes",
    "CaughtUp": "_watch",
    "Claims": "_records",
    "ClaimsKey": "_records",
    "CorruptRecord": "_changes",
    "Difference": "_ensure",
    "EnsureOutcome": "_ensure",
    "Ensured": "_ensure",
    "Entry": "_changes",
    "Held": "_changes",
    "Lattice": "_lattice",
    "LatticeStoreError": "errors",
    "LatticeView": "_view",
    "Limits": "limits",
    "LinkDefinition": "_records",
    "LinkKey": "_records",
    "LiveView": "_live",
    "Message": "model",
    "OciReference": "_records",
    "OciReferenceKey": "_records",
    "Outcome": "errors",
    "PubAck": "model",
    "RecordCorrupt": "_changes",
    "RecordPut": "_changes",
    "RecordRemoved": "_changes",
    "Replay": "storage",
    "Reset": "_watch",
    "ResetReason": "errors",
    "Storage": "storage",
    "StreamConfig": "model",
    "StreamWarning": "_ensure",
    "Watch": "_watch",
    "open_storage": "_open",
}

__all__ = [
    "ABSENT",
    "AliasConflict",
    "CaughtUp",
    "Claims",
    "ClaimsKey",
    "CorruptRecord",
    "Difference",
    "EnsureOutcome",
    "Ensured",
    "Entry",
    "Held",
    "Lattice",
    "LatticeStoreError",
    "LatticeView",
    "Limits",
    "LinkDefinition",
    "LinkKey",
    "LiveView",
    "Message",
    "OciReference",
    "OciReferenceKey",
    "Outcome",
    "PubAck",
    "RecordCorrupt",
    "RecordPut",
    "RecordRemoved",
    "Replay",
    "Reset",
    "ResetReason",
    "Storage",
    "StreamConfig",
    "StreamWarning",
    "Watch",
    "open_storage",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # 30 ms that only who asks should pay

        return version("lattice-store")
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'lattice_store' has no attribute {name!r}")
    value = getattr(import_module(f"lattice_store.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
