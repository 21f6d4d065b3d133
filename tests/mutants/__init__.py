"""Planted bugs: small changes of the simulator, each of which the comparison with a server must notice.

``python -m tests.mutants`` applies them one at a time to a copy of the sources and runs there what `make test` runs.
"""
