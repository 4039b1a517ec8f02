#include "query/evaluate.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "genai/step.h"
#include "query/value_match.h"

namespace fluoro::query {
namespace {

using model::AssembledTrace;
using model::Call;
using model::Entity;
using model::EntityRole;
using model::ServiceNode;
using model::Span;

/// What the keywords of one scope read. Members that a scope does not have are null.
struct Subject {
  enum class Scope : std::uint8_t {
    kTrace,
    kService,
    kEdge,
    kCauseService,
    kCauseEntity,
    kCauseException
  };
  Scope scope = Scope::kTrace;
  std::int32_t entity =
      -1;  ///< kService: segment; kEdge: caller's subsegment or, without one, the callee
  std::int32_t callee = -1;  ///< kEdge
  const ServiceNode* node =
      nullptr;  ///< kService: the segment's or its client; kEdge: the callee's
  const model::RootCauseService* service = nullptr;
  const model::RootCauseEntity* path_entity = nullptr;
  const model::RootCauseException* exception = nullptr;
  std::size_t index = 0;  ///< in the list of a root cause
  std::size_t count = 0;
};
using Scope = Subject::Scope;

bool IsInferred(const Entity& entity) {
  return entity.role == EntityRole::kInferred ||
         (entity.role == EntityRole::kSegment && entity.span->source == model::SpanSource::kXRay &&
          entity.span->Has(model::SpanFlag::kSentInferred));
}

bool IsOk(const Entity& entity) {
  if (entity.in_progress) return false;
  if (entity.http.status) return *entity.http.status >= 200 && *entity.http.status < 300;
  return !entity.fault && !entity.error && !entity.throttle;
}

bool IsScalar(const model::AttributeValue* value) {
  return value != nullptr &&
         (value->AsString() || value->AsInt() || value->AsDouble() || value->AsBool());
}

/// Stored durations and literals meet at microseconds.
double Microseconds(std::int64_t ns) { return std::round(static_cast<double>(ns) / 1e3); }

JsonPattern ToJson(const model::RootCause& cause) {
  JsonPattern::Array services;
  for (const auto& service : cause.services) {
    JsonPattern::Array path;
    for (const auto& entity : service.entity_path) {
      JsonPattern::Object members{{"Name", {entity.name}}, {"Remote", {entity.remote}}};
      if (entity.coverage) {
        members.emplace_back("Coverage", JsonPattern{*entity.coverage});
      } else {
        JsonPattern::Array exceptions;
        for (const auto& exception : entity.exceptions) {
          exceptions.push_back(
              {JsonPattern::Object{{"Name", {exception.name}}, {"Message", {exception.message}}}});
        }
        members.emplace_back("Exceptions", JsonPattern{std::move(exceptions)});
      }
      path.push_back({std::move(members)});
    }
    JsonPattern::Array names;
    for (const auto& name : service.names) names.push_back({name});
    JsonPattern::Object members{{"Name", {service.name}},
                                {"Names", {std::move(names)}},
                                {"Type", {service.type}},
                                {"Inferred", {service.inferred}},
                                {"EntityPath", {std::move(path)}}};
    if (!service.account_id.empty())
      members.emplace_back("AccountId", JsonPattern{service.account_id});
    services.push_back({std::move(members)});
  }
  return {JsonPattern::Object{{"ClientImpacting", {cause.client_impacting}},
                              {"Services", {std::move(services)}}}};
}

class Evaluator {
 public:
  Evaluator(const TraceView& view, bool fold_case)
      : view_(view), trace_(view.trace()), fold_case_(fold_case) {}

  bool Holds(const Expression& expression, const Subject& subject) {
    return std::visit([&](const auto& node) { return Test(node, subject); }, expression.node);
  }

 private:
  [[nodiscard]] const Entity& EntityAt(std::int32_t index) const {
    return trace_.entities[static_cast<std::size_t>(index)];
  }
  [[nodiscard]] const ServiceNode& NodeAt(std::int32_t index) const {
    return trace_.services[static_cast<std::size_t>(index)];
  }
  bool BlockHolds(const std::unique_ptr<Expression>& block, const Subject& subject) {
    return block == nullptr || Holds(*block, subject);
  }

  // Combinations.

  bool Test(const NotExpression& node, const Subject& subject) {
    return !Holds(*node.operand, subject);
  }
  bool Test(const AndExpression& node, const Subject& subject) {
    return std::ranges::all_of(node.operands,
                               [&](const Expression& e) { return Holds(e, subject); });
  }
  bool Test(const OrExpression& node, const Subject& subject) {
    return std::ranges::any_of(node.operands,
                               [&](const Expression& e) { return Holds(e, subject); });
  }
  bool Test(const GroupTest& test, const Subject& subject) {
    return BlockHolds(test.body, subject) != test.negated;
  }

  // Simple keywords.

  bool Test(const KeywordTest& test, const Subject& subject) {
    switch (TypeOf(test.keyword)) {
      case KeywordType::kBoolean: {
        const bool value = Boolean(test.keyword, subject);
        if (test.op == Operator::kPresent) return value;
        return (value == std::get<bool>(test.literal)) == (test.op == Operator::kEqual);
      }
      case KeywordType::kNumber:
        return TestNumber(test, subject);
      case KeywordType::kString:
        break;
    }
    StringMatch match(test.op, test.literal, fold_case_);
    AddStrings(test.keyword, subject, match);
    return match.Holds();
  }

  [[nodiscard]] bool TestNumber(const KeywordTest& test, const Subject& subject) const {
    const bool is_time =
        test.keyword == Keyword::kResponseTime || test.keyword == Keyword::kDuration;
    std::optional<double> value;
    if (is_time) {
      if (const auto ns = Time(test.keyword, subject)) value = Microseconds(*ns);
    } else {
      value = Number(test.keyword, subject);
    }
    if (!value || test.op == Operator::kPresent) return value.has_value();
    const double literal = std::get<double>(test.literal);
    return CompareNumbers(*value, test.op, is_time ? std::round(literal * 1e6) : literal);
  }

  [[nodiscard]] bool Boolean(Keyword keyword, const Subject& subject) const {
    switch (subject.scope) {
      case Scope::kTrace:
        return TraceBoolean(keyword);
      case Scope::kService:
      case Scope::kEdge:
        return EntityBoolean(keyword, subject);
      default:
        break;
    }
    switch (keyword) {
      case Keyword::kFirst:
        return subject.index == 0;
      case Keyword::kLast:
        return subject.index + 1 == subject.count;
      case Keyword::kInferred:
        return subject.service != nullptr && subject.service->inferred;
      case Keyword::kRemote:
        return subject.path_entity != nullptr && subject.path_entity->remote;
      default:
        return false;
    }
  }

  [[nodiscard]] bool TraceBoolean(Keyword keyword) const {
    switch (keyword) {
      case Keyword::kOk:
        return trace_.Root() != nullptr && IsOk(*trace_.Root());
      case Keyword::kError:
        return view_.summary().has_error;
      case Keyword::kThrottle:
        return view_.summary().has_throttle;
      case Keyword::kFault:
        return view_.summary().has_fault;
      case Keyword::kPartial:
        return view_.summary().is_partial;
      case Keyword::kInferred:
        return std::ranges::any_of(trace_.entities, IsInferred);
      case Keyword::kRoot:
        return true;
      default:
        return false;
    }
  }

  [[nodiscard]] bool EntityBoolean(Keyword keyword, const Subject& subject) const {
    const Entity& entity = EntityAt(subject.entity);
    const bool edge = subject.scope == Scope::kEdge;
    switch (keyword) {
      case Keyword::kOk:
        return IsOk(entity);
      case Keyword::kError:
        return entity.error;
      case Keyword::kThrottle:
        return entity.throttle;
      case Keyword::kFault:
        return entity.fault;
      case Keyword::kPartial:
        return entity.in_progress;
      case Keyword::kInferred:
        return !subject.node->client && IsInferred(edge ? EntityAt(subject.callee) : entity);
      case Keyword::kRoot:
        return !edge && !subject.node->client && subject.entity == trace_.root;
      default:
        return false;
    }
  }

  [[nodiscard]] std::optional<std::int64_t> Time(Keyword keyword, const Subject& subject) const {
    if (subject.scope == Scope::kTrace) {
      if (keyword == Keyword::kResponseTime) return view_.summary().response_ns;
      return trace_.entities.empty() ? std::nullopt : std::optional(view_.summary().duration_ns);
    }
    if (subject.entity < 0 || EntityAt(subject.entity).in_progress) return std::nullopt;
    return EntityAt(subject.entity).duration_ns();
  }

  [[nodiscard]] std::optional<double> Number(Keyword keyword, const Subject& subject) const {
    switch (keyword) {
      case Keyword::kHttpStatus: {
        const model::HttpFields* http = Http(subject);
        if (http == nullptr || !http->status) return std::nullopt;
        return static_cast<double>(*http->status);
      }
      case Keyword::kIndex:
        if (subject.count == 0) return std::nullopt;
        return static_cast<double>(subject.index);
      case Keyword::kCoverage:
        return subject.path_entity == nullptr ? std::nullopt : subject.path_entity->coverage;
      default:
        return std::nullopt;
    }
  }

  [[nodiscard]] const model::HttpFields* Http(const Subject& subject) const {
    if (subject.scope == Scope::kTrace) return &view_.summary().http;
    return subject.entity < 0 ? nullptr : &EntityAt(subject.entity).http;
  }

  void AddStrings(Keyword keyword, const Subject& subject, StringMatch& match) const {
    switch (keyword) {
      case Keyword::kHttpUrl:
      case Keyword::kHttpMethod:
      case Keyword::kHttpUserAgent:
      case Keyword::kHttpClientIp:
        return AddHttp(keyword, subject, match);
      case Keyword::kName:
      case Keyword::kType:
      case Keyword::kAccountId:
        return AddIdentity(keyword, subject, match);
      case Keyword::kMessage:
        if (subject.exception != nullptr) match.Add(std::string_view(subject.exception->message));
        return;
      default:
        break;
    }
    if (subject.scope == Scope::kTrace) AddTraceFacts(keyword, match);
    if (subject.scope == Scope::kService) AddSegmentFacts(keyword, EntityAt(subject.entity), match);
  }

  void AddHttp(Keyword keyword, const Subject& subject, StringMatch& match) const {
    const model::HttpFields* http = Http(subject);
    if (http == nullptr) return;
    if (keyword == Keyword::kHttpUrl) match.Add(http->url);
    if (keyword == Keyword::kHttpMethod) match.Add(http->method);
    if (subject.scope == Scope::kEdge) return;
    if (keyword == Keyword::kHttpUserAgent) match.Add(http->user_agent);
    if (keyword == Keyword::kHttpClientIp) match.Add(http->client_ip);
  }

  /// A service always has a name and a type (which may be ""); the account is absent if unknown.
  void AddIdentity(Keyword keyword, const Subject& subject, StringMatch& match) const {
    if (keyword == Keyword::kName) {
      if (subject.service != nullptr) {
        for (const auto& name : subject.service->names) match.Add(std::string_view(name));
      }
      if (subject.path_entity != nullptr) match.Add(std::string_view(subject.path_entity->name));
      if (subject.exception != nullptr) match.Add(std::string_view(subject.exception->name));
    }
    if (subject.service != nullptr && keyword == Keyword::kType)
      match.Add(std::string_view(subject.service->type));
    if (subject.service != nullptr && keyword == Keyword::kAccountId) {
      match.AddUnlessEmpty(subject.service->account_id);
    }
    if (subject.scope == Scope::kTrace && keyword == Keyword::kAccountId) {
      for (const ServiceNode& node : trace_.services) match.AddUnlessEmpty(node.key.account_id);
      return;
    }
    const ServiceNode* node = subject.node;
    if (subject.scope == Scope::kTrace && view_.summary().entry_point >= 0) {
      node = &NodeAt(view_.summary().entry_point);
    }
    if (node == nullptr) return;
    if (keyword == Keyword::kName) match.Add(std::string_view(node->key.name));
    if (keyword == Keyword::kType) match.Add(std::string_view(node->key.type));
    if (keyword == Keyword::kAccountId) match.AddUnlessEmpty(node->key.account_id);
  }

  void AddTraceFacts(Keyword keyword, StringMatch& match) const {
    const model::TraceSummary& summary = view_.summary();
    const auto add_all = [&](const std::vector<std::string>& values) {
      for (const auto& value : values) match.Add(std::string_view(value));
    };
    if (keyword == Keyword::kUser) {
      for (const auto& user : summary.users) match.Add(std::string_view(user.name));
    }
    if (keyword == Keyword::kAvailabilityZone) add_all(summary.availability_zones);
    if (keyword == Keyword::kInstanceId) add_all(summary.instance_ids);
    if (keyword == Keyword::kResourceArn) add_all(summary.resource_arns);
  }

  static void AddSegmentFacts(Keyword keyword, const Entity& segment, StringMatch& match) {
    if (keyword == Keyword::kUser) match.AddUnlessEmpty(segment.user);
    if (keyword == Keyword::kAvailabilityZone) match.AddUnlessEmpty(segment.availability_zone);
    if (keyword == Keyword::kInstanceId) match.AddUnlessEmpty(segment.instance_id);
    if (keyword == Keyword::kResourceArn) match.AddUnlessEmpty(segment.resource_arn);
  }

  // Annotations.

  bool Test(const AnnotationTest& test, const Subject& subject) {
    AnnotationMatch match(test.op, test.literal, fold_case_);
    const KeyToFind key{.name = test.key, .canonical = genai::IsCanonicalField(test.key)};
    if (subject.scope == Scope::kTrace) {
      for (const Span& span : trace_.trace->spans) {
        AddAnnotation(span, key, match);
        if (match.decided()) break;
      }
    } else if (subject.entity >= 0) {
      AddEntityAnnotations(subject.entity, key, match);
    }
    return match.Holds();
  }

  struct KeyToFind {
    std::string_view name;
    bool canonical = false;  ///< a GenAI field
  };

  /// Of a segment with its own subsegments; of a document that was sent as inferred with the call
  /// it stands for; of anything else alone.
  void AddEntityAnnotations(std::int32_t index, const KeyToFind& key,
                            AnnotationMatch& match) const {
    AddAnnotation(*EntityAt(index).span, key, match);
    if (EntityAt(index).role != EntityRole::kSegment) return;
    if (IsInferred(EntityAt(index)) && EntityAt(index).parent >= 0) {
      AddAnnotation(*EntityAt(EntityAt(index).parent).span, key, match);
    }
    std::vector<std::int32_t> open = EntityAt(index).children;
    while (!open.empty() && !match.decided()) {
      const Entity& entity = EntityAt(open.back());
      open.pop_back();
      if (entity.IsSegment()) continue;
      AddAnnotation(*entity.span, key, match);
      open.insert(open.end(), entity.children.begin(), entity.children.end());
    }
  }

  /// The one value a span has under a key: its annotation, else the canonical GenAI field, else
  /// (not for X-Ray documents) its attribute, else its resource's.
  void AddAnnotation(const Span& span, const KeyToFind& key, AnnotationMatch& match) const {
    if (AddSentAnnotation(span, key.name, match)) return;
    if (key.canonical) {
      if (const auto value = genai::CanonicalField(span, key.name)) return match.Add(*value);
    }
    if (span.source == model::SpanSource::kXRay) return;
    if (const auto* value = span.Find(key.name); IsScalar(value)) return match.Add(*value);
    if (const auto* value = span.resource->Find(key.name); IsScalar(value)) match.Add(*value);
  }

  bool AddSentAnnotation(const Span& span, std::string_view key, AnnotationMatch& match) const {
    if (const auto* value = span.FindAnnotation(key); IsScalar(value)) {
      if (span.source == model::SpanSource::kXRay && !IsIndexed(key)) return false;
      match.Add(*value);
      return true;
    }
    if (span.source == model::SpanSource::kXRay || span.Find("aws.xray.annotations") == nullptr)
      return false;
    // Keys listed by an OpenTelemetry SDK are known under their X-Ray spelling too.
    for (const model::KeyValue& annotation : model::AnnotationsOf(span)) {
      if (annotation.key != key) continue;
      match.Add(annotation.value);
      return true;
    }
    return false;
  }

  /// X-Ray indexes a bounded number of annotation keys a trace.
  [[nodiscard]] bool IsIndexed(std::string_view key) const {
    const auto& annotations = view_.summary().annotations;
    return annotations.size() < model::kIndexedAnnotationsMax ||
           annotations.contains(std::string(key));
  }

  // Services and edges.

  bool Test(const ServiceTest& test, const Subject&) {
    for (std::size_t i = 0; i < trace_.entities.size(); ++i) {
      const Entity& entity = trace_.entities[i];
      if (!entity.IsSegment() || entity.service < 0) continue;
      const ServiceNode& node = NodeAt(entity.service);
      if (test.selector.Matches(node.key) && SegmentHolds(test, static_cast<std::int32_t>(i), node))
        return true;
    }
    return std::ranges::any_of(trace_.calls, [&](const Call& call) {
      const ServiceNode& from = NodeAt(call.from);
      return from.client && test.selector.Matches(from.key) &&
             SegmentHolds(test, call.callee_entity, from);
    });
  }

  bool SegmentHolds(const ServiceTest& test, std::int32_t segment, const ServiceNode& node) {
    Subject subject;
    subject.scope = Scope::kService;
    subject.entity = segment;
    subject.node = &node;
    return BlockHolds(test.block, subject);
  }

  bool Test(const EdgeTest& test, const Subject&) {
    return std::ranges::any_of(trace_.calls, [&](const Call& call) {
      if (!test.from.Matches(NodeAt(call.from).key) || !test.to.Matches(NodeAt(call.to).key))
        return false;
      Subject subject;
      subject.scope = Scope::kEdge;
      subject.entity = call.caller_entity >= 0 ? call.caller_entity : call.callee_entity;
      subject.callee = call.callee_entity;
      subject.node = &NodeAt(call.to);
      return BlockHolds(test.block, subject);
    });
  }

  // Root causes.

  [[nodiscard]] const std::vector<model::RootCause>& Causes(CauseKind kind) const {
    const model::RootCauses& causes = view_.root_causes();
    if (kind == CauseKind::kResponseTime) return causes.response_time;
    return kind == CauseKind::kFault ? causes.fault : causes.error;
  }

  bool Test(const CauseTest& test, const Subject&) {
    return std::ranges::any_of(Causes(test.kind), [&](const model::RootCause& cause) {
      std::vector<Subject> list = Flatten(cause, test.list);
      for (std::size_t i = 0; i < list.size(); ++i) {
        list[i].index = i;
        list[i].count = list.size();
        if (BlockHolds(test.block, list[i])) return true;
      }
      return false;
    });
  }

  static std::vector<Subject> Flatten(const model::RootCause& cause, CauseList kind) {
    std::vector<Subject> list;
    for (const auto& service : cause.services) {
      if (kind == CauseList::kService) {
        list.emplace_back().scope = Scope::kCauseService;
        list.back().service = &service;
        continue;
      }
      for (const auto& entity : service.entity_path) {
        if (kind == CauseList::kEntity) {
          list.emplace_back().scope = Scope::kCauseEntity;
          list.back().path_entity = &entity;
          continue;
        }
        for (const auto& exception : entity.exceptions) {
          list.emplace_back().scope = Scope::kCauseException;
          list.back().exception = &exception;
        }
      }
    }
    return list;
  }

  bool Test(const CauseJsonTest& test, const Subject&) {
    std::vector<JsonPattern> causes;
    for (const auto kind : {CauseKind::kFault, CauseKind::kError, CauseKind::kResponseTime}) {
      for (const auto& cause : Causes(kind)) causes.push_back(ToJson(cause));
    }
    const auto& patterns = std::get<JsonPattern::Array>(test.pattern.value);
    const bool all = std::ranges::all_of(patterns, [&](const JsonPattern& pattern) {
      return std::ranges::any_of(
          causes, [&](const JsonPattern& cause) { return JsonMatches(pattern, cause); });
    });
    return all != test.negated;
  }

  const TraceView& view_;
  const AssembledTrace& trace_;
  bool fold_case_;
};

}  // namespace

bool Evaluate(const Expression& expression, const TraceView& trace, bool fold_case) {
  return Evaluator(trace, fold_case).Holds(expression, Subject{});
}

}  // namespace fluoro::query
