"""The live window, tail policies and `fluoro whatif`, with the real binary."""
import json
import os
import random
import time
import urllib.request

from harness import Server, wait_for

POLICIES = {"TailPolicies": [
    {"Name": "bad", "Outcomes": ["fault", "error", "throttle", "timeout"], "Keep": 1},
    {"Name": "gold", "Filter": 'annotation.tenant = "acme"', "Keep": 1},
    {"Name": "rest", "Keep": 0.25}]}
TRACES = 400


def span(trace, number, name, start_ns, parent=None, error=False, **attributes):
    one = {"traceId": trace, "spanId": f"{number:016x}", "name": name, "kind": 2 if parent is None else 3,
           "startTimeUnixNano": str(start_ns), "endTimeUnixNano": str(start_ns + 5_000_000), "status": {"code": 2 if error else 1},
           "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()]}
    return one | ({"parentSpanId": f"{parent:016x}"} if parent else {})


def send(server, count):
    """Traces of two spans: each 20th fails in its second span, each 25th is of tenant acme. Gives ids by what they are."""
    rng = random.Random(7)
    now = time.time_ns()
    spans, ids = [], {"bad": [], "gold": [], "rest": []}
    for i in range(count):
        trace = f"{rng.getrandbits(128):032x}"
        bad, gold = i % 20 == 0, i % 25 == 1
        ids["bad" if bad else "gold" if gold else "rest"].append(trace)
        start = now - (count - i) * 1_000_000
        spans.append(span(trace, 2 * i + 1, "GET /cart", start, **({"tenant": "acme"} if gold else {})))
        spans.append(span(trace, 2 * i + 2, "query", start + 1_000_000, parent=2 * i + 1, error=bad, statement=f"{rng.getrandbits(1600):x}"))
    body = {"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
                               "scopeSpans": [{"spans": spans}]}]}
    call = urllib.request.Request(server.url + "/v1/traces", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(call, timeout=60) as answer:
        assert answer.status == 200
    return ids


def found(server, *flags):
    *traces, _ = [json.loads(line) for line in server.cli("search", "--json", "--limit", "10000", *flags, check=False).stdout.splitlines()]
    return {trace["trace_id"].replace("1-", "", 1).replace("-", ""): trace for trace in traces}


def test_what_leaves_the_live_window_is_thinned_and_weighed(tmp_path):
    policies = tmp_path / "policies.json"
    policies.write_text(json.dumps(POLICIES))
    with Server("--tail-policy", str(policies), folder=tmp_path / "s") as server:
        ids = send(server, TRACES)
        told = json.loads(server.cli("whatif", str(policies), "--json").stdout)
        assert told["seen"]["traces"] == TRACES and told["complete"] and told["thinned_before"] == 0
        picture = server.cli("whatif", str(policies)).stdout
        assert "bad" in picture and "fault" in picture and "100.0 %" in picture
        assert len(found(server)) == TRACES, "all of the live window is there"
    policy = {one["name"]: one for one in told["policies"]}
    assert policy["bad"]["taken"]["traces"] == policy["bad"]["kept"]["traces"] == len(ids["bad"])
    assert policy["gold"]["kept"]["traces"] == len(ids["gold"])
    assert 0 < policy["rest"]["kept"]["traces"] < policy["rest"]["taken"]["traces"] == len(ids["rest"])
    assert {one["name"]: one["share"] for one in told["classes"]}["fault"] == 1

    # Stopping has sealed everything; a second later it has left a live window of a second.
    with Server("--tail-policy", str(policies), "--live-window", "1s", folder=tmp_path / "s") as server:
        wait_for(lambda: server.metric("fluoro_store_thinned_traces_total") >= TRACES, what="thinning")
        kept = found(server)
        assert set(ids["bad"]) | set(ids["gold"]) <= set(kept)
        assert len(kept) == told["kept"]["traces"], "what was told came true"
        assert {trace["weight"] for trace_id, trace in kept.items() if trace_id in ids["rest"]} == {4.0}
        assert {trace["weight"] for trace_id, trace in kept.items() if trace_id in ids["bad"]} == {1.0}
        assert abs(sum(trace["weight"] for trace in kept.values()) - TRACES) < TRACES / 4
        trace = json.loads(server.cli("trace", "--json", next(i for i in kept if i in ids["rest"])).stdout)
        assert trace["kept"] == {"reason": "rest", "probability": 0.25}
        gone = next(i for i in ids["rest"] if i not in kept)
        assert server.cli("trace", gone, check=False).returncode == 1
        assert server.metric("fluoro_store_thinned_bytes_total") > 0
        # Summed before: exact.
        graph = json.loads(server.cli("graph", "--json").stdout)
        assert next(s for s in graph["services"] if s["name"] == "shop")["total"] == TRACES
        # What is still known of dropped traces replays to the same.
        again = json.loads(server.cli("whatif", str(policies), "--json").stdout)
        assert again["seen"]["traces"] == TRACES and again["thinned_before"] == TRACES - len(kept)
        assert again["kept"]["traces"] == len(kept)
        assert again["seen"]["spans"] == 2 * TRACES
    after = server.cli("whatif", str(policies), "--json", "--data", str(tmp_path / "s" / "data"))
    assert json.loads(after.stdout)["kept"]["traces"] == len(kept)
    assert server.cli("verify", str(tmp_path / "s" / "data")).returncode == 0


def test_policy_files_are_json_or_toml_and_their_mistakes_are_named(tmp_path):
    toml = tmp_path / "policies.toml"
    toml.write_text('[[TailPolicies]]\nName = "rest"\nKeep = 0.5\n\n[[TailPolicies]]\nName = "late"\nFilter = "duration > 3"\nKeep = 1\n')
    with Server(folder=tmp_path / "s") as server:
        send(server, 10)
        told = json.loads(server.cli("whatif", str(toml), "--json").stdout)
        assert [one["name"] for one in told["policies"]] == ["rest", "late", "unmatched"]
        for text, message in (('{"TailPolicies":[{"Name":"a","Keep":2}]}', "TailPolicies[0].Keep: 2 is not between 0 and 1"),
                              ('{"TailPolicies":[{"Name":"a","Keep":1,"Filter":"responsetme > 1"}]}', "responsetime"),
                              ("{", "JSON")):
            bad = tmp_path / "bad.json"
            bad.write_text(text)
            done = server.cli("whatif", str(bad), check=False)
            assert done.returncode == 2 and message in done.stderr, done.stderr
        assert server.cli("whatif", str(tmp_path / "none.json"), check=False).returncode == 1
        status, answer = server.post_json("/ui/api/whatif", {"policies": 5})
        assert status == 400 and "object" in answer["error"]["message"]
        status, answer = server.post_json("/ui/api/whatif", {})
        assert status == 400 and "policies" in answer["error"]["message"]
    bad.write_text('{"TailPolicies":[{"Name":"a","Keep":1,"Filter":"("}]}')
    server = Server("--tail-policy", str(bad), folder=tmp_path / "t")
    os.makedirs(tmp_path / "t", exist_ok=True)
    try:
        server.start()
        raise AssertionError("it starts with a broken policy")
    except RuntimeError as error:
        assert "TailPolicies[0].Filter" in str(error)
