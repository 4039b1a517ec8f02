"""The control plane with clients that we did not write: the AWS CLI walks every operation, boto3 pages, and the calls that Terraform
makes are replayed as it sends them."""
import json
import os
import shlex
import time
import uuid

import pytest

from documents import shop_trace
from harness import Server, wait_for

RULE = {"RuleName": "pay", "Priority": 50, "FixedRate": 0.2, "ReservoirSize": 5, "ServiceName": "payment", "ServiceType": "*", "Host": "*",
        "HTTPMethod": "POST", "URLPath": "*", "ResourceARN": "*", "Version": 1}
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"},
                                                  "Action": ["xray:PutTraceSegments"], "Resource": "*"}]}


class Walk:
    """Calls operations by the AWS CLI and knows which were called. With FLUORO_TRANSCRIPT a file is written of what was said."""

    def __init__(self, server):
        self.server = server
        self.called = set()
        self.transcript = os.environ.get("FLUORO_TRANSCRIPT")
        if self.transcript:
            open(self.transcript, "w", encoding="utf-8").close()

    def __call__(self, operation, *arguments, fails=None):
        arguments = [a if isinstance(a, str) else json.dumps(a) for a in arguments]
        done = self.server.aws(operation, *arguments, check=False)
        self.called.add(operation)
        if self.transcript:
            with open(self.transcript, "a", encoding="utf-8") as out:
                out.write(f"$ aws xray {operation} {shlex.join(arguments)}\n{done.stdout}{done.stderr}")
        if fails:
            assert done.returncode != 0 and f"({fails})" in done.stderr, done.stderr
            return done.stderr
        assert done.returncode == 0, f"{operation}: {done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else {}


def operations_of_the_model():
    pytest.importorskip("botocore", reason="boto3 could not be installed here (scripts/clients.sh)")
    import botocore.session
    from botocore import xform_name
    names = botocore.session.get_session().get_service_model("xray").operation_names
    return {xform_name(name, "-") for name in names}


def test_the_aws_cli_walks_every_operation():
    with Server() as server:
        walk = Walk(server)
        now = time.time()
        trace_id, documents = shop_trace(now - 5)
        walk("put-trace-segments", "--trace-segment-documents", *documents)
        window = ["--start-time", str(int(now - 600)), "--end-time", str(int(now + 60))]
        assert walk("get-trace-summaries", *window)["TraceSummaries"]
        assert walk("batch-get-traces", "--trace-ids", trace_id)["Traces"][0]["Id"] == trace_id
        assert walk("get-trace-graph", "--trace-ids", trace_id)["Services"]

        group = walk("create-group", "--group-name", "bad", "--filter-expression", "fault", "--insights-configuration",
                     "InsightsEnabled=true,NotificationsEnabled=false", "--tags", "Key=team,Value=a")["Group"]
        assert walk("get-group", "--group-arn", group["GroupARN"])["Group"] == group
        assert [g["GroupName"] for g in walk("get-groups")["Groups"]] == ["Default", "bad"]
        assert walk("update-group", "--group-name", "bad", "--filter-expression", "fault OR error")["Group"]["FilterExpression"] == "fault OR error"
        assert walk("get-service-graph", *window)["Services"]
        walk("get-service-graph", *window, "--group-name", "bad")
        walk("get-time-series-service-statistics", *window, "--group-arn", group["GroupARN"])
        walk("get-service-graph", *window, "--group-name", "none", fails="InvalidRequestException")

        record = walk("create-sampling-rule", "--sampling-rule", RULE, "--tags", "Key=team,Value=a")["SamplingRuleRecord"]
        arn = record["SamplingRule"]["RuleARN"]
        walk("create-sampling-rule", "--sampling-rule", RULE, fails="InvalidRequestException")
        assert walk("update-sampling-rule", "--sampling-rule-update", {"RuleName": "pay", "FixedRate": 0.5})["SamplingRuleRecord"]["SamplingRule"]["FixedRate"] == 0.5
        assert {r["SamplingRule"]["RuleName"] for r in walk("get-sampling-rules")["SamplingRuleRecords"]} == {"pay", "Default"}
        report = {"RuleName": "pay", "ClientID": "0123456789abcdef01234567", "Timestamp": int(now), "RequestCount": 10, "SampledCount": 3}
        targets = walk("get-sampling-targets", "--sampling-statistics-documents", [report])
        assert targets["SamplingTargetDocuments"][0]["ReservoirQuota"] == 5
        assert walk("get-sampling-statistic-summaries")["SamplingStatisticSummaries"][0]["RequestCount"] == 10
        walk("tag-resource", "--resource-arn", arn, "--tags", "Key=stage,Value=prod")
        walk("untag-resource", "--resource-arn", arn, "--tag-keys", "team")
        assert walk("list-tags-for-resource", "--resource-arn", arn)["Tags"] == [{"Key": "stage", "Value": "prod"}]
        assert walk("delete-sampling-rule", "--rule-name", "pay")["SamplingRuleRecord"]["SamplingRule"]["RuleName"] == "pay"
        walk("list-tags-for-resource", "--resource-arn", arn, fails="ResourceNotFoundException")

        policy = walk("put-resource-policy", "--policy-name", "p", "--policy-document", POLICY)["ResourcePolicy"]
        assert policy["PolicyRevisionId"] == "1"
        assert walk("list-resource-policies")["ResourcePolicies"] == [policy]
        walk("delete-resource-policy", "--policy-name", "p", "--policy-revision-id", "7", fails="InvalidPolicyRevisionIdException")
        walk("delete-resource-policy", "--policy-name", "p", "--policy-revision-id", "1")
        walk("put-resource-policy", "--policy-name", "p", "--policy-document", "{", fails="MalformedPolicyDocumentException")

        assert walk("get-encryption-config")["EncryptionConfig"]["Type"] == "NONE"
        walk("put-encryption-config", "--type", "KMS", "--key-id", "alias/traces")
        walk("put-encryption-config", "--type", "NONE")

        assert walk("get-indexing-rules")["IndexingRules"][0]["Name"] == "Default"
        walk("update-indexing-rule", "--name", "Default", "--rule", {"Probabilistic": {"DesiredSamplingPercentage": 5}})
        walk("update-indexing-rule", "--name", "other", "--rule", {"Probabilistic": {"DesiredSamplingPercentage": 5}}, fails="ResourceNotFoundException")
        assert walk("get-trace-segment-destination") == {"Destination": "XRay", "Status": "ACTIVE"}
        assert walk("update-trace-segment-destination", "--destination", "CloudWatchLogs")["Status"] == "PENDING"
        wait_for(lambda: walk("get-trace-segment-destination")["Status"] == "ACTIVE", what="the destination")

        token = walk("start-trace-retrieval", "--trace-ids", trace_id, *window)["RetrievalToken"]
        assert walk("list-retrieved-traces", "--retrieval-token", token, "--trace-format", "OTEL")["Traces"][0]["Id"] == trace_id
        assert walk("get-retrieved-traces-graph", "--retrieval-token", token)["Services"]
        walk("cancel-trace-retrieval", "--retrieval-token", token)
        assert walk("list-retrieved-traces", "--retrieval-token", token)["RetrievalStatus"] == "CANCELLED"

        assert walk("get-insight-summaries", *window, "--group-name", "bad")["InsightSummaries"] == []
        unknown = str(uuid.uuid4())
        walk("get-insight", "--insight-id", unknown, fails="InvalidRequestException")
        walk("get-insight-events", "--insight-id", unknown, fails="InvalidRequestException")
        walk("get-insight-impact-graph", "--insight-id", unknown, *window, fails="InvalidRequestException")
        walk("put-telemetry-records", "--telemetry-records", [{"Timestamp": int(now), "SegmentsReceivedCount": 3}])
        walk("delete-group", "--group-arn", group["GroupARN"])
        walk("get-group", "--group-arn", group["GroupARN"], fails="InvalidRequestException")
        assert walk.called == operations_of_the_model()


def test_records_outlive_the_server_and_go_to_another(tmp_path):
    with Server(folder=tmp_path) as server:
        xray = server.boto3()
        xray.create_sampling_rule(SamplingRule=RULE)
        arn = xray.create_group(GroupName="bad", FilterExpression="fault")["Group"]["GroupARN"]
        xray.tag_resource(ResourceARN=arn, Tags=[{"Key": "a", "Value": "b"}])
        server.kill()  # what was acknowledged is there
    with Server(folder=tmp_path) as server:
        xray = server.boto3()
        assert xray.get_group(GroupName="bad")["Group"]["GroupARN"] == arn
        assert xray.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "a", "Value": "b"}]
        text = server.request("GET", "/ui/api/records")[2]
        with Server() as other:
            status, told = other.post_json("/ui/api/records", json.loads(text))
            assert status == 200 and told["changed"] >= 3, told
            assert other.boto3().get_group(GroupName="bad")["Group"]["GroupARN"] == arn


def test_rules_of_a_file(tmp_path):
    file = {"SamplingRules": [RULE], "TailPolicies": [{"Name": "bad", "Filter": "fault", "Keep": 1}, {"Name": "rest", "Keep": 0.05}]}
    path = tmp_path / "rules.json"
    path.write_text(json.dumps(file))
    with Server("--profile", "dev") as server:
        assert "sampling rule" in server.cli("rules", "check", str(path)).stdout
        server.cli("rules", "put", str(path))
        listed = json.loads(server.cli("rules", "list", "--json").stdout)
        assert [r["RuleName"] for r in listed["SamplingRules"]] == ["pay", "Default"]
        assert [p["Name"] for p in listed["TailPolicies"]] == ["bad", "rest"]
        wait_for(lambda: "tail policies policies=2" in server.log(), what="the store to follow")
        assert "pay" in [r["SamplingRule"]["RuleName"] for r in server.boto3().get_sampling_rules()["SamplingRuleRecords"]]
        server.cli("rules", "delete", "pay")
        server.cli("rules", "delete", "--tail", "rest")
        assert server.cli("rules", "delete", "pay", check=False).returncode == 1
        lines = [json.loads(line) for line in server.request("GET", "/ui/api/audit")[2].splitlines()]
        assert {(line["kind"], line["name"]) for line in lines} >= {("sampling-rule", "pay"), ("tail-policies", "default")}
        file["TailPolicies"][0]["Filter"] = "(("
        path.write_text(json.dumps(file))
        refused = server.cli("rules", "check", str(path), check=False)
        assert refused.returncode == 1 and "TailPolicies[0].Filter" in refused.stderr


class Terraform:
    """Sends bodies as the provider does (recorded with version 5.100.0): members in alphabetical order, an empty body without
    Content-Type for operations without input."""

    def __init__(self, server):
        self.server = server

    def __call__(self, path, body=None, fails=None):
        data = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
        headers = {"Accept-Encoding": "gzip", "Amz-Sdk-Request": "attempt=1; max=25", "Amz-Sdk-Invocation-Id": str(uuid.uuid4())}
        if body is not None:
            headers["Content-Type"] = "application/json"
        status, _, answer = self.server.request("POST", path, data, headers)
        answer = json.loads(answer)
        if fails:
            assert status == 400 and fails in answer["Message"], answer
        else:
            assert status == 200, answer
        return answer


def test_terraform_sampling_rule(server):
    call = Terraform(server)
    tags = [{"Key": "team", "Value": "a"}]
    rule = {"Attributes": {}, "FixedRate": 0.05, "HTTPMethod": "*", "Host": "*", "Priority": 1000, "ReservoirSize": 1, "ResourceARN": "*",
            "RuleName": "app-sampling", "ServiceName": "*", "ServiceType": "*", "URLPath": "*", "Version": 1}

    def refresh():
        record = next(r for r in call("/GetSamplingRules", {})["SamplingRuleRecords"] if r["SamplingRule"]["RuleName"] == rule["RuleName"])
        arn = record["SamplingRule"].pop("RuleARN")
        return record["SamplingRule"], sorted(call("/ListTagsForResource", {"ResourceARN": arn})["Tags"], key=lambda t: t["Key"]), arn

    call("/CreateSamplingRule", {"SamplingRule": rule, "Tags": tags})
    standing, standing_tags, arn = refresh()
    assert (standing, standing_tags) == (rule, tags), "a plan would show a difference"
    call("/UntagResource", {"ResourceARN": arn, "TagKeys": ["team"]})
    call("/TagResource", {"ResourceARN": arn, "Tags": [{"Key": "stage", "Value": "b"}]})
    update = {key: rule[key] for key in rule if key not in ("Version", "Attributes")}
    call("/UpdateSamplingRule", {"SamplingRuleUpdate": {**update, "FixedRate": 0.1}})
    assert refresh()[:2] == ({**rule, "FixedRate": 0.1}, [{"Key": "stage", "Value": "b"}])
    call("/DeleteSamplingRule", {"RuleName": rule["RuleName"]})
    call("/DeleteSamplingRule", {"RuleName": rule["RuleName"]}, fails="Sampling rule does not exist")
    assert rule["RuleName"] not in [r["SamplingRule"]["RuleName"] for r in call("/GetSamplingRules", {})["SamplingRuleRecords"]]


def test_terraform_group(server):
    call = Terraform(server)
    created = call("/CreateGroup", {"FilterExpression": "responsetime > 5", "GroupName": "slow", "Tags": [],
                                    "InsightsConfiguration": {"InsightsEnabled": True, "NotificationsEnabled": True}})["Group"]
    arn = created["GroupARN"]
    assert call("/GetGroup", {"GroupARN": arn})["Group"] == created
    assert call("/ListTagsForResource", {"ResourceARN": arn})["Tags"] == []
    updated = call("/UpdateGroup", {"FilterExpression": "responsetime > 10", "GroupARN": arn,
                                    "InsightsConfiguration": {"InsightsEnabled": True, "NotificationsEnabled": False}})["Group"]
    assert call("/GetGroup", {"GroupARN": arn})["Group"] == updated
    call("/DeleteGroup", {"GroupARN": arn})
    call("/GetGroup", {"GroupARN": arn}, fails="Group not found")


def test_terraform_encryption_policy_indexing_and_destination(server):
    call = Terraform(server)
    key = "arn:aws:kms:us-east-1:000000000000:key/0b2a7f7e-5a6b-4b43-a0b5-3f2c8d1e9a77"
    call("/PutEncryptionConfig", {"KeyId": key, "Type": "KMS"})
    assert call("/EncryptionConfig")["EncryptionConfig"] == {"KeyId": key, "Status": "ACTIVE", "Type": "KMS"}
    call("/PutEncryptionConfig", {"Type": "NONE"})
    assert call("/EncryptionConfig")["EncryptionConfig"] == {"Status": "ACTIVE", "Type": "NONE"}

    document = json.dumps(POLICY)
    call("/PutResourcePolicy", {"BypassPolicyLockoutCheck": True, "PolicyDocument": document, "PolicyName": "allow"})
    standing = call("/ListResourcePolicies", {})["ResourcePolicies"]
    assert [(p["PolicyName"], json.loads(p["PolicyDocument"])) for p in standing] == [("allow", POLICY)]
    call("/DeleteResourcePolicy", {"PolicyName": "allow", "PolicyRevisionId": standing[0]["PolicyRevisionId"]})

    rule = {"Name": "Default", "Rule": {"Probabilistic": {"DesiredSamplingPercentage": 5}}}
    call("/UpdateIndexingRule", rule)
    assert call("/GetIndexingRules", {})["IndexingRules"][0]["Rule"]["Probabilistic"]["DesiredSamplingPercentage"] == 5
    call("/UpdateTraceSegmentDestination", {"Destination": "CloudWatchLogs"})
    wait_for(lambda: call("/GetTraceSegmentDestination")["Status"] == "ACTIVE", what="the destination")
    call("/UpdateTraceSegmentDestination", {"Destination": "CloudWatchLogs"}, fails="The destination is already set to ")
