"""What the family `consumers` must reach, by the versions that have it."""

from __future__ import annotations

from typing import Final

from tests.agreement.families._spans import LAST, Span, lacking, rows

_REACHED: Final[list[Span]] = [
    ("2.9", LAST, "CONSUMER.DELETE", ["ok", "10014 consumer not found", "10038 expected an empty request payload"]),
    (
        *("2.9", LAST, "CONSUMER.INFO"),
        ["ok", "10014 consumer not found", "10038 expected an empty request payload", "10059 stream not found"],
    ),
    ("2.9", LAST, "CONSUMER.LIST", ["ok", "10025 invalid JSON", "10059 stream not found"]),
    ("2.9", LAST, "CONSUMER.NAMES", ["ok", "10025 invalid JSON", "10059 stream not found"]),
    ("2.11", LAST, "CONSUMER.PAUSE", ["ok", "10014 consumer not found", "10025 invalid JSON"]),
    ("2.14", LAST, "CONSUMER.RESET", ["ok", "10025 invalid JSON"]),
    (
        *("2.9", LAST, "CONSUMER.DURABLE.CREATE"),
        ["ok", "silence", "10018 consumer expected to be durable but a durable name was not set"],
    ),
    (
        *("2.9", LAST, "CONSUMER.CREATE"),
        [
            "ok",
            "status 503",
            *(
                f"10012 {setting} can not be updated"
                for setting in (
                    *("ack policy", "deliver policy", "flow control", "heart beats", "max waiting", "replay policy"),
                    "start sequence",
                )
            ),
            "10017 consumer name in subject does not match durable name in request",
            "10025 invalid JSON",
            "10026 maximum consumers limit reached",
            "10056 stream name in subject does not match request",
            "10074 replicas > N not supported in non-clustered mode",
            "10079 consumer deliver subject has wildcards",
            "10080 consumer in push mode can not set max waiting",
            "10081 consumer deliver subject forms a cycle",
            "10082 consumer requires ack policy for max ack pending",
            "10083 consumer idle heartbeat needs to be >= Nms",
            "10086 consumer in pull mode can not have rate limit set",
            "10088 consumer idle heartbeat requires a push based consumer",
            "10089 consumer flow control requires a push based consumer",
            "10090 consumer direct requires a push based consumer",
            "10091 consumer direct requires an ephemeral consumer",
            *(
                f"10094 consumer delivery policy is deliver {problem}"
                for problem in (
                    "all, but optional start sequence is also set",
                    "all, but optional start time is also set",
                    "by start sequence, but optional start sequence is not set",
                    "by start sequence, but optional start time is also set",
                    "by start time, but optional start start sequence is also set",
                    "by start time, but optional start time is not set",
                    "last per subject, but optional filter subject is not set",
                    "last per subject, but optional start sequence is also set",
                    "last, but optional start sequence is also set",
                    "new, but optional start time is also set",
                )
            ),
            "10095 failed to parse consumer sampling configuration",
            "10098 workqueue stream requires explicit ack",
            "10099 multiple non-filtered consumers not allowed on workqueue stream",
            "10100 filtered consumer not unique on workqueue stream",
            "10107 consumer description is too long, maximum allowed is N",
            "10108 consumer with flow control also needs heartbeats",
            "10112 invalid push consumer deliver subject",
            "10115 consumer max request expires needs to be >= Nms",
            "10116 max deliver is required to be > length of backoff values",
            "10131 Consumer create request did not match filtered subject from create subject",
            "10133 replicas count cannot be negative",
        ],
    ),
    (
        *("2.10", LAST, "CONSUMER.CREATE"),
        [
            "10012 can not update pull consumer to push based",
            "10052 invalid subject",
            "10135 consumer metadata exceeds maximum size of NKB",
            "10136 consumer cannot have both FilterSubject and FilterSubjects specified",
            "10138 consumer subject filters cannot overlap",
            "10139 consumer filter in FilterSubjects cannot be empty",
            "10148 consumer already exists",
            "10149 consumer does not exist",
        ],
    ),
    (
        *("2.11", LAST, "CONSUMER.CREATE"),
        [
            "10084 consumer in pull mode requires explicit ack policy on workqueue stream",
            "10157 pedantic mode",
            "10159 Setting PriorityPolicy requires at least one PriorityGroup to be set",
            "10161 Group name cannot be an empty string",
            "10162 Valid priority group name must match A-Z, a-z, N-N, -_/=)+ and may not exceed N characters",
            "10178 priority groups can not be used with push consumers",
        ],
    ),
    (
        *("2.12", LAST, "CONSUMER.CREATE"),
        [
            "10183 consumer ack wait needs to be positive",
            "10184 consumer backoff needs to be positive",
            "10185 JetStream minimum api level required",
            "10197 PinnedTTL cannot be set when PriorityPolicy is none",
        ],
    ),
    (
        *("2.14", LAST, "CONSUMER.CREATE"),
        [
            "10012 storage type can not be updated",
            "10218 flow control ack policy requires a push based consumer",
            "10220 flow control ack policy requires max ack pending",
            "10221 flow control ack policy requires unset ack wait",
            "10222 flow control ack policy requires unset max deliver",
        ],
    ),
    (
        *("2.9", "2.11", "CONSUMER.CREATE"),
        ["10087 consumer max waiting needs to be positive", "10114 consumer max request batch needs to be > N"],
    ),
    ("2.9", "2.10", "CONSUMER.CREATE", ["10084 consumer in pull mode requires ack policy"]),
    (
        *("2.9", "2.9", "CONSUMER.CREATE"),
        ["10093 consumer filter subject is not a valid subset of the interest subjects"],
    ),
]

EXPECTED: Final = rows(_REACHED)
LACKING: Final = lacking(_REACHED)
