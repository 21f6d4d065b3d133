"""The pure core of the simulated server: no I/O, no clock, no dice. Time is an argument.

Rules of this package:

1. A refusal raises before anything has changed: validate, then decide, then store.
2. Every verb takes ``now_ns`` and first lets everything come due that is due by then; time never goes back.
3. A stored `Message` is immutable and may be shared; what changes are plain dicts and lists around it.
4. No operation costs time proportional to the number of messages, but for purges, opening a replay,
   and look-ups by wildcard.

Behaviour is that of nats-server 2.15.1 as observed; comments name the server's file where one explains it.

    _server    SimCore: names and subjects to streams
    _stream    one stream: publish, reads, removal, update
    _publish   what a publish must pass, in order
    _consumer  cursors: where a replay stands
    _config    defaults, validation, update rules
    _log       the messages of one stream, its limits and sequences
    _dedupe · _subject_index · _filters
    _invariants   what holds after every verb
"""
