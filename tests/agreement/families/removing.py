"""What families that remove messages share: the removals that have one outcome on every version."""

from __future__ import annotations

from typing import Any

from tests.agreement.family import LAST_LOST, Family


class RemovingFamily(Family):
    """Deletes one message at a time: a server of 2.12 and later works on several API requests at once.

    Not drawn up to 2.11: deleting the newest of several messages of a subject (`Family.remove`).

    Nor purges of all subjects

    - by a sequence on file if only deleted messages are at or above it: the stream is emptied, but its first sequence
      and times then depend on how its blocks were written (filestore.go: ``compactLocked``, ``_writeFullState``);
    - by a sequence or a count on 2.9, which fails or leaves the count of subjects behind (memstore.go: ``Compact``).
    """

    def delete(self, sequence: int, **options: object) -> None:
        if self.profile in LAST_LOST and self.is_newest_of_several(0, sequence):
            return
        self.request(f"STREAM.MSG.DELETE.{self.stream(0)}", {"seq": sequence, **options})

    def purge(self, asked: dict[str, Any]) -> None:
        if not self._leaves_chance(asked):
            spelled = {"filter": self.filter(asked["filter"])} if "filter" in asked else {}
            self.request(f"STREAM.PURGE.{self.stream(0)}", {**asked, **spelled})

    def filter(self, filter_: str) -> str:
        """Return a drawn filter with this example's subjects."""
        return filter_ if filter_ in (">", "..", "", "none") else f"{self.space}.0.{filter_}"

    def _leaves_chance(self, asked: dict[str, Any]) -> bool:
        sequence = asked.get("seq", 0)
        if asked.get("filter", "") not in ("", ">"):
            return False
        if self.profile == "2.9" and (sequence > 1 or asked.get("keep", 0)):
            return True
        if self.storages.get(0) != "file" or sequence < 2:
            return False
        last = self.request(f"STREAM.INFO.{self.stream(0)}")["state"]["last_seq"]
        above = self.request(f"STREAM.MSG.GET.{self.stream(0)}", {"next_by_subj": ">", "seq": sequence})
        return sequence <= last and "error" in above
