"""What a client and a server say to each other, without I/O: JSON and subjects to the core's verbs and back.

_router    all clients of a server: who gets what is published and what the server sends
_protocol  one client's bytes, to events
_api       a message a client publishes, to what the core does about it
_json      requests and answers as JSON
"""
