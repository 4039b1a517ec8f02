"""Terraform or OpenTofu with the real AWS provider: apply, no changes, change, import, destroy.

The binary is looked for on the path; the provider in FLUORO_TERRAFORM_PLUGINS and in the folders in which Terraform keeps local
mirrors. Where one of them is missing the tests are skipped, by name; src/api/iam/iam_api_test.cc replays the provider's calls everywhere."""
import json
import os
import pathlib
import platform
import shutil
import subprocess

import pytest

from harness import BINARY, Server

ACCOUNT = "123456789012"
WRITE = "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess"


def mirrors():
    home = pathlib.Path.home()
    names = [os.environ.get("FLUORO_TERRAFORM_PLUGINS"), home / ".terraform.d/plugins", home / ".local/share/terraform/plugins",
             "/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins"]
    return [pathlib.Path(name) for name in names if name]


def need_terraform():
    """(binary, mirror folder)"""
    binary = shutil.which("terraform") or shutil.which("tofu")
    if binary is None:
        pytest.skip("neither terraform nor tofu is here")
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    for mirror in mirrors():
        if any(mirror.glob(f"*/hashicorp/aws/*/linux_{machine}/terraform-provider-aws*")):
            return binary, mirror
    pytest.skip("the AWS provider of Terraform is not here (FLUORO_TERRAFORM_PLUGINS)")


class Terraform:
    def __init__(self, folder, server, key, files):
        self.binary, mirror = need_terraform()
        self.folder = folder
        folder.mkdir()
        (folder / "cli.tfrc").write_text('provider_installation {\n  filesystem_mirror {\n    path = "%s"\n  }\n}\n' % mirror)
        (folder / "provider.tf").write_text("""
provider "aws" {
  region                  = "us-east-1"
  access_key              = "%s"
  secret_key              = "%s"
  skip_metadata_api_check = true
  endpoints {
    xray = "%s"
    iam  = "%s"
    sts  = "%s"
  }
}
""" % (key["id"], key["secret"], server.url, server.url, server.url))
        for name, text in files.items():
            (folder / name).write_text(text)
        self.run("init", "-input=false")

    def run(self, *arguments, codes=(0,)):
        done = subprocess.run([self.binary, *arguments, "-no-color"], cwd=self.folder, capture_output=True, text=True, timeout=600, check=False,
                              env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "TF_CLI_CONFIG_FILE": str(self.folder / "cli.tfrc"),
                                   "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"})
        assert done.returncode in codes, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def apply(self, *variables):
        return self.run("apply", "-auto-approve", "-input=false", *variables).stdout

    def expect_no_changes(self, *variables):
        done = self.run("plan", "-detailed-exitcode", "-input=false", *variables, codes=(0, 2))
        assert done.returncode == 0, done.stdout

    def destroy(self, *variables):
        return self.run("destroy", "-auto-approve", "-input=false", *variables).stdout


def create_key(folder, *arguments):
    done = subprocess.run([str(BINARY), "keys", "create", "--data", str(folder), "--json", *arguments], capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


@pytest.fixture
def guarded(tmp_path):
    """(server with keys on, key that may do everything)"""
    need_terraform()
    key = create_key(tmp_path / "data", "--name", "terraform", "--policy", "AdministratorAccess")
    with Server("--keys", "on", "--account", ACCOUNT, folder=tmp_path) as server:
        yield server, key


def signed(server, key, *arguments):
    from harness import AWS_ENVIRONMENT
    import sys
    pytest.importorskip("awscli", reason="the AWS CLI could not be installed here (scripts/clients.sh)")
    done = subprocess.run([sys.executable, "-m", "awscli", *arguments, "--endpoint-url", server.url, "--output", "json"], capture_output=True, text=True,
                          timeout=120, check=False, env={**os.environ, **AWS_ENVIRONMENT, "AWS_ACCESS_KEY_ID": key["id"], "AWS_SECRET_ACCESS_KEY": key["secret"]})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else {}


TEMPLATE = """
resource "aws_xray_sampling_rule" "default" {
  rule_name      = "${var.name}-sampling"
  priority       = 1000
  reservoir_size = 1              # keep at least some traces
  fixed_rate     = var.fixed_rate # e.g. 0.05 = 5%

  host         = "*"
  http_method  = "*"
  url_path     = "*"
  service_name = "*"
  service_type = "*"
  resource_arn = "*"
  version      = 1
}

# X-Ray write permissions for the role used by the app (Lambda, ECS, EKS node, IRSA)
resource "aws_iam_role_policy_attachment" "xray_write" {
  role       = var.app_role_name
  policy_arn = "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess"
}

variable "name" { type = string }
variable "fixed_rate" {
  type    = number
  default = 0.05
}
variable "app_role_name" { type = string }
"""


def test_the_template_applies_unchanged(guarded, tmp_path):
    server, key = guarded
    app = create_key(tmp_path / "data", "--role", "app")
    terraform = Terraform(tmp_path / "terraform", server, key, {"main.tf": TEMPLATE})
    variables = ["-var", "name=shop", "-var", "app_role_name=app"]
    assert "2 added" in terraform.apply(*variables)
    terraform.expect_no_changes(*variables)

    def rule():
        rules = signed(server, key, "xray", "get-sampling-rules")["SamplingRuleRecords"]
        return next((r["SamplingRule"] for r in rules if r["SamplingRule"]["RuleName"] == "shop-sampling"), None)
    assert (rule()["FixedRate"], rule()["ReservoirSize"], rule()["Priority"]) == (0.05, 1, 1000)
    # The role's key may now write, and nothing else.
    assert signed(server, app, "xray", "put-trace-segments", "--trace-segment-documents", "{}")["UnprocessedTraceSegments"]
    attached = signed(server, key, "iam", "list-attached-role-policies", "--role-name", "app")["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in attached] == [WRITE]
    assert "1 changed" in terraform.apply(*variables, "-var", "fixed_rate=0.2")
    assert rule()["FixedRate"] == 0.2
    terraform.expect_no_changes(*variables, "-var", "fixed_rate=0.2")
    assert "2 destroyed" in terraform.destroy(*variables)
    assert rule() is None
    assert signed(server, key, "iam", "list-attached-role-policies", "--role-name", "app")["AttachedPolicies"] == []


EVERYTHING = """
data "aws_caller_identity" "me" {}
data "aws_iam_policy" "read" { name = "AWSXrayReadOnlyAccess" }

variable "team" { default = "blue" }
variable "filter" { default = "fault = true AND service(\\"shop\\")" }

resource "aws_xray_group" "faults" {
  group_name        = "faults"
  filter_expression = var.filter
  insights_configuration {
    insights_enabled      = true
    notifications_enabled = false
  }
  tags = { team = var.team }
}
resource "aws_xray_group" "plain" {
  group_name        = "plain"
  filter_expression = "responsetime > 5"
}
resource "aws_xray_sampling_rule" "shop" {
  rule_name      = "shop"
  priority       = 10
  reservoir_size = 5
  fixed_rate     = 0.5
  host           = "*"
  http_method    = "GET"
  url_path       = "/cart/*"
  service_name   = "shop"
  service_type   = "*"
  resource_arn   = "*"
  version        = 1
  attributes     = { tenant = "acme" }
  tags           = { team = var.team }
}
resource "aws_xray_encryption_config" "none" { type = "NONE" }
resource "aws_xray_resource_policy" "open" {
  policy_name = "open"
  policy_document = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = "s", Effect = "Allow", Principal = { Service = "sns.amazonaws.com" }, Action = ["xray:PutTraceSegments"], Resource = "*" }]
  })
}
data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}
resource "aws_iam_role" "app" {
  name               = "made-by-terraform"
  assume_role_policy = data.aws_iam_policy_document.trust.json
  tags               = { team = var.team }
}
resource "aws_iam_policy" "own" {
  name        = "own"
  path        = "/team/"
  description = "d"
  policy      = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "xray:Get*", Resource = "*", Sid = var.team }] })
}
resource "aws_iam_role_policy" "inline" {
  name   = "inline"
  role   = aws_iam_role.app.id
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Deny", Action = "xray:Delete*", Resource = "*" }] })
}
resource "aws_iam_role_policy_attachment" "write" {
  role       = aws_iam_role.app.name
  policy_arn = "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess"
}
resource "aws_iam_role_policy_attachment" "read" {
  role       = aws_iam_role.app.name
  policy_arn = data.aws_iam_policy.read.arn
}
resource "aws_iam_role_policy_attachment" "own" {
  role       = aws_iam_role.app.name
  policy_arn = aws_iam_policy.own.arn
}
output "account" { value = data.aws_caller_identity.me.account_id }
output "arn" { value = data.aws_caller_identity.me.arn }
output "group" { value = aws_xray_group.faults.arn }
"""


def test_every_resource_lives_and_ends(guarded, tmp_path):
    server, key = guarded
    terraform = Terraform(tmp_path / "terraform", server, key, {"main.tf": EVERYTHING})
    assert "11 added" in terraform.apply()
    outputs = {name: one["value"] for name, one in json.loads(terraform.run("output", "-json").stdout).items()}
    assert outputs["account"] == ACCOUNT and outputs["arn"] == f"arn:aws:iam::{ACCOUNT}:user/terraform"
    terraform.expect_no_changes()
    change = ["-var", "team=green", "-var", 'filter=error = true']
    terraform.apply(*change)
    terraform.expect_no_changes(*change)
    # By their names, into a fresh state.
    for resource, name in (("aws_xray_sampling_rule.shop", "shop"), ("aws_xray_group.faults", outputs["group"]), ("aws_xray_resource_policy.open", "open"),
                           ("aws_iam_role.app", "made-by-terraform")):
        terraform.run("state", "rm", resource)
        terraform.run("import", "-input=false", *change, resource, name)
    terraform.expect_no_changes(*change)
    # Behind its back.
    signed(server, key, "xray", "delete-group", "--group-name", "plain")
    signed(server, key, "xray", "delete-sampling-rule", "--rule-name", "shop")
    plan = terraform.run("plan", "-detailed-exitcode", "-input=false", *change, codes=(2,)).stdout
    assert "aws_xray_group.plain will be created" in plan and "aws_xray_sampling_rule.shop will be created" in plan
    terraform.destroy(*change)
    assert [g["GroupName"] for g in signed(server, key, "xray", "get-groups")["Groups"]] == ["Default"]
    assert signed(server, key, "iam", "list-roles")["Roles"] == []
    assert signed(server, key, "iam", "list-policies", "--scope", "Local")["Policies"] == []
