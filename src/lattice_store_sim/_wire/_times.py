"""Times in the server's JSON."""

from lattice_store_sim._core._times import ZERO_NS, time_ns, time_text

__all__ = ("ZERO_NS", "time_ns", "time_text")
