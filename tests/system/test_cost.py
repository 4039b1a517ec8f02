"""`fluoro cost`, `fluoro whatif` with head rules and `fluoro rules suggest`, with the real binary and the X-Ray API."""
import json
import random
import time

import pytest

from harness import Server, wait_for
from hook import Hook

TRACES = 4000
# Of each route: how many in ten, how many of them fail.
ROUTES = {"/health": (5, 0.0), "/items/{id}": (3, 0.01), "/orders": (1, 0.05), "/pay": (1, 0.4)}
RULES = {"SamplingRules": [
    {"RuleName": "health", "Priority": 1, "FixedRate": 0.1, "ReservoirSize": 0, "ServiceName": "shop", "URLPath": "/health"},
    {"RuleName": "pay", "Priority": 2, "FixedRate": 0.9, "ReservoirSize": 0, "ServiceName": "pay*", "HTTPMethod": "POST"},
    {"RuleName": "Default", "FixedRate": 0.5, "ReservoirSize": 0}],
    "TailPolicies": [{"Name": "bad", "Outcomes": ["fault", "error"], "Keep": 1}, {"Name": "rest", "Keep": 0.2}]}


def requests(seed):
    """Requests of a shop over the last ten minutes: (route, path, tenant, start, failed)."""
    rng = random.Random(seed)
    now = time.time()
    routes = [route for route, (count, _) in ROUTES.items() for _ in range(count)]
    for i in range(TRACES):
        route = rng.choice(routes)
        yield (route, route.replace("{id}", str(rng.randrange(900))), f"tenant-{rng.randrange(4)}", now - 600 + 600 * i / TRACES,
               rng.random() < ROUTES[route][1])


def document(rng, request, rule):
    route, path, tenant, start, failed = request
    return json.dumps({
        "trace_id": f"1-{int(start):08x}-{rng.getrandbits(96):024x}", "id": f"{rng.getrandbits(64):016x}",
        "name": "payment" if route == "/pay" else "shop", "start_time": start, "end_time": start + 0.01, "fault": failed,
        "annotations": {"tenant": tenant}, "aws": {"xray": {"sampling_rule_name": rule}} if rule else {},
        "http": {"request": {"method": "POST" if route in ("/pay", "/orders") else "GET", "url": f"https://shop.example{path}?q=1"},
                 "response": {"status": 500 if failed else 200}}})


def put(server, documents):
    for begin in range(0, len(documents), 50):
        status, answer = server.post_json("/TraceSegments", {"TraceSegmentDocuments": documents[begin:begin + 50]})
        assert status == 200 and not answer["UnprocessedTraceSegments"], answer


def cost(server, *flags):
    return json.loads(server.cli("cost", "--json", *flags).stdout)


def units(answer, meter):
    return next(one["units"] for one in answer["meters"] if one["meter"] == meter)


def wait_until_stored(server, count):
    wait_for(lambda: units(cost(server, "--last", "2d"), "traces_recorded") >= count, what="all traces are there")


def test_what_was_predicted_is_recorded_and_what_was_recorded_is_accounted(tmp_path):
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps(RULES))
    rng = random.Random(3)
    traffic = list(requests(4))
    with Server("--profile", "dev", folder=tmp_path / "all") as server:
        put(server, [document(rng, request, "") for request in traffic])
        wait_until_stored(server, TRACES)
        told = json.loads(server.cli("whatif", str(rules), "--json").stdout)
        assert told["seen"]["traces"] == TRACES and told["unknown_requests"] == 0 and told["chosen_before"] == 0
        assert told["routes"]["seen"] == len(ROUTES) and told["tenants"]["seen"] == 4
        picture = server.cli("whatif", str(rules)).stdout
        assert "health" in picture and "X-Ray's price" in picture and ".." in picture
        # The cheapest rules are a file that the other commands take.
        suggested = server.cli("rules", "suggest", "--budget", "100000", "--keep-errors", "0.9", "--floor", "5000")
        assert "within $100000.00" in suggested.stderr
        (tmp_path / "suggested.json").write_text(suggested.stdout)
        again = json.loads(server.cli("whatif", str(tmp_path / "suggested.json"), "--json").stdout)
        faults = next(one for one in again["classes"] if one["name"] == "fault")
        assert faults["share"] >= 0.9 and again["recorded"]["expected"] < TRACES
        assert again["routes"]["expected"] > len(ROUTES) - 0.01
        assert server.cli("rules", "check", str(tmp_path / "suggested.json")).returncode == 0
        assert server.cli("rules", "put", str(tmp_path / "suggested.json")).returncode == 0
        dear = server.cli("rules", "suggest", "--budget", "0", check=False)
        assert dear.returncode == 1 and "more than $0.00" in dear.stderr and not dear.stdout

    with Server(folder=tmp_path / "chosen") as server:
        assert server.cli("rules", "put", str(rules)).returncode == 0
        # A client of the API: the server's rules, their rates, first match decides.
        status, answer = server.post_json("/GetSamplingRules", {})
        assert status == 200
        given = {one["SamplingRule"]["RuleName"]: one["SamplingRule"]["FixedRate"] for one in answer["SamplingRuleRecords"]}
        assert given == {"health": 0.1, "pay": 0.9, "Default": 0.5}
        recorded = {name: [] for name in given}
        for request in traffic:
            name = {"/health": "health", "/pay": "pay"}.get(request[0], "Default")
            if rng.random() < given[name]:
                recorded[name].append(document(rng, request, name))
        documents = [one for of_rule in recorded.values() for one in of_rule]
        put(server, documents)
        wait_until_stored(server, len(documents))
        # Half as wide again: three standard deviations.
        for predicted, count in [(told["recorded"], len(documents))] + [
                (one["recorded"], len(recorded[one["name"]])) for one in told["rules"]]:
            spread = 1.5 * (predicted["high"] - predicted["expected"])
            assert abs(count - predicted["expected"]) <= spread, (predicted, count)
        by_rule = {row["name"]: row["units"]["traces_recorded"] for row in cost(server, "--by", "rule", "--last", "2d")["rows"]}
        assert by_rule == {name: len(documents) for name, documents in recorded.items()}
        by_service = {row["name"]: row["units"]["traces_recorded"] for row in cost(server, "--by", "service", "--last", "2d")["rows"]}
        assert by_service["payment"] == len(recorded["pay"])


def test_reads_are_counted_priced_and_survive_a_kill(tmp_path):
    rng = random.Random(5)
    traffic = list(requests(6))[:200]
    server = Server(folder=tmp_path / "s")
    server.start()
    try:
        documents = [document(rng, request, "Default") for request in traffic]
        put(server, documents)
        wait_until_stored(server, 200)
        ids = [json.loads(one)["trace_id"] for one in documents]
        status, answer = server.post_json("/Traces", {"TraceIds": ids[:5]})
        assert status == 200 and len(answer["Traces"]) == 5
        now = time.time()
        status, answer = server.post_json("/TraceSummaries", {"StartTime": now - 3600, "EndTime": now + 60})
        assert status == 200
        scanned = answer["TracesProcessedCount"]
        today = cost(server, "--last", "1s")
        assert units(today, "traces_retrieved") == 5 and units(today, "traces_scanned") == scanned > 0
        assert units(today, "query_cpu_seconds") > 0
        assert next(one for one in today["meters"] if one["meter"] == "index_bytes")["usd"] is None
        assert today["usd"] == 0 and today["forecast"]["usd"]["high"] >= today["forecast"]["usd"]["low"] >= 0

        # A price and a budget are records.
        status, _ = server.post_json("/ui/api/prices", {"meter": "traces_recorded", "usd": 0.5, "valid_from": "2020-01-01"})
        assert status == 200
        status, _ = server.post_json("/ui/api/prices", {"meter": "traces_recorded", "usd": 0.01, "valid_from": "2024-01-01"})
        assert status == 200
        status, _ = server.post_json("/ui/api/budgets", {"name": "all", "usd_month": 1.5})
        assert status == 200
        status, answer = server.post_json("/ui/api/budgets", {"name": "all"})
        assert status == 400 and "usd_month" in answer["error"]["message"]
        picture = server.cli("cost", "--by", "tenant", "--last", "2d").stdout
        assert "tenant-0" in picture and "unpriced" in picture and "budget all" in picture and "expected to come to" in picture
        wait_for(lambda: any(json.loads(day.read_text())["total"].get("traces_scanned", 0) == scanned
                             for day in (tmp_path / "s" / "data" / "usage").glob("*.json")), seconds=90, what="a save")
        # What was counted before the first save is there after SIGKILL; recorded traces are whatever happens.
        server.kill()
    finally:
        server.stop()
    with Server(folder=tmp_path / "s") as server:
        after = cost(server, "--last", "2d")
        assert units(after, "traces_recorded") == 200
        assert units(after, "traces_retrieved") == 5 and units(after, "traces_scanned") == scanned
        assert units(after, "span_bytes_in") > 0, "taken over every ten seconds"
        assert after["usd"] > 0 and after["budgets"][0]["state"] in ("warning", "exceeded")
    # And from the folder alone.
    folder = server.cli("cost", "--json", "--last", "2d", "--data", str(tmp_path / "s" / "data"))
    assert units(json.loads(folder.stdout), "traces_recorded") == 200


def test_a_budget_that_is_exceeded_is_told_to_the_webhook():
    now = time.gmtime()
    if now.tm_mday == 1 and now.tm_hour == 0:
        pytest.skip("the month is younger than the traces that this test makes")
    hook = Hook()
    with Server("--webhook", hook.url, "--webhook-allow", "127.0.0.1") as server:
        rng = random.Random(5)
        put(server, [document(rng, ("/pay", "/pay", "t", time.time() - 2400 + i, False), "") for i in range(100)])
        # 100 recorded traces are 0.0005 $ by the list; watched every minute, on what is counted.
        status, answer = server.post_json("/ui/api/budgets", {"name": "payments", "usd_month": 0.0001, "alert_at": [1], "by": "service", "of": "payment"})
        assert status == 200, answer
        event = wait_for(lambda: hook.bodies and hook.bodies[0], seconds=180, what="the alert")
    assert (event["source"], event["detail-type"]) == ("fluoro.cost", "Budget Alert")
    assert event["detail"]["name"] == "payments" and event["detail"]["state"] == "exceeded" and event["detail"]["of"] == "payment"
    assert event["detail"]["used_usd"] >= 0.0004
    hook.close()
