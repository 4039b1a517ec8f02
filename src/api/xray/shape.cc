#include "api/xray/shape.h"

#include <algorithm>
#include <array>

namespace fluoro::api::xray {
namespace {

using enum ShapeKind;

constexpr Shape kText{.kind = kString};
constexpr Shape kInt{.kind = kInteger};
constexpr Shape kCount{.kind = kInteger, .min = 0};
constexpr Shape kNumber{.kind = kDouble};
constexpr Shape kFlag{.kind = kBoolean};
constexpr Shape kTime{.kind = kTimestamp};

constexpr Shape kTraceId{.kind = kString, .min = 1, .max = 35};
constexpr Shape kTraceIds{.kind = kList, .element = &kTraceId};
constexpr Shape kGroupName{.kind = kString, .min = 1, .max = 32};
constexpr Shape kGroupArn{.kind = kString, .min = 1, .max = 400};
constexpr Shape kRuleName{.kind = kString, .min = 1, .max = 32};

constexpr std::array kTraceIdsMembers{Member{"TraceIds", &kTraceIds, true},
                                      Member{"NextToken", &kText}};
constexpr Shape kTraceIdsInput{.kind = kStructure, .members = kTraceIdsMembers};

constexpr std::array<std::string_view, 3> kTimeRangeTypes{"TraceId", "Event", "Service"};
constexpr Shape kTimeRangeType{.kind = kString, .values = kTimeRangeTypes};
constexpr std::array<std::string_view, 2> kStrategyNames{"PartialScan", "FixedRate"};
constexpr Shape kStrategyName{.kind = kString, .values = kStrategyNames};
constexpr std::array kStrategyMembers{Member{"Name", &kStrategyName}, Member{"Value", &kNumber}};
constexpr Shape kStrategy{.kind = kStructure, .members = kStrategyMembers};
constexpr std::array kSummariesMembers{Member{"StartTime", &kTime, true},
                                       Member{"EndTime", &kTime, true},
                                       Member{"TimeRangeType", &kTimeRangeType},
                                       Member{"Sampling", &kFlag},
                                       Member{"SamplingStrategy", &kStrategy},
                                       Member{"FilterExpression", &kText},
                                       Member{"NextToken", &kText}};
constexpr Shape kSummariesInput{.kind = kStructure, .members = kSummariesMembers};

constexpr std::array kGraphMembers{
    Member{"StartTime", &kTime, true}, Member{"EndTime", &kTime, true},
    Member{"GroupName", &kGroupName}, Member{"GroupARN", &kGroupArn}, Member{"NextToken", &kText}};
constexpr Shape kGraphInput{.kind = kStructure, .members = kGraphMembers};

constexpr Shape kSelector{.kind = kString, .min = 1, .max = 500};
constexpr std::array kStatisticsMembers{Member{"StartTime", &kTime, true},
                                        Member{"EndTime", &kTime, true},
                                        Member{"GroupName", &kGroupName},
                                        Member{"GroupARN", &kGroupArn},
                                        Member{"EntitySelectorExpression", &kSelector},
                                        Member{"Period", &kInt},
                                        Member{"ForecastStatistics", &kFlag},
                                        Member{"NextToken", &kText}};
constexpr Shape kStatisticsInput{.kind = kStructure, .members = kStatisticsMembers};

constexpr Shape kDocuments{.kind = kList, .element = &kText};
constexpr std::array kSegmentsMembers{Member{"TraceSegmentDocuments", &kDocuments, true}};
constexpr Shape kSegmentsInput{.kind = kStructure, .members = kSegmentsMembers};

constexpr std::array kConnectionErrorsMembers{
    Member{"TimeoutCount", &kInt},     Member{"ConnectionRefusedCount", &kInt},
    Member{"HTTPCode4XXCount", &kInt}, Member{"HTTPCode5XXCount", &kInt},
    Member{"UnknownHostCount", &kInt}, Member{"OtherCount", &kInt}};
constexpr Shape kConnectionErrors{.kind = kStructure, .members = kConnectionErrorsMembers};
constexpr std::array kRecordMembers{
    Member{"Timestamp", &kTime, true},      Member{"SegmentsReceivedCount", &kInt},
    Member{"SegmentsSentCount", &kInt},     Member{"SegmentsSpilloverCount", &kInt},
    Member{"SegmentsRejectedCount", &kInt}, Member{"BackendConnectionErrors", &kConnectionErrors}};
constexpr Shape kRecord{.kind = kStructure, .members = kRecordMembers};
constexpr Shape kRecords{.kind = kList, .element = &kRecord};
constexpr Shape kInstanceId{.kind = kString, .max = 20};
constexpr Shape kHostname{.kind = kString, .max = 255};
constexpr Shape kResourceArn{.kind = kString, .max = 500};
constexpr std::array kTelemetryMembers{
    Member{"TelemetryRecords", &kRecords, true}, Member{"EC2InstanceId", &kInstanceId},
    Member{"Hostname", &kHostname}, Member{"ResourceARN", &kResourceArn}};
constexpr Shape kTelemetryInput{.kind = kStructure, .members = kTelemetryMembers};

constexpr std::array kTokenMembers{Member{"NextToken", &kText}};
constexpr Shape kTokenInput{.kind = kStructure, .members = kTokenMembers};

constexpr Shape kClientId{.kind = kString, .min = 24, .max = 24};
constexpr std::array kReportMembers{
    Member{"RuleName", &kRuleName, true},  Member{"ClientID", &kClientId, true},
    Member{"Timestamp", &kTime, true},     Member{"RequestCount", &kCount, true},
    Member{"SampledCount", &kCount, true}, Member{"BorrowCount", &kCount}};
constexpr Shape kReport{.kind = kStructure, .members = kReportMembers};
/// The model says 25. The X-Ray sampler of OpenTelemetry's Java SDK reports every rule at once, and
/// with Default there may be 26.
constexpr Shape kReports{.kind = kList, .max = 100, .element = &kReport};
constexpr Shape kServiceName{.kind = kString, .max = 64};
constexpr std::array kBoostReportMembers{
    Member{"RuleName", &kRuleName, true}, Member{"ServiceName", &kServiceName, true},
    Member{"Timestamp", &kTime, true},    Member{"AnomalyCount", &kCount, true},
    Member{"TotalCount", &kCount, true},  Member{"SampledAnomalyCount", &kCount, true}};
constexpr Shape kBoostReport{.kind = kStructure, .members = kBoostReportMembers};
constexpr Shape kBoostReports{.kind = kList, .max = 25, .element = &kBoostReport};
constexpr std::array kTargetsMembers{Member{"SamplingStatisticsDocuments", &kReports, true},
                                     Member{"SamplingBoostStatisticsDocuments", &kBoostReports}};
constexpr Shape kTargetsInput{.kind = kStructure, .members = kTargetsMembers};

constexpr auto kOperations = std::to_array<Operation>({
    {"BatchGetTraces", "/Traces", &kTraceIdsInput},
    {"CancelTraceRetrieval", "/CancelTraceRetrieval"},
    {"CreateGroup", "/CreateGroup"},
    {"CreateSamplingRule", "/CreateSamplingRule"},
    {"DeleteGroup", "/DeleteGroup"},
    {"DeleteResourcePolicy", "/DeleteResourcePolicy"},
    {"DeleteSamplingRule", "/DeleteSamplingRule"},
    {"GetEncryptionConfig", "/EncryptionConfig"},
    {"GetGroup", "/GetGroup"},
    {"GetGroups", "/Groups"},
    {"GetIndexingRules", "/GetIndexingRules"},
    {"GetInsight", "/Insight"},
    {"GetInsightEvents", "/InsightEvents"},
    {"GetInsightImpactGraph", "/InsightImpactGraph"},
    {"GetInsightSummaries", "/InsightSummaries"},
    {"GetRetrievedTracesGraph", "/GetRetrievedTracesGraph"},
    {"GetSamplingRules", "/GetSamplingRules", &kTokenInput},
    {"GetSamplingStatisticSummaries", "/SamplingStatisticSummaries", &kTokenInput},
    {"GetSamplingTargets", "/SamplingTargets", &kTargetsInput},
    {"GetServiceGraph", "/ServiceGraph", &kGraphInput},
    {"GetTimeSeriesServiceStatistics", "/TimeSeriesServiceStatistics", &kStatisticsInput},
    {"GetTraceGraph", "/TraceGraph", &kTraceIdsInput},
    {"GetTraceSegmentDestination", "/GetTraceSegmentDestination"},
    {"GetTraceSummaries", "/TraceSummaries", &kSummariesInput},
    {"ListResourcePolicies", "/ListResourcePolicies"},
    {"ListRetrievedTraces", "/ListRetrievedTraces"},
    {"ListTagsForResource", "/ListTagsForResource"},
    {"PutEncryptionConfig", "/PutEncryptionConfig"},
    {"PutResourcePolicy", "/PutResourcePolicy"},
    {"PutTelemetryRecords", "/TelemetryRecords", &kTelemetryInput},
    {"PutTraceSegments", "/TraceSegments", &kSegmentsInput},
    {"StartTraceRetrieval", "/StartTraceRetrieval"},
    {"TagResource", "/TagResource"},
    {"UntagResource", "/UntagResource"},
    {"UpdateGroup", "/UpdateGroup"},
    {"UpdateIndexingRule", "/UpdateIndexingRule"},
    {"UpdateSamplingRule", "/UpdateSamplingRule"},
    {"UpdateTraceSegmentDestination", "/UpdateTraceSegmentDestination"},
});

}  // namespace

std::span<const Operation> Operations() { return kOperations; }

const Operation* FindOperation(std::string_view path) {
  const auto found = std::ranges::find(kOperations, path, &Operation::path);
  return found == kOperations.end() ? nullptr : &*found;
}

}  // namespace fluoro::api::xray
