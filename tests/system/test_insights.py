"""Insights out of real traffic: found by the server, read with boto3, told to a webhook, there after a restart."""
import datetime
import json
import time

import pytest

pytest.importorskip("botocore", reason="botocore could not be installed here (scripts/clients.sh)")
from botocore.exceptions import ClientError  # noqa: E402

from harness import Server, wait_for
from hook import Hook
from model_judge import check_answer

MINUTE = 60


def spans_of(number, start_ns, failing, slow):
    """web calls shop: 20 ms and 8 ms; resource spans by service."""
    trace = f"{number:032x}"

    def span(span_id, parent, kind, begin_ms, end_ms, status):
        return {"traceId": trace, "spanId": f"{number * 10 + span_id:016x}", "parentSpanId": f"{number * 10 + parent:016x}" if parent else "",
                "name": "GET /", "kind": kind, "startTimeUnixNano": str(start_ns + int(begin_ms * 1e6)),
                "endTimeUnixNano": str(start_ns + int(end_ms * 1e6)),
                "attributes": [{"key": "http.response.status_code", "value": {"intValue": str(status)}}]}

    status = 500 if failing else 200
    more = 300 if slow else number % 5
    return {"web": [span(1, 0, 2, 0, 20 + more, status), span(2, 1, 3, 5, 15 + more, status)],
            "shop": [span(3, 2, 2, 6, 14 + more, status)]}


def send(server, first_number, minute_s, requests, failing, slow=False):
    by_service = {"web": [], "shop": []}
    for i in range(requests):
        start_ns = int((minute_s + i * 50 / requests) * 1e9)
        for service, spans in spans_of(first_number + i, start_ns, i < failing, slow).items():
            by_service[service] += spans
    body = {"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}, "scopeSpans": [{"spans": spans}]}
                              for service, spans in by_service.items()]}
    status, _, answer = server.request("POST", "/v1/traces", json.dumps(body).encode(), {"Content-Type": "application/json"})
    assert status == 200, answer


@pytest.fixture(scope="module")
def incident():
    """Two hours of traffic: slow for six minutes an hour ago, failing for the last eight minutes; (server, hook, begin of the failing)."""
    hook = Hook()
    with Server("--webhook", hook.url, "--webhook-allow", "127.0.0.1") as server:
        now = int(time.time()) // MINUTE * MINUTE
        number = 1
        for minute in range(120, 0, -1):
            send(server, number, now - minute * MINUTE, 12, 6 if minute <= 8 else 0, slow=55 < minute <= 61)
            number += 12
        client = server.boto3()
        client.update_group(GroupName="Default", InsightsConfiguration={"InsightsEnabled": True, "NotificationsEnabled": True})
        wait_for(lambda: server.metric("fluoro_insights_active") >= 1, 60, "an insight")
        yield server, hook, now - 8 * MINUTE
    hook.close()


def window(begin):
    return {"StartTime": datetime.datetime.fromtimestamp(begin - 7200), "EndTime": datetime.datetime.fromtimestamp(begin + 3600)}


def summaries(client, begin, **more):
    return client.get_insight_summaries(GroupName="Default", **window(begin), **more)["InsightSummaries"]


def test_a_fault_is_an_insight(incident):
    server, _, begin = incident
    client = server.boto3()
    (summary,) = summaries(client, begin)
    assert summary["State"] == "ACTIVE" and summary["Categories"] == ["FAULT"] and "EndTime" not in summary
    assert summary["RootCauseServiceId"]["Name"] == "shop"
    assert summary["StartTime"].timestamp() == begin
    assert [top["ServiceId"]["Name"] for top in summary["TopAnomalousServices"]] == ["shop", "web"]
    clients = summary["ClientRequestImpactStatistics"]
    assert clients["TotalCount"] == clients["FaultCount"] + clients["OkCount"] and clients["FaultCount"] >= 6 * 6
    insight = client.get_insight(InsightId=summary["InsightId"])["Insight"]
    assert insight["RootCauseServiceId"] == summary["RootCauseServiceId"] and len(insight["Summary"].split(".")) >= 2
    events = client.get_insight_events(InsightId=summary["InsightId"])["InsightEvents"]
    assert events and all(event["TopAnomalousServices"] for event in events)
    assert [e["EventTime"] for e in events] == sorted((e["EventTime"] for e in events), reverse=True)
    assert summaries(client, begin, States=["CLOSED"]) == []


def test_the_impact_graph_joins_clients_and_services(incident):
    server, _, begin = incident
    client = server.boto3()
    (summary,) = summaries(client, begin)
    graph = client.get_insight_impact_graph(InsightId=summary["InsightId"], StartTime=datetime.datetime.fromtimestamp(begin),
                                            EndTime=datetime.datetime.fromtimestamp(begin + 3600))
    nodes = {node["ReferenceId"]: node for node in graph["Services"]}
    calls = {(nodes[i]["Name"], nodes[i].get("Type"), nodes[edge["ReferenceId"]]["Name"]) for i in nodes for edge in nodes[i]["Edges"]}
    assert {("web", "client", "web"), ("web", nodes[next(i for i in nodes if nodes[i]["Name"] == "shop")].get("Type"), "shop")} <= calls


def test_answers_fit_the_model(incident):
    server, _, begin = incident
    bounds = {"StartTime": begin - 7200, "EndTime": begin + 3600}
    status, answer = server.post_json("/InsightSummaries", {"GroupName": "Default", **bounds})
    assert status == 200
    assert check_answer("GetInsightSummaries", answer) == []
    insight = {"InsightId": answer["InsightSummaries"][0]["InsightId"]}
    for operation, path, members in (("GetInsight", "/Insight", {}), ("GetInsightEvents", "/InsightEvents", {}),
                                     ("GetInsightImpactGraph", "/InsightImpactGraph", {"StartTime": begin, "EndTime": begin + 600})):
        status, answer = server.post_json(path, {**insight, **members})
        assert status == 200, answer
        assert check_answer(operation, answer) == []
    with pytest.raises(ClientError) as error:
        server.boto3().get_insight(InsightId="00000000-0000-4000-8000-000000000000")
    assert error.value.response["Error"]["Code"] == "InvalidRequestException"


def test_slowness_is_shown_by_our_own_api_alone(incident):
    server, _, begin = incident
    status, _, body = server.request("GET", "/ui/api/insights?category=latency")
    assert status == 200
    (slow,) = json.loads(body)["insights"]
    assert slow["state"] == "closed" and slow["root_cause"]["name"] == "shop" and slow["seen"] > 0.25 > slow["usual_max"]
    status, _, body = server.request("GET", "/ui/api/insights/" + slow["id"])
    assert status == 200 and json.loads(body)["events"]
    assert slow["id"] not in [summary["InsightId"] for summary in summaries(server.boto3(), begin)]


def test_the_webhook_is_told(incident):
    server, hook, _ = incident
    told = wait_for(lambda: hook.bodies, 60, "a notification")[0]
    assert (told["source"], told["detail-type"]) == ("aws.xray", "AWS X-Ray Insight Update")
    assert told["detail"]["RootCauseServiceId"]["Name"] == "shop" and told["detail"]["Category"] == ["FAULT"]
    # What was over long ago is no news.
    assert all(body["detail"]["Category"] == ["FAULT"] for body in hook.bodies)
    wait_for(lambda: server.metric("fluoro_insight_notifications_total") >= len(hook.bodies), 30, "counted notifications")


def test_insights_are_there_after_a_restart(incident):
    server, _, begin = incident
    (before,) = summaries(server.boto3(), begin)
    server.stop()
    server.start()
    (after,) = summaries(server.boto3(), begin)
    assert after["InsightId"] == before["InsightId"]
    assert after["ClientRequestImpactStatistics"]["TotalCount"] - before["ClientRequestImpactStatistics"]["TotalCount"] in (0, 12)


@pytest.mark.parametrize("url, allowed", [("http://127.0.0.1:9/x", ""), ("http://169.254.169.254/latest/meta-data", "hooks.example.com"),
                                          ("http://[::1]/", "10.0.0.0/8"), ("ftp://hooks.example.com/", "hooks.example.com")])
def test_a_webhook_that_nobody_allowed_stops_the_start(url, allowed):
    server = Server("--webhook", url, "--webhook-allow", allowed)
    with pytest.raises(RuntimeError, match="webhook|URL"):
        server.start()
