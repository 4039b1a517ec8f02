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
/// The model requires SampledCount. The sampler of AWS's OpenTelemetry distribution for Python
/// misspells it, and would otherwise never be given a target.
constexpr std::array kReportMembers{
    Member{"RuleName", &kRuleName, true}, Member{"ClientID", &kClientId, true},
    Member{"Timestamp", &kTime, true},    Member{"RequestCount", &kCount, true},
    Member{"SampledCount", &kCount},      Member{"BorrowCount", &kCount}};
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
/// The model requires the first. OpenTelemetry's Java sampler leaves out a list that is empty,
/// which it is in each second report; refused, it would wait for another interval.
constexpr std::array kTargetsMembers{Member{"SamplingStatisticsDocuments", &kReports},
                                     Member{"SamplingBoostStatisticsDocuments", &kBoostReports}};
constexpr Shape kTargetsInput{.kind = kStructure, .members = kTargetsMembers};

constexpr std::array<Member, 0> kNoMembers{};
constexpr Shape kEmptyInput{.kind = kStructure, .members = kNoMembers};

constexpr Shape kTagKey{.kind = kString, .min = 1, .max = 128};
constexpr Shape kTagValue{.kind = kString, .max = 256};
constexpr std::array kTagMembers{Member{"Key", &kTagKey, true}, Member{"Value", &kTagValue, true}};
constexpr Shape kTag{.kind = kStructure, .members = kTagMembers};
constexpr Shape kTags{.kind = kList, .max = 200, .element = &kTag};
constexpr Shape kTagKeys{.kind = kList, .max = 200, .element = &kTagKey};
constexpr Shape kTaggedArn{.kind = kString, .min = 1, .max = 1011};
constexpr std::array kTagResourceMembers{Member{"ResourceARN", &kTaggedArn, true},
                                         Member{"Tags", &kTags, true}};
constexpr Shape kTagResourceInput{.kind = kStructure, .members = kTagResourceMembers};
constexpr std::array kUntagMembers{Member{"ResourceARN", &kTaggedArn, true},
                                   Member{"TagKeys", &kTagKeys, true}};
constexpr Shape kUntagInput{.kind = kStructure, .members = kUntagMembers};
constexpr std::array kListTagsMembers{Member{"ResourceARN", &kTaggedArn, true},
                                      Member{"NextToken", &kText}};
constexpr Shape kListTagsInput{.kind = kStructure, .members = kListTagsMembers};

constexpr Shape kPriority{.kind = kInteger, .min = 1, .max = 9999};
constexpr Shape kRate{.kind = kDouble, .min = 0, .max = 1};
constexpr Shape kRuleServiceType{.kind = kString, .max = 64};
constexpr Shape kHost{.kind = kString, .max = 64};
constexpr Shape kHttpMethod{.kind = kString, .max = 10};
constexpr Shape kUrlPath{.kind = kString, .max = 128};
constexpr Shape kVersion{.kind = kInteger, .min = 1};
constexpr Shape kAttributeText{.kind = kString, .min = 1, .max = 32};
constexpr Shape kAttributes{
    .kind = kMap, .max = 5, .element = &kAttributeText, .key = &kAttributeText};
constexpr std::array kRateBoostMembers{Member{"MaxRate", &kRate, true},
                                       Member{"CooldownWindowMinutes", &kCount, true}};
constexpr Shape kRateBoost{.kind = kStructure, .members = kRateBoostMembers};
constexpr std::array kRuleMembers{Member{"RuleName", &kRuleName},
                                  Member{"RuleARN", &kText},
                                  Member{"ResourceARN", &kResourceArn, true},
                                  Member{"Priority", &kPriority, true},
                                  Member{"FixedRate", &kRate, true},
                                  Member{"ReservoirSize", &kCount, true},
                                  Member{"ServiceName", &kServiceName, true},
                                  Member{"ServiceType", &kRuleServiceType, true},
                                  Member{"Host", &kHost, true},
                                  Member{"HTTPMethod", &kHttpMethod, true},
                                  Member{"URLPath", &kUrlPath, true},
                                  Member{"Version", &kVersion, true},
                                  Member{"Attributes", &kAttributes},
                                  Member{"SamplingRateBoost", &kRateBoost}};
constexpr Shape kRule{.kind = kStructure, .members = kRuleMembers};
constexpr std::array kCreateRuleMembers{Member{"SamplingRule", &kRule, true},
                                        Member{"Tags", &kTags}};
constexpr Shape kCreateRuleInput{.kind = kStructure, .members = kCreateRuleMembers};
constexpr std::array kRuleUpdateMembers{Member{"RuleName", &kRuleName},
                                        Member{"RuleARN", &kText},
                                        Member{"ResourceARN", &kResourceArn},
                                        Member{"Priority", &kInt},
                                        Member{"FixedRate", &kNumber},
                                        Member{"ReservoirSize", &kInt},
                                        Member{"Host", &kHost},
                                        Member{"ServiceName", &kServiceName},
                                        Member{"ServiceType", &kRuleServiceType},
                                        Member{"HTTPMethod", &kHttpMethod},
                                        Member{"URLPath", &kUrlPath},
                                        Member{"Attributes", &kAttributes},
                                        Member{"SamplingRateBoost", &kRateBoost}};
constexpr Shape kRuleUpdate{.kind = kStructure, .members = kRuleUpdateMembers};
constexpr std::array kUpdateRuleMembers{Member{"SamplingRuleUpdate", &kRuleUpdate, true}};
constexpr Shape kUpdateRuleInput{.kind = kStructure, .members = kUpdateRuleMembers};
constexpr std::array kDeleteRuleMembers{Member{"RuleName", &kText}, Member{"RuleARN", &kText}};
constexpr Shape kDeleteRuleInput{.kind = kStructure, .members = kDeleteRuleMembers};

constexpr std::array kInsightsConfigurationMembers{Member{"InsightsEnabled", &kFlag},
                                                   Member{"NotificationsEnabled", &kFlag}};
constexpr Shape kInsightsConfiguration{.kind = kStructure,
                                       .members = kInsightsConfigurationMembers};
constexpr std::array kCreateGroupMembers{
    Member{"GroupName", &kGroupName, true}, Member{"FilterExpression", &kText},
    Member{"InsightsConfiguration", &kInsightsConfiguration}, Member{"Tags", &kTags}};
constexpr Shape kCreateGroupInput{.kind = kStructure, .members = kCreateGroupMembers};
constexpr std::array kUpdateGroupMembers{
    Member{"GroupName", &kGroupName}, Member{"GroupARN", &kGroupArn},
    Member{"FilterExpression", &kText}, Member{"InsightsConfiguration", &kInsightsConfiguration}};
constexpr Shape kUpdateGroupInput{.kind = kStructure, .members = kUpdateGroupMembers};
constexpr std::array kGroupMembers{Member{"GroupName", &kGroupName},
                                   Member{"GroupARN", &kGroupArn}};
constexpr Shape kGroupInput{.kind = kStructure, .members = kGroupMembers};
constexpr Shape kShortToken{.kind = kString, .min = 1, .max = 100};
constexpr std::array kShortTokenMembers{Member{"NextToken", &kShortToken}};
constexpr Shape kShortTokenInput{.kind = kStructure, .members = kShortTokenMembers};

constexpr Shape kKeyId{.kind = kString, .min = 1, .max = 3000};
constexpr std::array<std::string_view, 2> kEncryptionTypes{"NONE", "KMS"};
constexpr Shape kEncryptionType{.kind = kString, .values = kEncryptionTypes};
constexpr std::array kEncryptionMembers{Member{"KeyId", &kKeyId},
                                        Member{"Type", &kEncryptionType, true}};
constexpr Shape kEncryptionInput{.kind = kStructure, .members = kEncryptionMembers};

constexpr Shape kPolicyName{.kind = kString, .min = 1, .max = 128, .pattern = R"([\w+=,.@-]+)"};
constexpr std::array kPutPolicyMembers{
    Member{"PolicyName", &kPolicyName, true}, Member{"PolicyDocument", &kText, true},
    Member{"PolicyRevisionId", &kText}, Member{"BypassPolicyLockoutCheck", &kFlag}};
constexpr Shape kPutPolicyInput{.kind = kStructure, .members = kPutPolicyMembers};
constexpr std::array kDeletePolicyMembers{Member{"PolicyName", &kPolicyName, true},
                                          Member{"PolicyRevisionId", &kText}};
constexpr Shape kDeletePolicyInput{.kind = kStructure, .members = kDeletePolicyMembers};

constexpr std::array kProbabilisticMembers{Member{"DesiredSamplingPercentage", &kNumber, true}};
constexpr Shape kProbabilistic{.kind = kStructure, .members = kProbabilisticMembers};
constexpr std::array kIndexingValueMembers{Member{"Probabilistic", &kProbabilistic}};
constexpr Shape kIndexingValue{.kind = kStructure, .members = kIndexingValueMembers};
constexpr std::array kUpdateIndexingMembers{Member{"Name", &kText, true},
                                            Member{"Rule", &kIndexingValue, true}};
constexpr Shape kUpdateIndexingInput{.kind = kStructure, .members = kUpdateIndexingMembers};

constexpr std::array<std::string_view, 2> kDestinations{"XRay", "CloudWatchLogs"};
constexpr Shape kDestination{.kind = kString, .values = kDestinations};
constexpr std::array kDestinationMembers{Member{"Destination", &kDestination}};
constexpr Shape kDestinationInput{.kind = kStructure, .members = kDestinationMembers};

constexpr Shape kRetrievalIds{.kind = kList, .max = 100, .element = &kTraceId};
constexpr std::array kStartRetrievalMembers{Member{"TraceIds", &kRetrievalIds, true},
                                            Member{"StartTime", &kTime, true},
                                            Member{"EndTime", &kTime, true}};
constexpr Shape kStartRetrievalInput{.kind = kStructure, .members = kStartRetrievalMembers};
constexpr Shape kRetrievalToken{.kind = kString, .max = 1020};
constexpr std::array kCancelRetrievalMembers{Member{"RetrievalToken", &kRetrievalToken, true}};
constexpr Shape kCancelRetrievalInput{.kind = kStructure, .members = kCancelRetrievalMembers};
constexpr std::array<std::string_view, 2> kTraceFormats{"XRAY", "OTEL"};
constexpr Shape kTraceFormat{.kind = kString, .values = kTraceFormats};
constexpr std::array kListRetrievedMembers{Member{"RetrievalToken", &kRetrievalToken, true},
                                           Member{"TraceFormat", &kTraceFormat},
                                           Member{"NextToken", &kText}};
constexpr Shape kListRetrievedInput{.kind = kStructure, .members = kListRetrievedMembers};
constexpr std::array kRetrievedGraphMembers{Member{"RetrievalToken", &kRetrievalToken, true},
                                            Member{"NextToken", &kText}};
constexpr Shape kRetrievedGraphInput{.kind = kStructure, .members = kRetrievedGraphMembers};

constexpr Shape kInsightId{
    .kind = kString,
    .pattern =
        R"([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-5][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12})"};
constexpr Shape kInsightToken{.kind = kString, .min = 1, .max = 2000};
constexpr std::array<std::string_view, 2> kInsightStateNames{"ACTIVE", "CLOSED"};
constexpr Shape kInsightState{.kind = kString, .values = kInsightStateNames};
constexpr Shape kInsightStates{.kind = kList, .min = 0, .max = 1, .element = &kInsightState};
constexpr Shape kInsightSummariesMax{.kind = kInteger, .min = 1, .max = 100};
constexpr std::array kInsightSummariesMembers{
    Member{"States", &kInsightStates},  Member{"GroupARN", &kGroupArn},
    Member{"GroupName", &kGroupName},   Member{"StartTime", &kTime, true},
    Member{"EndTime", &kTime, true},    Member{"MaxResults", &kInsightSummariesMax},
    Member{"NextToken", &kInsightToken}};
constexpr Shape kInsightSummariesInput{.kind = kStructure, .members = kInsightSummariesMembers};
constexpr std::array kInsightMembers{Member{"InsightId", &kInsightId, true}};
constexpr Shape kInsightInput{.kind = kStructure, .members = kInsightMembers};
constexpr Shape kInsightEventsMax{.kind = kInteger, .min = 1, .max = 50};
constexpr std::array kInsightEventsMembers{Member{"InsightId", &kInsightId, true},
                                           Member{"MaxResults", &kInsightEventsMax},
                                           Member{"NextToken", &kInsightToken}};
constexpr Shape kInsightEventsInput{.kind = kStructure, .members = kInsightEventsMembers};
constexpr std::array kImpactGraphMembers{
    Member{"InsightId", &kInsightId, true}, Member{"StartTime", &kTime, true},
    Member{"EndTime", &kTime, true}, Member{"NextToken", &kInsightToken}};
constexpr Shape kImpactGraphInput{.kind = kStructure, .members = kImpactGraphMembers};

constexpr auto kOperations = std::to_array<Operation>({
    {"BatchGetTraces", "/Traces", &kTraceIdsInput},
    {"CancelTraceRetrieval", "/CancelTraceRetrieval", &kCancelRetrievalInput},
    {"CreateGroup", "/CreateGroup", &kCreateGroupInput},
    {"CreateSamplingRule", "/CreateSamplingRule", &kCreateRuleInput},
    {"DeleteGroup", "/DeleteGroup", &kGroupInput},
    {"DeleteResourcePolicy", "/DeleteResourcePolicy", &kDeletePolicyInput},
    {"DeleteSamplingRule", "/DeleteSamplingRule", &kDeleteRuleInput},
    {"GetEncryptionConfig", "/EncryptionConfig", &kEmptyInput},
    {"GetGroup", "/GetGroup", &kGroupInput},
    {"GetGroups", "/Groups", &kShortTokenInput},
    {"GetIndexingRules", "/GetIndexingRules", &kTokenInput},
    {"GetInsight", "/Insight", &kInsightInput},
    {"GetInsightEvents", "/InsightEvents", &kInsightEventsInput},
    {"GetInsightImpactGraph", "/InsightImpactGraph", &kImpactGraphInput},
    {"GetInsightSummaries", "/InsightSummaries", &kInsightSummariesInput},
    {"GetRetrievedTracesGraph", "/GetRetrievedTracesGraph", &kRetrievedGraphInput},
    {"GetSamplingRules", "/GetSamplingRules", &kTokenInput},
    {"GetSamplingStatisticSummaries", "/SamplingStatisticSummaries", &kTokenInput},
    {"GetSamplingTargets", "/SamplingTargets", &kTargetsInput},
    {"GetServiceGraph", "/ServiceGraph", &kGraphInput},
    {"GetTimeSeriesServiceStatistics", "/TimeSeriesServiceStatistics", &kStatisticsInput},
    {"GetTraceGraph", "/TraceGraph", &kTraceIdsInput},
    {"GetTraceSegmentDestination", "/GetTraceSegmentDestination", &kEmptyInput},
    {"GetTraceSummaries", "/TraceSummaries", &kSummariesInput},
    {"ListResourcePolicies", "/ListResourcePolicies", &kShortTokenInput},
    {"ListRetrievedTraces", "/ListRetrievedTraces", &kListRetrievedInput},
    {"ListTagsForResource", "/ListTagsForResource", &kListTagsInput},
    {"PutEncryptionConfig", "/PutEncryptionConfig", &kEncryptionInput},
    {"PutResourcePolicy", "/PutResourcePolicy", &kPutPolicyInput},
    {"PutTelemetryRecords", "/TelemetryRecords", &kTelemetryInput},
    {"PutTraceSegments", "/TraceSegments", &kSegmentsInput},
    {"StartTraceRetrieval", "/StartTraceRetrieval", &kStartRetrievalInput},
    {"TagResource", "/TagResource", &kTagResourceInput},
    {"UntagResource", "/UntagResource", &kUntagInput},
    {"UpdateGroup", "/UpdateGroup", &kUpdateGroupInput},
    {"UpdateIndexingRule", "/UpdateIndexingRule", &kUpdateIndexingInput},
    {"UpdateSamplingRule", "/UpdateSamplingRule", &kUpdateRuleInput},
    {"UpdateTraceSegmentDestination", "/UpdateTraceSegmentDestination", &kDestinationInput},
});

}  // namespace

std::span<const Operation> Operations() { return kOperations; }

const Operation* FindOperation(std::string_view path) {
  const auto found = std::ranges::find(kOperations, path, &Operation::path);
  return found == kOperations.end() ? nullptr : &*found;
}

}  // namespace fluoro::api::xray
