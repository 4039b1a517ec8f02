"""Keys, policies, IAM and STS through boto3, the AWS CLI, OpenTelemetry exporters and our own commands."""
import contextlib
import datetime
import gzip
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import pytest

pytest.importorskip("boto3", reason="boto3 could not be installed here (scripts/clients.sh)")
import boto3  # noqa: E402
from botocore.auth import SigV4Auth, SigV4QueryAuth  # noqa: E402
from botocore.awsrequest import AWSRequest  # noqa: E402
from botocore.config import Config  # noqa: E402
from botocore.credentials import Credentials  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402

from documents import shop_trace  # noqa: E402
from harness import AWS_ENVIRONMENT, BINARY, Server, wait_for  # noqa: E402

ACCOUNT = "123456789012"
WRITE = "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess"
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}


def keys(folder, *arguments, check=True, env=None):
    done = subprocess.run([str(BINARY), "keys", *arguments, "--data", str(folder), "--json"], capture_output=True, text=True, timeout=60,
                          check=False, env={**os.environ, **(env or {})})
    if not check:
        return done
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Guarded:
    """A server with keys on, and keys of it."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="fluoro-test-"))
        self.data = self.folder / "data"
        self.admin = keys(self.data, "create", "--name", "admin", "--policy", "AdministratorAccess")
        self.reader = keys(self.data, "create", "--role", "readers", "--policy", "AWSXrayReadOnlyAccess")
        self.writer = keys(self.data, "create", "--policy", "AWSXRayDaemonWriteAccess")
        self.bearer = keys(self.data, "create", "--policy", "AWSXrayWriteOnlyAccess", "--bearer")
        self.server = Server("--keys", "on", "--account", ACCOUNT, "--accept-age", "any", folder=self.folder)

    def client(self, key, service="xray", region="eu-central-1"):
        return boto3.client(service, endpoint_url=self.server.url, region_name=region, aws_access_key_id=key["id"],
                            aws_secret_access_key=key["secret"], config=Config(retries={"max_attempts": 1, "mode": "standard"}))

    def aws(self, key, *arguments, check=True):
        pytest.importorskip("awscli", reason="the AWS CLI could not be installed here (scripts/clients.sh)")
        done = subprocess.run([sys.executable, "-m", "awscli", *arguments, "--endpoint-url", self.server.url, "--output", "json"], capture_output=True,
                              text=True, timeout=120, check=False,
                              env={**os.environ, **AWS_ENVIRONMENT, "AWS_ACCESS_KEY_ID": key["id"], "AWS_SECRET_ACCESS_KEY": key["secret"]})
        if not check:
            return done
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def signed(self, key, method, path, body=b"", headers=None, auth=SigV4Auth, service="xray"):
        """(status, headers, body) of a request signed by botocore."""
        request = AWSRequest(method=method, url=self.server.url + path, data=body, headers=headers or {})
        auth(Credentials(key["id"], key["secret"]), service, "us-east-1").add_auth(request)
        prepared = request.prepare()
        return self.server.request(method, prepared.url[len(self.server.url):], body or None, dict(prepared.headers))


@pytest.fixture
def guarded():
    one = Guarded()
    with one.server:
        yield one
    subprocess.run(["rm", "-rf", str(one.folder)], check=False)


def refused(call, *arguments, **members):
    with pytest.raises(ClientError) as error:
        call(*arguments, **members)
    return error.value.response["Error"]["Code"], error.value.response["ResponseMetadata"]["HTTPStatusCode"], error.value.response["Error"]["Message"]


def test_other_addresses_want_keys_and_keys_want_a_key(tmp_path):
    def serve(*flags):
        return subprocess.run([str(BINARY), "serve", "--data", str(tmp_path / "data"), "--udp", "off", "--otlp-http", "off", "--otlp-grpc", "off", *flags],
                              capture_output=True, text=True, timeout=60, check=False)
    done = serve("--http", "0.0.0.0:0")
    assert done.returncode == 2 and "--keys on" in done.stderr and "--insecure" in done.stderr
    done = serve("--http", "127.0.0.1:0", "--keys", "on")
    assert done.returncode == 2 and "fluoro keys create --policy AdministratorAccess --data" in done.stderr
    done = serve("--http", "127.0.0.1:0", "--keys", "maybe")
    assert done.returncode == 2 and "on or off" in done.stderr
    for command in (("list",), ("revoke", "AKIA"), ("attach", "AKIA", "AWSXrayFullAccess")):
        assert keys(tmp_path / "none", *command, check=False).returncode == 1 and not (tmp_path / "none").exists()
    keys(tmp_path / "data", "create")
    with Server("--http", "0.0.0.0:0", "--udp", "off", "--keys", "on", folder=tmp_path, env={}) as server:
        assert server.ports["http"].startswith("0.0.0.0:")


def test_keys_may_do_what_their_policies_say(guarded):
    _, documents = shop_trace(int(time.time()) - 60)
    window = {"StartTime": datetime.datetime.fromtimestamp(time.time() - 600), "EndTime": datetime.datetime.fromtimestamp(time.time())}
    writer, reader, admin = (guarded.client(k) for k in (guarded.writer, guarded.reader, guarded.admin))
    assert writer.put_trace_segments(TraceSegmentDocuments=documents)["UnprocessedTraceSegments"] == []
    code, status, message = refused(reader.put_trace_segments, TraceSegmentDocuments=documents)
    assert (code, status) == ("AccessDeniedException", 403)
    assert message == f"User: arn:aws:iam::{ACCOUNT}:user/{guarded.reader['id']} is not authorized to perform: xray:PutTraceSegments on resource: *"
    assert refused(writer.get_trace_summaries, **window)[0] == "AccessDeniedException"
    wait_for(lambda: reader.get_trace_summaries(**window)["TraceSummaries"], what="the trace")
    assert refused(reader.get_encryption_config)[0] == "AccessDeniedException"
    assert admin.get_encryption_config()["EncryptionConfig"]["Status"] == "ACTIVE"
    assert refused(reader.create_group, GroupName="g", FilterExpression="fault")[0] == "AccessDeniedException"
    stranger = {"id": "AKIAAAAAAAAAAAAAAAAA", "secret": "s" * 40}
    assert refused(guarded.client(stranger).get_groups)[:2] == ("UnrecognizedClientException", 403)
    forger = {"id": guarded.admin["id"], "secret": "s" * 40}
    assert refused(guarded.client(forger).get_groups)[:2] == ("InvalidSignatureException", 403)
    assert refused(guarded.client(stranger, "sts").get_caller_identity)[:2] == ("InvalidClientTokenId", 403)
    assert refused(guarded.client(forger, "iam").list_roles)[:2] == ("SignatureDoesNotMatch", 403)
    assert refused(guarded.client(guarded.reader, "iam").list_roles)[:2] == ("AccessDenied", 403)


def test_unsigned_requests_may_ask_for_sampling_and_nothing_else(guarded):
    server = guarded.server
    assert server.post_json("/GetSamplingRules", {})[0] == 200
    status, answer = server.post_json("/SamplingTargets", {"SamplingStatisticsDocuments": []})
    assert status == 200 and "LastRuleModification" in answer
    for path in ("/TraceSummaries", "/TraceSegments", "/Groups"):
        status, headers, body = server.request("POST", path, b"{}")
        assert status == 403 and headers["x-amzn-errortype"] == "MissingAuthenticationTokenException", body
    for path in ("/metrics", "/api/services", "/ui/api/tail"):
        status, headers, _ = server.request("GET", path)
        assert status == 401 and headers["www-authenticate"].startswith("Bearer"), path
    assert server.request("GET", "/healthz")[0] == 200 and server.request("GET", "/readyz")[0] == 200
    assert server.request("OPTIONS", "/v1/traces")[0] == 204


def test_what_is_changed_after_signing_is_refused(guarded):
    def send(change):
        body = b"{}"
        request = AWSRequest(method="POST", url=guarded.server.url + "/Groups", data=body, headers={"Content-Type": "application/json"})
        SigV4Auth(Credentials(guarded.admin["id"], guarded.admin["secret"]), "xray", "us-east-1").add_auth(request)
        headers = dict(request.prepare().headers)
        path, body = change(headers, body) or ("/Groups", body)
        return guarded.server.request("POST", path, body, headers)[0]
    assert send(lambda headers, body: None) == 200
    assert send(lambda headers, body: ("/Groups", b"{ }")) == 403
    assert send(lambda headers, body: ("/GetGroup", b'{"GroupName":"Default"}')) == 403
    assert send(lambda headers, body: headers.update({"Host": "127.0.0.1:1"})) == 403
    assert send(lambda headers, body: headers.update({"Content-Type": "text/plain"})) == 403
    assert send(lambda headers, body: headers.update({"Authorization": headers["Authorization"].replace("xray", "iam")})) == 403
    assert send(lambda headers, body: headers.update({"Authorization": "AWS4-HMAC-SHA256"})) == 403
    assert send(lambda headers, body: headers.update({"X-Amz-Date": "20200101T000000Z"})) == 403


def test_presigned_urls_and_compressed_bodies(guarded):
    status, _, body = guarded.signed(guarded.reader, "POST", "/Groups", auth=SigV4QueryAuth)
    assert status == 200, body
    hex_id = "%032x" % 0x0af7651916cd43dd8448eb211c80319c
    span = {"traceId": hex_id, "spanId": "00f067aa0ba902b7", "name": "GET", "kind": 2, "startTimeUnixNano": str(time.time_ns() - 10**9),
            "endTimeUnixNano": str(time.time_ns())}
    document = json.dumps({"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "signed"}}]},
                                              "scopeSpans": [{"spans": [span]}]}]}).encode()
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    status, _, body = guarded.signed(guarded.writer, "POST", "/v1/traces", gzip.compress(document), dict(headers))
    assert status == 200, body
    # The signature is over the bytes that were sent, so other compressed bytes of the same text are refused.
    request = AWSRequest(method="POST", url=guarded.server.url + "/v1/traces", data=gzip.compress(document), headers=dict(headers))
    SigV4Auth(Credentials(guarded.writer["id"], guarded.writer["secret"]), "xray", "us-east-1").add_auth(request)
    other = gzip.compress(document + b" ")
    sent = {name: value for name, value in request.prepare().headers.items() if name.lower() != "content-length"}
    status, _, body = guarded.server.request("POST", "/v1/traces", other, sent)
    assert status == 401 and json.loads(body)["code"] == 16
    # The same signed write again is stored once.
    for _ in range(3):
        assert guarded.server.request("POST", "/v1/traces", request.data, sent)[0] == 200
    done = guarded.server.cli("trace", "--json", hex_id, check=False)
    assert done.returncode == 4 and "keys" in done.stderr
    with environment(guarded.reader):
        trace = wait_for(lambda: json.loads(guarded.server.cli("trace", "--json", hex_id, check=False).stdout or "null"), what="the trace")
    assert len(trace["spans"]) == 1


@contextlib.contextmanager
def environment(key):
    """Our own commands sign with this key."""
    names = {"FLUORO_KEY": key["secret"]} if key["kind"] == "bearer" else {"AWS_ACCESS_KEY_ID": key["id"], "AWS_SECRET_ACCESS_KEY": key["secret"]}
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def test_otlp_with_bearer_keys(guarded):
    pytest.importorskip("opentelemetry.exporter.otlp.proto.grpc.trace_exporter", reason="the OTLP exporters could not be installed here (scripts/clients.sh)")
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Http
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult

    def export(exporter):
        results = []
        whole = exporter.export
        exporter.export = lambda spans, *rest, **more: results.append(whole(spans, *rest, **more)) or results[-1]
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        with provider.get_tracer("t").start_as_current_span("s"):
            pass
        provider.shutdown()
        return results == [SpanExportResult.SUCCESS]

    reader = keys(guarded.data, "create", "--policy", "AWSXrayReadOnlyAccess", "--bearer")
    time.sleep(1)  # until the running server has seen it
    for secret, good in ((guarded.bearer["secret"], True), (reader["secret"], False), ("flk_nonsense", False), (None, False)):
        headers = {"authorization": f"Bearer {secret}"} if secret else {}
        assert export(Grpc(endpoint=guarded.server.ports["otlp_grpc"], insecure=True, headers=headers, timeout=5)) == good, secret
        assert export(Http(endpoint=f"http://{guarded.server.ports['otlp_http']}/v1/traces", headers=headers, timeout=5)) == good, secret
        assert export(Http(endpoint=guarded.server.url + "/v1/traces", headers=headers, timeout=5)) == good, secret


def test_keys_over_the_server_and_beside_it(guarded):
    server = guarded.server
    with environment(guarded.admin):
        made = json.loads(server.cli("keys", "create", "--role", "new", "--bearer", "--name", "ci", "--json").stdout)
        assert made["made_role"] and made["secret"].startswith("flk_") and made["kind"] == "bearer"
        listed = json.loads(server.cli("keys", "list", "--json").stdout)["keys"]
        assert {k["name"] for k in listed} >= {"admin", "ci"} and all("secret" not in k for k in listed)
        assert made["secret"] not in server.cli("keys", "list").stdout
        assert server.cli("keys", "create", "--name", "ci", check=False).returncode == 4
        assert server.cli("keys", "revoke", "AKIANOTHERE", check=False).returncode == 1
        assert "no policy" in server.cli("keys", "attach", made["id"], "AWSXrayDaemonWriteAccess", check=False).stderr
    bearer = {"kind": "bearer", "secret": made["secret"]}
    with environment(bearer):
        done = server.cli("graph", check=False)
        assert done.returncode == 4 and "xray:GetServiceGraph" in done.stderr
        assert server.cli("keys", "list", check=False).returncode == 4
    keys(guarded.data, "attach", made["id"], "AWSXrayReadOnlyAccess")
    with environment(bearer):
        wait_for(lambda: server.cli("graph", check=False).returncode in (0, 1), 5, "the attached policy")
    keys(guarded.data, "revoke", made["id"])
    with environment(bearer):
        wait_for(lambda: server.cli("graph", check=False).returncode == 4, 5, "the revocation")
    # What is kept of a bearer key is its hash.
    stored = b"".join(path.read_bytes() for path in guarded.data.glob("control.db*"))
    assert guarded.bearer["secret"].encode() not in stored
    assert hashlib.sha256(guarded.bearer["secret"].encode()).hexdigest().encode() in stored
    assert all(path.stat().st_mode & 0o077 == 0 for path in guarded.data.glob("control.db*"))


def test_iam_and_sts_by_boto3(guarded):
    sts = guarded.client(guarded.admin, "sts")
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/admin"
    iam = guarded.client(guarded.admin, "iam", "us-east-1")
    role = iam.create_role(RoleName="app", AssumeRolePolicyDocument=json.dumps(TRUST), Description="d", Tags=[{"Key": "team", "Value": "ä & <b>"}])["Role"]
    assert role["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/app" and role["AssumeRolePolicyDocument"] == TRUST
    got = iam.get_role(RoleName="app")["Role"]
    assert got["Tags"] == [{"Key": "team", "Value": "ä & <b>"}] and got["RoleId"] == role["RoleId"] and got["CreateDate"] == role["CreateDate"]
    iam.attach_role_policy(RoleName="app", PolicyArn=WRITE)
    assert iam.list_attached_role_policies(RoleName="app")["AttachedPolicies"] == [{"PolicyName": "AWSXRayDaemonWriteAccess", "PolicyArn": WRITE}]
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "xray:GetGroup*", "Resource": "*"}]}
    iam.put_role_policy(RoleName="app", PolicyName="inline", PolicyDocument=json.dumps(document))
    assert iam.get_role_policy(RoleName="app", PolicyName="inline")["PolicyDocument"] == document
    own = iam.create_policy(PolicyName="own", Path="/team/", PolicyDocument=json.dumps(document))["Policy"]
    assert iam.get_policy_version(PolicyArn=own["Arn"], VersionId="v1")["PolicyVersion"]["Document"] == document
    names = {p["PolicyName"] for page in iam.get_paginator("list_policies").paginate(PaginationConfig={"PageSize": 2}) for p in page["Policies"]}
    assert names >= {"own", "AWSXRayDaemonWriteAccess", "AWSXrayReadOnlyAccess"}
    # A key of the role has what the role is given, from now on.
    key = keys(guarded.data, "create", "--role", "app")
    client = guarded.client(key)
    wait_for(lambda: allowed(client.get_groups), 5, "the key")
    assert not allowed(lambda: client.get_service_graph(StartTime=time.time() - 60, EndTime=time.time()))
    iam.attach_role_policy(RoleName="app", PolicyArn="arn:aws:iam::aws:policy/AWSXrayReadOnlyAccess")
    assert allowed(lambda: client.get_service_graph(StartTime=time.time() - 60, EndTime=time.time()))
    deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "xray:GetService*", "Resource": "*"}]}
    iam.put_role_policy(RoleName="app", PolicyName="inline", PolicyDocument=json.dumps(deny))
    assert not allowed(lambda: client.get_service_graph(StartTime=time.time() - 60, EndTime=time.time()))
    for call, code, status in ((lambda: iam.delete_role(RoleName="app"), "DeleteConflict", 409),
                               (lambda: iam.get_role(RoleName="gone"), "NoSuchEntity", 404),
                               (lambda: iam.create_role(RoleName="app", AssumeRolePolicyDocument=json.dumps(TRUST)), "EntityAlreadyExists", 409),
                               (lambda: iam.create_role(RoleName="bad", AssumeRolePolicyDocument="{}"), "MalformedPolicyDocument", 400),
                               (lambda: iam.attach_role_policy(RoleName="app", PolicyArn=WRITE + "X"), "NoSuchEntity", 404),
                               (lambda: iam.create_user(UserName="u"), "InvalidAction", 400)):
        assert refused(call)[:2] == (code, status)
    iam.delete_role_policy(RoleName="app", PolicyName="inline")
    for policy in iam.list_attached_role_policies(RoleName="app")["AttachedPolicies"]:
        iam.detach_role_policy(RoleName="app", PolicyArn=policy["PolicyArn"])
    assert refused(iam.delete_role, RoleName="app")[2].startswith("Cannot delete entity, must revoke its keys first")
    keys(guarded.data, "revoke", key["id"])
    wait_for(lambda: allowed(lambda: iam.delete_role(RoleName="app")), 5, "the end of the role")


def allowed(call):
    try:
        call()
    except ClientError as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 409), error
        return False
    return True


def test_iam_and_sts_by_the_aws_cli(guarded):
    aws = lambda *arguments: guarded.aws(guarded.admin, *arguments)  # noqa: E731
    assert aws("sts", "get-caller-identity")["Account"] == ACCOUNT
    aws("iam", "create-role", "--role-name", "cli", "--assume-role-policy-document", json.dumps(TRUST), "--tags", "Key=a,Value=b")
    aws("iam", "attach-role-policy", "--role-name", "cli", "--policy-arn", WRITE)
    assert aws("iam", "list-attached-role-policies", "--role-name", "cli")["AttachedPolicies"][0]["PolicyArn"] == WRITE
    aws("iam", "tag-role", "--role-name", "cli", "--tags", "Key=a,Value=c", "Key=d,Value=")
    aws("iam", "untag-role", "--role-name", "cli", "--tag-keys", "d")
    aws("iam", "update-role", "--role-name", "cli", "--description", "by hand", "--max-session-duration", "7200")
    role = aws("iam", "get-role", "--role-name", "cli")["Role"]
    assert role["Tags"] == [{"Key": "a", "Value": "c"}] and role["Description"] == "by hand" and role["MaxSessionDuration"] == 7200
    assert "cli" in {r["RoleName"] for r in aws("iam", "list-roles")["Roles"]}
    version = aws("iam", "get-policy", "--policy-arn", WRITE)["Policy"]["DefaultVersionId"]
    statement = aws("iam", "get-policy-version", "--policy-arn", WRITE, "--version-id", version)["PolicyVersion"]["Document"]["Statement"][0]
    assert "xray:PutTraceSegments" in statement["Action"]
    aws("iam", "detach-role-policy", "--role-name", "cli", "--policy-arn", WRITE)
    aws("iam", "delete-role", "--role-name", "cli")
    done = guarded.aws(guarded.admin, "iam", "get-role", "--role-name", "cli", check=False)
    assert done.returncode != 0 and "NoSuchEntity" in done.stderr and "The role with name cli cannot be found." in done.stderr
    assert guarded.aws(guarded.reader, "xray", "get-groups")["Groups"]
