"""The X-Ray API through boto3 and the AWS CLI, and raw, judged by botocore's model."""
import datetime
import json
import time

import pytest

pytest.importorskip("botocore", reason="botocore could not be installed here (scripts/clients.sh)")
from botocore.exceptions import ClientError  # noqa: E402

from documents import put, same_json, shop_trace
from harness import run_node
from model_judge import check_answer

NOW = int(time.time())


@pytest.fixture
def shop(server):
    """Six traces, two of them faulty; (server, boto3 client, {trace id: documents})."""
    client = server.boto3()
    traces = {}
    for i in range(6):
        trace_id, documents = shop_trace(NOW - 100 + i, fault=i % 3 == 0, tenant=f"tenant-{i % 2}")
        put(client, documents)
        traces[trace_id] = documents
    return server, client, traces


def window():
    return {"StartTime": datetime.datetime.fromtimestamp(NOW - 200), "EndTime": datetime.datetime.fromtimestamp(NOW + 100)}


def test_documents_come_back_equal(shop):
    _, client, traces = shop
    ids = list(traces)
    got = {}
    for i in range(0, len(ids), 5):
        answer = client.batch_get_traces(TraceIds=ids[i:i + 5])
        assert answer["UnprocessedTraceIds"] == []
        got.update({trace["Id"]: trace for trace in answer["Traces"]})
    assert got.keys() == traces.keys()
    for trace_id, documents in traces.items():
        by_id = {segment["Id"]: json.loads(segment["Document"]) for segment in got[trace_id]["Segments"]}
        for document in map(json.loads, documents):
            assert same_json(by_id.pop(document["id"]), document)
        # What is left was inferred: the table and the database; `orders` sent a segment of its own.
        assert sorted((d["origin"], d["inferred"]) for d in by_id.values()) == [("AWS::DynamoDB::Table", True), ("Database::SQL", True)]


def test_unknown_traces_are_unprocessed_and_six_ids_are_too_many(server):
    client = server.boto3()
    answer = client.batch_get_traces(TraceIds=["1-581cf771-a006649127e371903a2de979"])
    assert answer["Traces"] == [] and answer["UnprocessedTraceIds"] == ["1-581cf771-a006649127e371903a2de979"]
    with pytest.raises(ClientError) as error:
        client.batch_get_traces(TraceIds=[f"1-581cf771-a006649127e371903a2de97{i}" for i in range(6)])
    assert error.value.response["Error"]["Code"] == "InvalidRequestException"


def test_summaries_hold_every_field_that_the_data_allows(shop):
    server, client, traces = shop
    pages = client.get_paginator("get_trace_summaries").paginate(**window())
    summaries = {s["Id"]: s for page in pages for s in page["TraceSummaries"]}
    assert summaries.keys() == traces.keys()
    faulty = [s for s in summaries.values() if s["HasFault"]]
    assert len(faulty) == 2
    one = faulty[0]
    assert one["Http"] == {"HttpURL": "https://web.example.com/cart", "HttpStatus": 502, "HttpMethod": "GET", "UserAgent": "curl/8", "ClientIp": "203.0.113.7"}
    assert one["Duration"] == pytest.approx(0.5) and one["ResponseTime"] == pytest.approx(0.5)
    assert {u["UserName"] for u in one["Users"]} == {"alice"}
    assert one["Annotations"]["items"][0]["AnnotationValue"] == {"NumberValue": 3.0}
    assert one["Annotations"]["first"][0]["AnnotationValue"] == {"BooleanValue": True}
    assert one["Annotations"]["tenant"][0]["ServiceIds"][0]["Name"] == "web.example.com"
    assert one["ResourceARNs"] == [{"ARN": "arn:aws:ec2:us-east-1:123456789012:instance/i-0abc"}]
    assert one["InstanceIds"] == [{"Id": "i-0abc"}] and one["AvailabilityZones"] == [{"Name": "us-east-1a"}]
    assert one["EntryPoint"]["Name"] == "web.example.com" and one["EntryPoint"]["Type"] == "AWS::EC2::Instance"
    names = {(s["Name"], s.get("Type")) for s in one["ServiceIds"]}
    assert {("carts", "AWS::DynamoDB::Table"), ("shop@db.example.com", "Database::SQL"), ("orders", None)} <= names
    cause = one["FaultRootCauses"][0]
    assert cause["ClientImpacting"] is True
    assert cause["Services"][-1]["Name"] == "orders"
    assert cause["Services"][-1]["EntityPath"][-1]["Exceptions"] == [{"Name": "OutOfStock", "Message": "nothing left"}]
    assert one["ResponseTimeRootCauses"] and one["Revision"] >= 1


@pytest.mark.parametrize("expression, count", [
    ("", 6), ("fault", 2), ("!fault", 4), ("service(\"orders\") { fault }", 2), ('annotation.tenant = "tenant-1"', 3),
    ('annotation.tenant = "tenant-1" AND fault', 1), ("responsetime > 0.4 AND http.status = 502", 2), ('edge("web.example.com", "orders")', 6),
    ('user = "alice"', 6), ("duration > 1", 0), ('service(id(name: "carts", type: "AWS::DynamoDB::Table"))', 6),
    ('http.url CONTAINS "cart" AND !ok', 2)])
def test_filters_select(shop, expression, count):
    _, client, _ = shop
    answer = client.get_trace_summaries(**window(), FilterExpression=expression)
    assert len(answer["TraceSummaries"]) == count


def test_a_bad_filter_says_where_and_what_was_meant(server):
    with pytest.raises(ClientError) as error:
        server.boto3().get_trace_summaries(**window(), FilterExpression="responsetme > 5")
    message = error.value.response["Error"]["Message"]
    assert error.value.response["Error"]["Code"] == "InvalidRequestException"
    assert "Invalid input symbol" in message and "responsetime" in message


def test_the_service_graph_counts_each_request_once(shop):
    _, client, _ = shop
    pages = client.get_paginator("get_service_graph").paginate(**window())
    services = [s for page in pages for s in page["Services"]]
    by_key = {(s["Name"], s.get("Type")): s for s in services}
    web = by_key[("web.example.com", "AWS::EC2::Instance")]
    client_node = by_key[("web.example.com", "client")]
    orders = by_key[("orders", None)]
    assert web["Root"] is True and web["State"] == "active" and client_node["State"] == "unknown"
    assert "SummaryStatistics" not in client_node
    assert client_node["Edges"][0]["ReferenceId"] == web["ReferenceId"]
    statistics = web["SummaryStatistics"]
    assert statistics["TotalCount"] == 6 and statistics["FaultStatistics"]["TotalCount"] == 2 and statistics["OkCount"] == 4
    assert statistics["TotalResponseTime"] == pytest.approx(3.0)
    edges = {e["ReferenceId"]: e for e in web["Edges"]}
    assert edges[orders["ReferenceId"]]["SummaryStatistics"]["TotalResponseTime"] == pytest.approx(6 * 0.35)
    assert orders["SummaryStatistics"]["TotalResponseTime"] == pytest.approx(6 * 0.32)
    assert by_key[("carts", "AWS::DynamoDB::Table")]["State"] == "unknown"
    assert sum(entry["Count"] for entry in web["ResponseTimeHistogram"]) == 6


def test_trace_graph_and_time_series(shop):
    _, client, traces = shop
    graph = client.get_trace_graph(TraceIds=list(traces)[:2])
    web = next(s for s in graph["Services"] if s.get("Type") == "AWS::EC2::Instance")
    assert web["SummaryStatistics"]["TotalCount"] == 2
    series = client.get_time_series_service_statistics(**window(), EntitySelectorExpression='service("orders")', Period=60)
    points = series["TimeSeriesServiceStatistics"]
    assert sum(p["ServiceSummaryStatistics"]["TotalCount"] for p in points) == 6
    assert all(p["Timestamp"].timestamp() % 60 == 0 for p in points)
    edges = client.get_time_series_service_statistics(**window())["TimeSeriesServiceStatistics"]
    assert sum(p["EdgeSummaryStatistics"]["TotalCount"] for p in edges) == 6


@pytest.mark.parametrize("operation, path, body", [
    ("BatchGetTraces", "/Traces", "ids"), ("GetTraceSummaries", "/TraceSummaries", "window"), ("GetServiceGraph", "/ServiceGraph", "window"),
    ("GetTraceGraph", "/TraceGraph", "ids"), ("GetTimeSeriesServiceStatistics", "/TimeSeriesServiceStatistics", "window"),
    ("GetSamplingRules", "/GetSamplingRules", "{}"), ("PutTraceSegments", "/TraceSegments", "documents"),
    ("PutTelemetryRecords", "/TelemetryRecords", "telemetry"), ("GetSamplingTargets", "/SamplingTargets", "targets")])
def test_answers_follow_the_model(shop, operation, path, body):
    server, _, traces = shop
    bodies = {
        "ids": {"TraceIds": list(traces)[:5]}, "window": {"StartTime": NOW - 200, "EndTime": NOW + 100}, "{}": {"NextToken": None},
        "documents": {"TraceSegmentDocuments": ["{}", "not json"]},
        "telemetry": {"TelemetryRecords": [{"Timestamp": NOW, "SegmentsReceivedCount": 1, "BackendConnectionErrors": {"OtherCount": 0}}],
                      "EC2InstanceId": "", "Hostname": "", "ResourceARN": ""},
        "targets": {"SamplingStatisticsDocuments": [
            {"RuleName": "Default", "ClientID": "ABCDEF1234567890ABCDEF12", "Timestamp": NOW, "RequestCount": 20, "SampledCount": 2, "BorrowCount": 1},
            {"RuleName": "gone", "ClientID": "ABCDEF1234567890ABCDEF12", "Timestamp": NOW, "RequestCount": 1, "SampledCount": 1}]},
    }
    status, headers, raw = server.request("POST", path, json.dumps(bodies[body]).encode())
    assert status == 200, raw
    assert any(name.lower() == "x-amzn-requestid" for name in headers)
    assert check_answer(operation, json.loads(raw)) == []


def test_partial_success_names_exactly_the_bad_documents(server):
    client = server.boto3()
    at = NOW - 50
    good_a, good_b = shop_trace(at)[1][0], shop_trace(at)[1][0]
    bad = [json.dumps({**json.loads(good_a), "trace_id": "x"}), "{", json.dumps({"name": "a", "id": "0123456789abcdef"})]
    answer = client.put_trace_segments(TraceSegmentDocuments=[good_a, *bad, good_b])
    unprocessed = answer["UnprocessedTraceSegments"]
    assert [u["ErrorCode"] for u in unprocessed] == ["InvalidTraceId", "ParseError", "MissingTraceId"]
    assert unprocessed[2]["Id"] == "0123456789abcdef" and unprocessed[0]["Id"] == json.loads(good_a)["id"]
    assert all(u["Message"].startswith("Invalid segment. ErrorCode: " + u["ErrorCode"]) for u in unprocessed)
    ids = [json.loads(d)["trace_id"] for d in (good_a, good_b)]
    assert {t["Id"] for t in client.batch_get_traces(TraceIds=ids)["Traces"]} == set(ids)


def test_complete_replaces_in_progress_whatever_the_order_and_duplicates_count_once(server):
    client = server.boto3()
    for order in (0, 1):
        trace_id, documents = shop_trace(NOW - 40 + order)
        whole = json.loads(documents[0])
        started = {k: v for k, v in whole.items() if k not in ("end_time", "subsegments", "http")} | {"in_progress": True}
        for document in ([started, whole, whole], [whole, whole, started])[order]:
            put(client, [json.dumps(document)])
        put(client, [documents[1]] * 2)
        summary = [s for s in client.get_trace_summaries(**window())["TraceSummaries"] if s["Id"] == trace_id]
        assert len(summary) == 1 and summary[0]["IsPartial"] is False
        segments = client.batch_get_traces(TraceIds=[trace_id])["Traces"][0]["Segments"]
        assert len([s for s in segments if s["Id"] == whole["id"]]) == 1
        graph = client.get_trace_graph(TraceIds=[trace_id])["Services"]
        assert [s["SummaryStatistics"]["TotalCount"] for s in graph if s["Name"] == "orders"] == [1]


def test_unknown_operations_and_bad_bodies_get_x_ray_errors(server):
    for path, body, status, kind in [("/Nonsense", b"{}", 404, "UnknownOperationException"), ("/TraceSummaries", b"[]", 400, "SerializationException"),
                                     ("/TraceSummaries", b"{}", 400, "InvalidRequestException"), ("/Traces", b'{"TraceIds": 5}', 400, "SerializationException"),
                                     ("/Traces", b"\xff\xfe", 400, "SerializationException")]:
        got, headers, raw = server.request("POST", path, body)
        assert (got, {k.lower(): v for k, v in headers.items()}["x-amzn-errortype"]) == (status, kind), (path, body, raw)
        assert json.loads(raw)["Message"]


def test_the_aws_cli_walks_the_same_way(shop):
    server, _, traces = shop
    start, end = str(NOW - 200), str(NOW + 100)
    summaries = server.aws("get-trace-summaries", "--start-time", start, "--end-time", end, "--filter-expression", "fault = true")
    assert len(summaries["TraceSummaries"]) == 2
    batch = server.aws("batch-get-traces", "--trace-ids", *list(traces)[:3])
    assert len(batch["Traces"]) == 3
    graph = server.aws("get-service-graph", "--start-time", start, "--end-time", end)
    assert {s["Name"] for s in graph["Services"]} >= {"web.example.com", "orders", "carts"}
    assert server.aws("get-trace-graph", "--trace-ids", list(traces)[0])["Services"]
    assert server.aws("get-time-series-service-statistics", "--start-time", start, "--end-time", end)["TimeSeriesServiceStatistics"]
    rules = server.aws("get-sampling-rules")["SamplingRuleRecords"]
    assert rules[0]["SamplingRule"]["RuleName"] == "Default" and rules[0]["SamplingRule"]["FixedRate"] == 0.05
    put_answer = server.aws("put-trace-segments", "--trace-segment-documents", shop_trace(NOW - 5)[1][1])
    assert put_answer == {"UnprocessedTraceSegments": []}
    failed = server.aws("get-trace-summaries", "--start-time", end, "--end-time", start, check=False)
    assert failed.returncode != 0 and "InvalidRequestException" in failed.stderr


def test_summaries_page_without_loss_or_repeat(server):
    client = server.boto3()
    ids = set()
    for batch in range(6):
        documents = []
        for i in range(50):
            trace_id, (document, _) = shop_trace(NOW - 90 + (batch * 50 + i) * 0.1)
            ids.add(trace_id)
            documents.append(document)
        put(client, documents)
    pages = list(client.get_paginator("get_trace_summaries").paginate(**window()))
    listed = [s["Id"] for page in pages for s in page["TraceSummaries"]]
    assert len(listed) == len(set(listed)) and set(listed) == ids
    assert len(pages) > 1
    starts = [s["StartTime"] for page in pages for s in page["TraceSummaries"]]
    assert starts == sorted(starts, reverse=True)


def test_the_aws_sdk_for_javascript(server):
    told = run_node("aws_sdk.js", server)
    assert told["unprocessed"] == ["MissingId"] and told["summaries"] == [told["trace"]]
    assert told["start"] is True and told["equal"] is True and set(told["services"]) == {"js"}
