"""What the client promises, checked against a desk that tests/tests/clients.rs starts. Says ``ok NAME`` for each."""

import json
import os
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from cccd_agent import Agent, Problem, Unreachable  # noqa: E402

DESK = json.loads(os.environ["CCCD_DESK"])
CAN, READER, EMPTY = DESK["can"], DESK["reader"], DESK["empty_reader"]
agent = Agent()


def refused(code, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except Problem as problem:
        assert problem.code == code, problem
        return problem
    raise AssertionError(f"not refused with {code}")


def check(body):
    body()
    print("ok", body.__name__.replace("_", " "), flush=True)


@check
def read():
    seen, partials = [], []
    result = agent.read(can=CAN, reader=READER, on_progress=seen.append, on_partial=partials.append)
    assert result["record"]["number"]["value"] == DESK["number"]
    assert result["record"]["name"]["value"] == DESK["name"]
    assert [partial["record"]["number"]["value"] for partial in partials] == [DESK["number"]]
    percents = [stands["percent"] for stands in seen]
    assert seen[-1]["state"] == "completed" and percents == sorted(percents)
    again = agent.read(can=CAN, reader=READER, portrait=False)
    assert again["record"]["name"]["value"] == DESK["name"] and again["portrait"] is None


@check
def events_resumed():
    result = agent.read(can=CAN, reader=READER)

    def until_done(source):
        for event in source.events(last_event_id=0):
            yield event
            if event["type"] == "read.completed" and event["data"]["read_id"] == result["read_id"]:
                return

    cut = list(until_done(Agent(url=os.environ["CCCD_CUT_URL"])))
    # Events are numbered from the start of the agent on, so that "from 0" is from before what is still known; after that
    # no break loses one.
    missed, *heard = cut
    assert missed["type"] == "events.missed"
    ids = [int(event["id"]) for event in heard]
    assert len(ids) > 12 and ids == sorted(set(ids)), ids
    ours = [event["type"] for event in cut if event["data"].get("read_id") == result["read_id"]]
    assert ours[0] == "read.queued" and "read.partial" in ours and "read.progress" in ours
    # The same as a listener hears whose line holds.
    assert cut == list(until_done(agent))


@check
def portrait():
    result = agent.read(can=CAN, reader=READER)
    face = agent.portrait(result["read_id"])
    assert face.media_type == "image/jpeg"
    assert len(face.data) == result["portrait"]["bytes"] and face.data[:2] == b"\xff\xd8"
    agent.cancel(result["read_id"])
    assert refused("read-expired", agent.result, result["read_id"]).status == 410


@check
def wrong_key():
    problem = refused("access-key-wrong", agent.read, can="111111", reader=READER)
    assert (problem.status, problem.actor, problem.tries_left) == (422, "user", 9)
    assert problem.read_id is not None and len(problem.read_id) == 32
    assert problem.title and problem.title_vi and problem.title != problem.title_vi
    assert problem.remedy and problem.remedy_vi and problem.remedy != problem.remedy_vi
    agent.read(can=CAN, reader=READER, portrait=False)  # gives the tries back


@check
def expectation():
    expect = {"number": DESK["number"], "name": "Ai Khác"}
    result = agent.read(can=CAN, reader=READER, portrait=False, expect=expect)
    assert result["expected"] == {"number": "match", "name": "mismatch"}


@check
def cancelled():
    stop = threading.Event()
    refused("cancelled", agent.read, can=CAN, reader=EMPTY, cancelled=stop, on_progress=lambda _: stop.set())
    waiting = agent.start(can=CAN, reader=EMPTY)
    agent.cancel(waiting["read_id"])
    refused("cancelled", agent.wait, waiting["read_id"])


@check
def scan():
    (code,) = agent.post_scan(DESK["qr"])
    assert code["kind"] == "citizen" and code["citizen"]["number"] == DESK["number"]
    result = agent.read(scan=code["scan_id"], reader=READER, portrait=False)
    assert result["scan_agrees"] is True
    agent.dismiss_scan(code["scan_id"])
    refused("scan-expired", agent.read, scan=code["scan_id"])


@check
def lease():
    other = Agent(DESK["other_token"])
    beaten = threading.Event()

    def counting(method, url):
        # The first proof is for taking the lease, the second for keeping it.
        if counting.asked == 1:
            beaten.set()
        counting.asked += 1
        return {"Authorization": f"Bearer {os.environ['CCCD_AGENT_TOKEN']}"}

    counting.asked = 0
    with Agent(authorize=counting).lease(READER, seconds=5) as kept:
        assert beaten.wait(60)
        assert refused("reader-busy", other.read, can=CAN, reader=READER).held_by == "clinic"
        assert kept.reader_id == READER
    assert other.read(can=CAN, reader=READER, portrait=False)["record"]["name"]["value"] == DESK["name"]


@check
def nobody_there():
    try:
        Agent(url="http://127.0.0.1:1").about()
        raise AssertionError("somebody answers on port 1")
    except Unreachable:
        pass
    assert refused("token-wrong", Agent("wrong").about).actor == "admin"


@check
def registers_are_for_whom_the_settings_name():
    refused("scope-missing", agent.registers)
    refused("scope-missing", agent.load_roster, "0" * 16, b"SBD")
    refused("scope-missing", agent.export_register, "0" * 16, list="entries", format="csv")
