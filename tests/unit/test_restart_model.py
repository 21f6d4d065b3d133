"""The simulated restart behind docs/explanation/scale.md: everybody gets ready, by arithmetic that can be done by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.restart_model import CHUNK, WINDOW, WINDOW_LIMIT, Costs, Scenario, simulate

COSTS = Costs(
    message=3e-6,
    stream=1e-6,
    store=0.5e-6,
    consumer=1.5e-6,
    client=4e-6,
    decode=7e-6,
    wire=465.0,
    count_all=0.3e-6,
    count_new=0.2e-6,
    request=0.1e-3,
    cold_requests=3,
    warm_requests=9,
)
MANY = Scenario(name="many", hosts=60, keys=20_000, jitter=0.5)


def no_server_costs(**costs: float) -> Costs:
    free = dict.fromkeys(("message", "stream", "store", "consumer", "count_all", "count_new", "request"), 0.0)
    return replace(COSTS, **{**free, **costs})


SCENARIOS = [
    MANY,
    replace(MANY, changed=0.01),
    replace(MANY, changed=0.0),
    replace(MANY, servers=4),
    replace(MANY, servers=3, by_chance=True, changed=0.1),
    replace(MANY, nic=1e7),
    replace(MANY, hosts=1, keys=1),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_every_host_gets_ready_and_every_message_is_sent_once(scenario):
    outcome = simulate(scenario, COSTS, seed=1)
    read = scenario.keys if scenario.changed is None else round(scenario.changed * scenario.keys)
    sent = sum(sum(load.sent.values()) for load in outcome.loads)
    assert len(outcome.ready) == scenario.hosts
    assert outcome.ready[0] > 0
    assert sent == pytest.approx(scenario.hosts * read * COSTS.wire)
    assert all(load.on_the_way == pytest.approx(0, abs=1e-3) for load in outcome.loads)


def test_the_same_seed_gives_the_same_outcome():
    first, second, other = (simulate(MANY, COSTS, seed) for seed in (7, 7, 8))
    assert (first.ready, first.row()) == (second.ready, second.row())
    assert other.ready != first.ready


def test_a_server_that_costs_nothing_leaves_the_time_of_the_host():
    scenario = replace(MANY, jitter=0.0, nic=float("inf"), round_trip=0.0)
    outcome = simulate(scenario, no_server_costs(), seed=1)
    assert outcome.ready == pytest.approx([scenario.keys * (COSTS.client + COSTS.decode)] * scenario.hosts)


def test_hosts_that_cost_nothing_leave_the_time_of_the_slowest_part_of_the_server():
    scenario = replace(MANY, jitter=0.0, round_trip=0.0)
    costs = replace(no_server_costs(stream=1e-6, message=3e-6), client=0.0, decode=0.0)
    messages = scenario.hosts * scenario.keys
    assert simulate(scenario, costs).last == pytest.approx(messages * 1e-6)
    assert simulate(replace(scenario, cores=1), costs).last == pytest.approx(messages * 3e-6)
    assert simulate(replace(scenario, nic=1e8), costs).last == pytest.approx(messages * COSTS.wire / 1e8)


def test_mirrors_divide_the_work():
    scenario = replace(MANY, jitter=0.0, round_trip=0.0, keys=10 * CHUNK)
    costs = replace(COSTS, client=0.0, decode=0.0)
    alone, shared = (simulate(replace(scenario, servers=servers), costs).last for servers in (1, 4))
    assert alone / shared == pytest.approx(4, rel=0.1)


def test_walks_over_the_subjects_wait_for_each_other():
    scenario = replace(MANY, jitter=0.0, round_trip=0.0, changed=0.0)
    outcome = simulate(scenario, replace(COSTS, request=0.0))
    walks = scenario.hosts * scenario.keys * (COSTS.count_new + COSTS.count_all)
    assert outcome.last - scenario.keys * COSTS.decode == pytest.approx(walks)


def test_no_more_is_on_the_way_to_a_host_than_its_window_and_a_chunk():
    slow = replace(COSTS, client=1e-3)
    one = replace(MANY, hosts=1, keys=100 * CHUNK, jitter=0.0)
    (load,) = simulate(one, slow).loads
    assert WINDOW < load.most_on_the_way <= WINDOW_LIMIT + CHUNK * COSTS.wire
