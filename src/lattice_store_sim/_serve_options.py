"""How a simulated server is run, as a command line says it. Light to import: every command line asks for it."""

from __future__ import annotations

from typing import Any

import attrs


def _option(default: Any, help_: str, *, secret: bool = False) -> Any:
    return attrs.field(default=default, metadata={"help": help_}, repr=not secret)


@attrs.frozen(kw_only=True)
class ServeOptions:
    """How to run a simulated server, as a command line says it: each field is an option."""

    host: str = _option("127.0.0.1", "Address to listen on, one of this machine's loopback.")
    port: int = _option(4222, "Port to listen on, 0 for one that is free.")
    profile: str = _option(
        "", "Version of nats-server to be, such as 2.12; by default that of the streams in --store-dir, or the newest."
    )
    domain: str = _option("", "JetStream domain to be in.")
    allow_remote: bool = _option(False, "Listen beyond loopback if --host says so, and let other machines in.")
    user: str = _option("", "Name of the one user who may connect; goes with --password.")
    password: str = _option("", "Password of that user.", secret=True)
    token: str = _option("", "Token that clients have to show.", secret=True)
    tls_cert: str = _option("", "File with the server's certificate: connections are encrypted.")
    tls_key: str = _option("", "File with the certificate's key.")
    store_dir: str = _option("", "Folder to keep file streams in; the server begins with what it holds.")
    max_payload: int = _option(1 << 20, "Most bytes of one message.")
    seed: int = _option(0, "Seed of what is left to chance.")
    fault: tuple[str, ...] = _option(
        (), "What is to go wrong, such as drop=0.1 or cut-after=4096,times=3; any number of times."
    )
    print_url: bool = _option(False, "Print the URL and nothing else, for scripts.")
