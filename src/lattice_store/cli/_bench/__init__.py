"""Measurements: what ``lattice-store bench`` runs. Every figure comes from a process that did nothing else.

The command is the parent: it lays out the ground (`_ground`), then lets one child process after another do one
task (`_run`), in turns, and makes rows of what they report (`_rows`). A child (`__main__`, `_worker`) takes its
task from standard input, does it once on a small lattice so that everything is loaded, then once by the clock.
What it may be asked to do stands in `_task.PLACES`, one function for each.
"""
