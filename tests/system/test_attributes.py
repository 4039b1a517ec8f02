"""`fluoro attributes` and /ui/api/attributes with the real binary: a key that explodes is watched, demoted, found and restored."""
import json
import subprocess
import time
import urllib.parse

from harness import BINARY, Server, wait_for


def attribute(key, value):
    return {"key": key, "value": {"intValue": value} if isinstance(value, int) else {"stringValue": value}}


def put(server, spans):
    """`spans`: of each its attributes; one trace each."""
    now = time.time_ns()
    for begin in range(0, len(spans), 2000):
        part = [{"traceId": f"{int(time.time()):08x}{begin + i + put.sent:024x}", "spanId": f"{begin + i + put.sent + 1:016x}", "name": "work", "kind": 2,
                 "startTimeUnixNano": str(now), "endTimeUnixNano": str(now + 1000),
                 "attributes": [attribute(*pair) for pair in attributes.items()]} for i, attributes in enumerate(spans[begin:begin + 2000])]
        status, answer = server.post_json("/v1/traces", {"resourceSpans": [
            {"resource": {"attributes": [attribute("service.name", "shop")]}, "scopeSpans": [{"spans": part}]}]})
        assert status == 200, answer
    put.sent += len(spans)


put.sent = 0


def listed(server, *flags):
    answer = json.loads(server.cli("attributes", "--json", *flags).stdout)
    return answer, {one["key"]: one for one in answer["attributes"]}


def one(server, key):
    return json.loads(server.cli("attributes", key, "--json").stdout)


def found(server, key, value):
    lines = server.cli("search", f'annotation[{key}] = "{value}"', "--limit", "1000", "--json").stdout.splitlines()
    return len(lines) - 1


def test_a_key_that_explodes_is_demoted_and_nothing_is_lost(tmp_path):
    with Server(folder=tmp_path / "store") as server:
        put(server, [{"tenant": f"customer {'abcde'[i % 5]}", "order.id": f"{i * 2654435761 % 2**32:08x}-{i:024x}", "items": i % 7} for i in range(3000)])
        answer, keys = listed(server)
        assert set(keys) == {"tenant", "order.id", "items", "service.name"}
        assert keys["tenant"]["state"] == "ok" and keys["tenant"]["distinct"] == 5 and keys["tenant"]["budget"] == 10000
        assert keys["tenant"]["spans"] == 3000 and keys["service.name"]["spans"] == 3000 and keys["service.name"]["on"] == ["resource"]
        assert keys["items"]["class"] == "numeric" and keys["items"]["distinct"] == 7
        assert keys["order.id"]["state"] == "guarded" and keys["order.id"]["index"] == "lookup" and keys["order.id"]["distinct"] == 3000
        assert answer["memory_bytes"] < answer["memory_bytes_max"]
        values = one(server, "tenant")["values"]
        assert {value["value"] for value in values} == {f"customer {c}" for c in "abcde"}
        # What stands between half of the budget and the budget is warned of; then it is demoted.
        put(server, [{"tenant": f"run-away {chr(97 + i % 26)}{i // 2 // 26}"} for i in range(12000)])
        wait_for(lambda: listed(server)[1]["tenant"]["state"] == "watch", what="a warning")
        put(server, [{"tenant": f"run-away {chr(97 + i % 26)}{i // 2 // 26}"} for i in range(12000, 30000)])
        told = wait_for(lambda: (lambda key: key["state"] == "guarded" and key)(listed(server)[1]["tenant"]), what="demotion")
        assert told["distinct"] > 10000 and told["why"] == "as many values as the budget" and told["remedy"]
        table = server.cli("attributes").stdout
        assert "guarded" in table and "tenant" in table
        picture = server.cli("attributes", "tenant").stdout
        assert "guarded, as many values as the budget" in picture and "hour (UTC)" in picture
        # Every value is found, known or not.
        assert found(server, "tenant", "customer a") == 600
        assert found(server, "order.id", f"{1234 * 2654435761 % 2**32:08x}-{1234:024x}") == 1
        assert found(server, "tenant", "run-away c576") > 0
        # By hand, both ways, and who did it.
        server.cli("attributes", "demote", "order.id")
        wait_for(lambda: one(server, "order.id")["index"] == "none", what="the server follows")
        server.cli("attributes", "index", "tenant")
        wait_for(lambda: one(server, "tenant")["index"] == "full", what="the server follows")
        assert one(server, "tenant")["state"] == "watch" and one(server, "tenant")["by_hand"]
        server.cli("attributes", "budget", "tenant", "60000")
        wait_for(lambda: one(server, "tenant")["budget"] == 60000, what="the server follows")
        _, _, trail = server.request("GET", "/ui/api/audit?kind=attribute")
        assert trail.decode().count('"kind":"attribute"') == 3
        assert found(server, "order.id", f"{77 * 2654435761 % 2**32:08x}-{77:024x}") == 1
        status, answer = server.post_json("/ui/api/attributes", {"key": "tenant", "action": "drop"})
        assert status == 400 and "index, demote or auto" in answer["error"]["message"]
        assert server.request("GET", "/ui/api/attributes/" + urllib.parse.quote("no/such", safe=""))[0] == 404
        assert server.cli("attributes", "nothing", check=False).returncode != 0
        before = {key: value["distinct"] for key, value in listed(server)[1].items()}
        server.stop()
        # The same from the folder alone, and after a restart.
        data = str(server.folder / "data")
        alone = json.loads(subprocess.run([str(BINARY), "attributes", "--data", data, "--json"], capture_output=True, check=True).stdout)
        assert {key["key"]: key["distinct"] for key in alone["attributes"]} == before
        assert {key["key"]: key["index"] for key in alone["attributes"]}["order.id"] == "none"
        subprocess.run([str(BINARY), "attributes", "auto", "order.id", "--data", data], check=True)
        subprocess.run([str(BINARY), "verify", data], check=True, stdout=subprocess.DEVNULL)
        with server:
            keys = listed(server)[1]
            assert {key: value["distinct"] for key, value in keys.items()} == before
            assert keys["order.id"]["index"] == "lookup" and keys["tenant"]["budget"] == 60000
            assert server.metric("fluoro_store_attribute_keys") == len(keys)


def test_a_killed_server_and_a_lost_file_cost_nothing_but_counts(tmp_path):
    with Server(folder=tmp_path / "store") as server:
        put(server, [{"colour": "red", "order": f"{i:032x}"} for i in range(500)])
        assert listed(server)[1]["colour"]["spans"] == 500
        server.kill()
        server.start()
        assert listed(server)[1]["colour"]["spans"] == 500, "what was not sealed is in the log"
        server.stop()
        (server.folder / "data" / "ATTRIBUTES").write_bytes(b"FLORATT1 and then nothing that is right")
        server.start()
        assert found(server, "order", f"{77:032x}") == 1
        assert "what was known of values is lost" in server.log()
        put(server, [{"colour": "blue"} for _ in range(3)])
        assert listed(server)[1]["colour"]["spans"] == 3
