"""What streams and consumers may not be: every refusal with the real server's code and words."""

import pytest
from nats.js.api import Placement, RePublish, StreamConfig, StreamConsumerLimits, StreamSource, SubjectTransform
from nats.js.errors import APIError


async def outcome(awaitable):
    """Return what a server refuses something with, None if it does not."""
    try:
        await awaitable
    except APIError as error:
        return error.code, error.err_code, error.description
    return None


@pytest.mark.parametrize(
    ("settings", "refusal"),
    [
        ({"subjects": ["a..b"]}, (500, 10052, "invalid subject")),
        ({"subjects": ["a", "a"]}, (500, 10052, 'subject "a" overlaps with "a"')),
        ({"subjects": ["a.*", "a.b"]}, (500, 10052, 'subject "a.*" overlaps with "a.b"')),
        (
            {"subjects": ["$JS.API.>"]},
            (500, 10052, "subjects that overlap with jetstream api require no-ack to be true"),
        ),
        ({"subjects": [">"]}, (500, 10052, "capturing all subjects requires no-ack to be true")),
        ({"num_replicas": 6}, (500, 10052, "maximum replicas is 5")),
        ({"num_replicas": 3}, (500, 10074, "replicas > 1 not supported in non-clustered mode")),
        ({"num_replicas": -1}, (400, 10133, "replicas count cannot be negative")),
        ({"max_age": 0.05}, (500, 10052, "max age needs to be >= 100ms")),
        ({"max_age": 1, "duplicate_window": 2}, (500, 10052, "duplicates window can not be larger then max age")),
        ({"duplicate_window": 0.05}, (500, 10052, "duplicates window needs to be >= 100ms")),
        ({"sealed": True}, (500, 10052, "stream configuration for create can not be sealed")),
        (
            {"discard_new_per_subject": True},
            (500, 10052, "discard new per subject requires discard new policy to be set"),
        ),
        (
            {"discard": "new", "discard_new_per_subject": True},
            (500, 10052, "discard new per subject requires max msgs per subject > 0"),
        ),
        ({"deny_purge": True, "allow_rollup_hdrs": True}, (500, 10052, "roll-ups require the purge permission")),
        ({"description": "x" * 5000}, (500, 10052, "stream description is too long, maximum allowed is 4096")),
        ({"metadata": {"k": "v" * 140000}}, (500, 10052, "stream metadata exceeds maximum size of 131072 bytes")),
        ({"allow_msg_counter": True, "allow_msg_ttl": True}, (500, 10052, "counter stream cannot use message TTLs")),
        ({"allow_msg_counter": True, "discard": "new"}, (500, 10052, "counter stream cannot use discard new")),
        (
            {"allow_msg_counter": True, "retention": "workqueue"},
            (500, 10052, "counter stream can only use limits retention"),
        ),
        (
            {"persist_mode": "async", "allow_atomic": True},
            (500, 10052, "async persist mode is not supported with atomic batch publish"),
        ),
        (
            {"persist_mode": "async", "storage": "memory"},
            (500, 10052, "async persist mode is only supported on file storage"),
        ),
        ({"storage": "memory", "compression": "s2"}, None),
        (
            {"subject_transform": SubjectTransform(src="a", dest="b.{{wildcard(2)}}")},
            (
                400,
                10156,
                "stream transform: invalid mapping destination: wildcard index out of range in {{wildcard(2)}}",
            ),
        ),
        (
            {"subject_transform": SubjectTransform(src="a..", dest="b")},
            (400, 10155, "stream transform source: invalid subject a.."),
        ),
        (
            {"republish": RePublish(src="a", dest="a")},
            (500, 10052, "stream configuration for republish destination forms a cycle"),
        ),
        ({"republish": RePublish(src=">", dest="b.>")}, None),
        ({"republish": RePublish(src="x", dest="y")}, None),
        ({"placement": Placement(cluster="elsewhere")}, None),
        ({"placement": Placement(tags=["fast"])}, None),
        ({"retention": "nonsense"}, (400, 10025, 'invalid JSON: can not unmarshal "\\"nonsense\\""')),
        ({"storage": "nonsense"}, (400, 10025, 'invalid JSON: can not unmarshal "\\"nonsense\\""')),
        ({"discard": "nonsense"}, (400, 10025, 'invalid JSON: can not unmarshal "\\"nonsense\\""')),
        ({"max_consumers": 0}, None),
        ({"max_msgs": -5}, None),
        ({"max_msgs": 0}, None),
        ({"max_msg_size": -2}, None),
        ({"name": "x" * 256}, (500, 10052, "stream name is too long, maximum allowed is 255")),
        ({"mirror": StreamSource(name="NONE")}, (400, 10034, "stream mirrors can not contain subjects")),
        ({"mirror": StreamSource(name="NONE"), "subjects": None}, None),
        ({"sources": [StreamSource(name="NONE")]}, None),
        ({"sources": [StreamSource(name="S")]}, (500, 10052, "detected cycle")),
        ({"mirror": StreamSource(name="S"), "subjects": None}, (500, 10052, "detected cycle")),
        ({"consumer_limits": StreamConsumerLimits(inactive_threshold=-1, max_ack_pending=None)}, None),
        ({"template_owner": "t"}, (400, 10025, 'invalid JSON: json: unknown field "template_owner"')),
        ({"subject_delete_marker_ttl": 0.5}, (500, 10052, "subject delete marker TTL must be at least 1 second")),
        ({"subject_delete_marker_ttl": 10}, None),
        ({"first_seq": 5}, None),
    ],
)
async def test_streams(js, settings, refusal):
    assert await outcome(js.add_stream(StreamConfig(), **{"name": "S", "subjects": ["a", "b"], **settings})) == refusal


@pytest.mark.parametrize(
    ("settings", "refusal"),
    [
        ({"name": "NONE"}, (404, 10059, "stream not found")),
        ({"storage": "memory"}, (500, 10052, "stream configuration update can not change storage type")),
        (
            {"retention": "workqueue"},
            (500, 10052, "stream configuration update can not change retention policy to/from workqueue"),
        ),
        ({"retention": "interest"}, None),
        ({"max_consumers": 3}, None),
        ({"deny_delete": False}, (500, 10052, "stream configuration update can not cancel deny message deletes")),
        ({"deny_purge": False}, (500, 10052, "stream configuration update can not cancel deny purge")),
        ({"sealed": True}, None),
        ({"first_seq": 7}, None),
        ({"num_replicas": 3}, (500, 10074, "replicas > 1 not supported in non-clustered mode")),
        ({"subjects": []}, None),
        ({"subjects": ["a..b"]}, (500, 10052, "invalid subject")),
        ({"subjects": ["other.x"]}, (400, 10065, "subjects overlap with an existing stream")),
        ({"allow_msg_ttl": True}, None),
        (
            {"allow_msg_counter": True},
            (500, 10052, "stream configuration update can not change message counter setting"),
        ),
        pytest.param({"allow_atomic": True}, None, id="allow_atomic"),
        ({"allow_msg_schedules": True}, (500, 10052, "stream configuration update can not cancel deny purge")),
        ({"persist_mode": "async"}, (500, 10052, "stream configuration update can not change persist mode")),
        ({"compression": "s2"}, None),
        ({"mirror": StreamSource(name="OTHER")}, (400, 10034, "stream mirrors can not contain subjects")),
        ({"sources": [StreamSource(name="OTHER")]}, None),
        ({"republish": RePublish(src="s", dest="re.s")}, None),
        ({"subject_transform": SubjectTransform(src="s", dest="u")}, None),
        ({"discard": "new"}, None),
        ({"allow_direct": True}, None),
        ({"mirror_direct": True}, None),
        ({"max_age": 5}, (500, 10052, "duplicates window can not be larger then max age")),
        ({"max_age": 5, "duplicate_window": 5}, None),
        ({"template_owner": "x"}, (400, 10025, 'invalid JSON: json: unknown field "template_owner"')),
        ({"metadata": {"a": "b"}}, None),
        ({"metadata": {"_nats.x": "b"}}, None),
    ],
)
async def test_updates_of_a_stream(js, settings, refusal):
    await js.add_stream(name="OTHER", subjects=["other.*"])
    config = (await js.add_stream(name="S", subjects=["s"], deny_delete=True, deny_purge=True)).config
    assert await outcome(js.update_stream(config.evolve(**settings))) == refusal


@pytest.mark.parametrize(
    ("settings", "refusal"),
    [
        (
            {"durable_name": "d", "deliver_subject": "a", "max_waiting": 5},
            (400, 10080, "consumer in push mode can not set max waiting"),
        ),
        ({"max_waiting": -1}, None),
        ({"deliver_subject": "s.x"}, (400, 10081, "consumer deliver subject forms a cycle")),
        ({"deliver_subject": "a b"}, (400, 10112, "invalid push consumer deliver subject")),
        ({"deliver_subject": "d.*"}, (400, 10079, "consumer deliver subject has wildcards")),
        ({"deliver_subject": "d", "deliver_group": "g g"}, None),
        ({"deliver_group": "g"}, None),
        ({"ack_policy": "nonsense"}, (400, 10025, 'invalid JSON: can not unmarshal "\\"nonsense\\""')),
        (
            {"deliver_policy": "by_start_sequence"},
            (
                400,
                10094,
                "consumer delivery policy is deliver by start sequence, but optional start sequence is not set",
            ),
        ),
        (
            {"deliver_policy": "by_start_time"},
            (400, 10094, "consumer delivery policy is deliver by start time, but optional start time is not set"),
        ),
        (
            {"deliver_policy": "all", "opt_start_seq": 3},
            (400, 10094, "consumer delivery policy is deliver all, but optional start sequence is also set"),
        ),
        (
            {"deliver_policy": "last", "opt_start_seq": 3},
            (400, 10094, "consumer delivery policy is deliver last, but optional start sequence is also set"),
        ),
        (
            {"deliver_policy": "last_per_subject"},
            (
                400,
                10094,
                "consumer delivery policy is deliver last per subject, but optional filter subject is not set",
            ),
        ),
        ({"deliver_policy": "last_per_subject", "filter_subject": "s.1"}, None),
        ({"filter_subject": "t"}, None),
        ({"filter_subject": "s..x"}, (500, 10052, "invalid subject")),
        ({"filter_subjects": ["s.1", "s.*"]}, (400, 10138, "consumer subject filters cannot overlap")),
        ({"filter_subjects": ["s.1", "s.1"]}, (400, 10138, "consumer subject filters cannot overlap")),
        ({"filter_subjects": ["s.1", ""]}, (400, 10139, "consumer filter in FilterSubjects cannot be empty")),
        (
            {"filter_subject": "s.1", "filter_subjects": ["s.2"]},
            (400, 10136, "consumer cannot have both FilterSubject and FilterSubjects specified"),
        ),
        ({"flow_control": True}, (400, 10089, "consumer flow control requires a push based consumer")),
        (
            {"flow_control": True, "deliver_subject": "d"},
            (400, 10108, "consumer with flow control also needs heartbeats"),
        ),
        ({"idle_heartbeat": 5}, (400, 10088, "consumer idle heartbeat requires a push based consumer")),
        (
            {"idle_heartbeat": 0.05, "deliver_subject": "d"},
            (400, 10083, "consumer idle heartbeat needs to be >= 100ms"),
        ),
        ({"headers_only": True}, None),
        ({"rate_limit_bps": 1000}, (400, 10086, "consumer in pull mode can not have rate limit set")),
        ({"rate_limit_bps": 1000, "deliver_subject": "d"}, None),
        (
            {"backoff": [1, 2, 3], "max_deliver": 2},
            (400, 10116, "max deliver is required to be > length of backoff values"),
        ),
        ({"backoff": [1, 2, 3], "max_deliver": 3}, None),
        ({"backoff": [1, 2, 3]}, None),
        ({"backoff": [-1]}, (400, 10184, "consumer backoff needs to be positive")),
        ({"max_deliver": 0}, None),
        ({"max_deliver": -1}, None),
        ({"max_deliver": -2}, None),
        ({"ack_policy": "none", "max_ack_pending": 5}, None),
        ({"max_ack_pending": -1}, None),
        ({"max_ack_pending": 0}, None),
        ({"ack_wait": -1}, (400, 10183, "consumer ack wait needs to be positive")),
        ({"sample_freq": "30%"}, None),
        (
            {"sample_freq": "many"},
            (
                400,
                10095,
                'failed to parse consumer sampling configuration: strconv.Atoi: parsing "many": invalid syntax',
            ),
        ),
        ({"num_replicas": 3}, (500, 10074, "replicas > 1 not supported in non-clustered mode")),
        ({"inactive_threshold": -1}, None),
        ({"inactive_threshold": 5, "durable_name": "d"}, None),
        (
            {"name": "n", "durable_name": "m"},
            (400, 10017, "consumer name in subject does not match durable name in request"),
        ),
        ({"name": "n" * 256}, (500, 10012, "error creating store for consumer")),
        ({"description": "x" * 5000}, (400, 10107, "consumer description is too long, maximum allowed is 4096")),
        ({"metadata": {"k": "v" * 140000}}, (400, 10135, "consumer metadata exceeds maximum size of 128KB")),
        ({"replay_policy": "original"}, None),
        ({"replay_policy": "nonsense"}, (400, 10025, 'invalid JSON: can not unmarshal "\\"nonsense\\""')),
        ({"pause_until": "2050-01-01T00:00:00Z"}, None),
        ({"mem_storage": True, "num_replicas": 1}, None),
        pytest.param({"ack_policy": "flow_control", "deliver_subject": "d"}, None, id="acks-by-flow-control"),
    ],
)
async def test_consumers(js, settings, refusal):
    await js.add_stream(name="S", subjects=["s.*"])
    assert await outcome(js.add_consumer("S", **settings)) == refusal
