#include "auth/managed_policies.h"

#include <algorithm>
#include <array>

namespace fluoro::auth {
namespace {

// AWS publishes no ids of these; the names in ours are for whoever reads them.
constexpr std::array kPolicies{
    ManagedPolicy{
        .name = "AWSXRayDaemonWriteAccess",
        .id = "ANPAFLUOROXRAYDAEMON2",
        .description =
            "Allow the AWS X-Ray Daemon to relay raw trace segments data to the service's API and "
            "retrieve sampling data (rules, targets, etc.) to be used by the X-Ray SDK.",
        .default_version = "v2",
        .created = "2018-08-28T23:00:33Z",
        .updated = "2024-02-13T21:58:30Z",
        .document = R"({
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "AWSXRayDaemonWriteAccess",
      "Effect": "Allow",
      "Action": [
        "xray:PutTraceSegments",
        "xray:PutTelemetryRecords",
        "xray:GetSamplingRules",
        "xray:GetSamplingTargets",
        "xray:GetSamplingStatisticSummaries"
      ],
      "Resource": [
        "*"
      ]
    }
  ]
})"},
    ManagedPolicy{.name = "AWSXrayCrossAccountSharingConfiguration",
                  .id = "ANPAFLUOROXRAYSHARING",
                  .description = "Provides capabilities to manage Observability Access Manager "
                                 "links and establish sharing of X-Ray traces",
                  .default_version = "v1",
                  .created = "2022-11-27T13:46:35Z",
                  .updated = "2022-11-27T13:46:35Z",
                  .document = R"({
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "xray:Link",
        "oam:ListLinks"
      ],
      "Resource": "*"
    },
    {
      "Effect": "Allow",
      "Action": [
        "oam:DeleteLink",
        "oam:GetLink",
        "oam:TagResource"
      ],
      "Resource": "arn:aws:oam:*:*:link/*"
    },
    {
      "Effect": "Allow",
      "Action": [
        "oam:CreateLink",
        "oam:UpdateLink"
      ],
      "Resource": [
        "arn:aws:oam:*:*:link/*",
        "arn:aws:oam:*:*:sink/*"
      ]
    }
  ]
})"},
    ManagedPolicy{.name = "AWSXrayFullAccess",
                  .id = "ANPAFLUOROXRAYFULLACC",
                  .description = "AWS X-Ray full access managed policy",
                  .default_version = "v2",
                  .created = "2016-12-01T18:30:55Z",
                  .updated = "2024-04-11T17:07:36Z",
                  .document = R"({
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "AWSXrayFullAccess",
      "Effect": "Allow",
      "Action": [
        "xray:*"
      ],
      "Resource": [
        "*"
      ]
    }
  ]
})"},
    ManagedPolicy{.name = "AWSXrayReadOnlyAccess",
                  .id = "ANPAFLUOROXRAYREADONL",
                  .description = "AWS X-Ray read only managed policy",
                  .default_version = "v8",
                  .created = "2016-12-01T18:27:02Z",
                  .updated = "2024-02-14T00:35:02Z",
                  .document = R"({
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "AWSXrayReadOnlyAccess",
      "Effect": "Allow",
      "Action": [
        "xray:GetSamplingRules",
        "xray:GetSamplingTargets",
        "xray:GetSamplingStatisticSummaries",
        "xray:BatchGetTraces",
        "xray:BatchGetTraceSummaryById",
        "xray:GetDistinctTraceGraphs",
        "xray:GetServiceGraph",
        "xray:GetTraceGraph",
        "xray:GetTraceSummaries",
        "xray:GetGroups",
        "xray:GetGroup",
        "xray:ListTagsForResource",
        "xray:ListResourcePolicies",
        "xray:GetTimeSeriesServiceStatistics",
        "xray:GetInsightSummaries",
        "xray:GetInsight",
        "xray:GetInsightEvents",
        "xray:GetInsightImpactGraph"
      ],
      "Resource": [
        "*"
      ]
    }
  ]
})"},
    ManagedPolicy{.name = "AWSXrayWriteOnlyAccess",
                  .id = "ANPAFLUOROXRAYWRITEON",
                  .description = "AWS X-Ray write only managed policy",
                  .default_version = "v2",
                  .created = "2016-12-01T18:19:53Z",
                  .updated = "2018-08-28T23:03:04Z",
                  .document = R"({
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "xray:PutTraceSegments",
        "xray:PutTelemetryRecords",
        "xray:GetSamplingRules",
        "xray:GetSamplingTargets",
        "xray:GetSamplingStatisticSummaries"
      ],
      "Resource": [
        "*"
      ]
    }
  ]
})"},
    ManagedPolicy{.name = "AdministratorAccess",
                  .id = "ANPAFLUOROADMINISTRAT",
                  .description = "Provides full access to AWS services and resources.",
                  .default_version = "v1",
                  .created = "2015-02-06T18:39:46Z",
                  .updated = "2015-02-06T18:39:46Z",
                  .document = R"({
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": "*",
      "Resource": "*"
    }
  ]
})"},
};

}  // namespace

std::string ManagedPolicy::Arn() const { return std::string(kManagedPolicyPrefix).append(name); }

std::span<const ManagedPolicy> ManagedPolicies() { return kPolicies; }

const ManagedPolicy* FindManagedPolicy(std::string_view arn) {
  if (!arn.starts_with(kManagedPolicyPrefix)) return nullptr;
  arn.remove_prefix(kManagedPolicyPrefix.size());
  const auto* const found = std::ranges::find(kPolicies, arn, &ManagedPolicy::name);
  return found == kPolicies.end() ? nullptr : &*found;
}

}  // namespace fluoro::auth
