"""Hostile text and paths against the control plane: stored equal or refused, never run, never a second line of the log."""
import json
import re

import pytest

from harness import Server

RULE = {"Priority": 50, "FixedRate": 0.2, "ReservoirSize": 5, "ServiceName": "*", "ServiceType": "*", "Host": "*", "HTTPMethod": "*",
        "URLPath": "*", "ResourceARN": "*", "Version": 1}
PARTS = ["'", '"', "\\", "`", "--", ";", "/*", "||", "' OR '1'='1", "'; DROP TABLE record; --", "${jndi:ldap://x}", "{{7*7}}", "$(id)",
         "<script>x</script>", "javascript:x", "%00", "%0d%0aSet-Cookie: a=b", "\r\nx-injected: 1", "\u2028", "\u202e", "\x00", "\x1b[31m",
         "../../../etc/passwd", "..\\..\\", "file:///etc/passwd", "=cmd|' /C calc'!A0", "\U0001f600", "url('http://x')", "sleep(10)"]
PAYLOADS = [p for a in PARTS for b in PARTS if len(p := a + b) <= 32]


def test_hostile_text_in_records_comes_back_equal():
    with Server() as server:
        names, hosts = PAYLOADS[:24], PAYLOADS[24:48]
        for name, host in zip(names, hosts):
            status, told = server.post_json("/CreateSamplingRule", {"SamplingRule": {**RULE, "RuleName": name, "Host": host,
                                                                                    "Attributes": {host: name}}})
            assert status == 200, (name, told)
        rules = {r["SamplingRule"]["RuleName"]: r["SamplingRule"] for r in server.post_json("/GetSamplingRules", {})[1]["SamplingRuleRecords"]}
        for name, host in zip(names, hosts):
            assert rules[name]["Host"] == host and rules[name]["Attributes"] == {host: name}
        assert json.loads(server.request("GET", "/ui/api/records")[2])
        for name in names:
            assert server.post_json("/DeleteSamplingRule", {"RuleName": name})[0] == 200, name
        # Whatever went in, the trail tells it as it was, one change a line.
        lines = [json.loads(line) for line in server.request("GET", "/ui/api/audit?kind=sampling-rule&limit=1000")[2].decode().split("\n") if line]
        assert {line["name"] for line in lines} >= set(names)


def test_hostile_text_everywhere_is_refused_or_stored_and_leaves_the_log_in_lines():
    with Server() as server:
        for payload in PAYLOADS:
            for path, body in (
                    ("/CreateGroup", {"GroupName": payload, "FilterExpression": payload}),
                    ("/GetGroup", {"GroupARN": payload}),
                    ("/TraceSummaries", {"StartTime": 1, "EndTime": 2, "FilterExpression": f'annotation.x = "{payload}"'}),
                    ("/PutResourcePolicy", {"PolicyName": payload, "PolicyDocument": payload}),
                    ("/TagResource", {"ResourceARN": payload, "Tags": [{"Key": payload, "Value": payload}]}),
                    ("/ListRetrievedTraces", {"RetrievalToken": payload}),
                    ("/UpdateIndexingRule", {"Name": payload, "Rule": {"Probabilistic": {"DesiredSamplingPercentage": 1}}})):
                status, told = server.post_json(path, body)
                assert status in (200, 400, 404), (path, payload, status, told)
                assert status == 200 or told["__type"] and told["Message"], (path, payload)
        assert server.request("GET", "/readyz")[0] == 200
        for line in server.log().splitlines():
            assert re.match(r"^(\d{4}-\d\d-\d\dT|ready )", line), line


@pytest.mark.parametrize("path", ["/../../etc/passwd", "/..%2f..%2fetc%2fpasswd", "/ui/api/../../etc/passwd", "/ui/api/trace/..%2f..%2fx",
                                  "/ui/api/rules/..%2f..%2fcontrol.db", "/ui/api/rules/%00", "/ui/api/rules/%5c..%5c", "//etc/passwd",
                                  "/control.db", "/made-keys", "/ui/api/records/control.db"])
def test_paths_lead_nowhere_else(server, path):
    for method in ("GET", "DELETE"):
        status, headers, body = server.request(method, path)
        assert status in (400, 404, 405), (method, status)
        assert b"SQLite format" not in body and b"root:" not in body
        assert "x-injected" not in {name.lower() for name in headers}
