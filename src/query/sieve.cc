#include "query/sieve.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "genai/fields.h"
#include "genai/step.h"
#include "model/attribute_reader.h"
#include "model/entity.h"
#include "model/fact_sources.h"
#include "query/value_match.h"

namespace fluoro::query {

using model::AttributeValue;

namespace {

// Names are cut to 200 code points; a longer text may give the name by its beginning.
constexpr std::size_t kNameBytesWhole = 200;

bool Contains(const std::vector<std::string>& keys, std::string_view key) {
  return std::ranges::find(keys, key) != keys.end();
}

bool IsScalar(const AttributeValue& value) {
  return value.AsString() != nullptr || value.AsBool() != nullptr || value.AsInt() != nullptr ||
         value.AsDouble() != nullptr;
}

template <std::size_t kCount>
std::vector<std::string> Keys(const std::array<std::string_view, kCount>& keys) {
  return {keys.begin(), keys.end()};
}

}  // namespace

ValueTest::ValueTest(Reading reading, Operator op, Literal literal, bool fold_case,
                     genai::Form form)
    : reading_(reading),
      op_(op),
      literal_(std::move(literal)),
      fold_case_(fold_case),
      form_(form) {}

bool ValueTest::Text(std::string_view text) const {
  switch (reading_) {
    case Reading::kName:
      return Name(text);
    case Reading::kText: {
      if (text.empty()) return true;  // another key may be read in its place
      StringMatch match(op_, literal_, fold_case_);
      match.Add(text);
      return match.hit();
    }
    case Reading::kAnnotation:
      if (!std::holds_alternative<std::string>(literal_)) return op_ == Operator::kPresent;
      {
        StringMatch match(op_, literal_, fold_case_);
        match.Add(text);
        return match.hit();
      }
    case Reading::kField:
    case Reading::kWhole:
      break;
  }
  return Value(AttributeValue{std::string(text)});
}

std::optional<ValueTest::Bytes> ValueTest::AsBytes() const {
  const auto* text = std::get_if<std::string>(&literal_);
  if (text == nullptr || fold_case_ || (op_ != Operator::kEqual && op_ != Operator::kContains))
    return std::nullopt;
  if (reading_ != Reading::kAnnotation && reading_ != Reading::kText) return std::nullopt;
  return Bytes{
      .text = *text, .is_whole = op_ == Operator::kEqual, .or_empty = reading_ == Reading::kText};
}

bool ValueTest::MayHoldOfTexts() const {
  return reading_ != Reading::kAnnotation || op_ == Operator::kPresent ||
         op_ == Operator::kNotEqual || std::holds_alternative<std::string>(literal_);
}

bool ValueTest::MayHoldBetween(double least, double greatest, bool is_whole) const {
  const bool is_compared =
      reading_ == Reading::kAnnotation || (reading_ == Reading::kWhole && is_whole);
  if (!is_compared || op_ == Operator::kPresent || op_ == Operator::kNotEqual) return true;
  const auto* literal = std::get_if<double>(&literal_);
  if (literal == nullptr) return reading_ != Reading::kAnnotation;
  if (op_ == Operator::kEqual) return least <= *literal && *literal <= greatest;
  return CompareNumbers(least, op_, *literal) || CompareNumbers(greatest, op_, *literal);
}

bool ValueTest::Value(const AttributeValue& value) const {
  if (!IsScalar(value)) return reading_ != Reading::kAnnotation;  // seldom: let the filter decide
  const auto annotation_holds = [this](const AttributeValue& of) {
    AnnotationMatch match(op_, literal_, fold_case_);
    match.Add(of);
    return match.Holds();
  };
  switch (reading_) {
    case Reading::kAnnotation:
      return annotation_holds(value);
    case Reading::kField: {
      if (annotation_holds(value)) return true;
      const auto coerced = genai::Coerce(value, form_);
      return coerced && annotation_holds(*coerced);
    }
    case Reading::kWhole: {
      const auto number = model::ScalarInteger(value);
      return number &&
             CompareNumbers(static_cast<double>(*number), op_, std::get<double>(literal_));
    }
    case Reading::kText:
    case Reading::kName:
      break;
  }
  if (const std::string* text = value.AsString()) return Text(*text);
  return Text(model::ScalarText(value));
}

// A name is a text without the characters that X-Ray does not allow: all of it, a database in front
// of `@` and its host, the part behind an SDK's prefix, the service in front of the last `/`.
bool ValueTest::Name(std::string_view text) const {
  const std::string_view wanted = std::get<std::string>(literal_);
  if (text == wanted || text.size() >= kNameBytesWhole) return true;
  const std::string name = model::CleanName(text);
  const auto continues = [](std::string_view whole, std::string_view begin, char with) {
    return whole.size() > begin.size() && whole.starts_with(begin) && whole[begin.size()] == with;
  };
  return name == wanted || continues(wanted, name, '@') || continues(name, wanted, '/') ||
         name == std::string("AWS.SDK.").append(wanted) ||
         name == std::string("AWS::").append(wanted);
}

std::string ValueTest::Print() const {
  static constexpr std::string_view kOperators[] = {
      "", " =", " !=", " <", " <=", " >", " >=", " CONTAINS", " BEGINSWITH", " ENDSWITH"};
  std::string out(reading_ == Reading::kName ? " names" : kOperators[std::to_underlying(op_)]);
  if (const auto* text = std::get_if<std::string>(&literal_)) return out + " \"" + *text + "\"";
  if (const auto* flag = std::get_if<bool>(&literal_)) return out + (*flag ? " true" : " false");
  if (const auto* number = std::get_if<double>(&literal_)) {
    return out + " " + model::ScalarText(AttributeValue{*number});
  }
  return out;
}

bool AttributeProbe::ReadsSpanKey(std::string_view key) const {
  if (Contains(span_keys, key)) return true;
  return !annotation_key.empty() &&
         (key == annotation_key || model::AnnotationKey(key) == annotation_key);
}

bool AttributeProbe::ReadsResourceKey(std::string_view key) const {
  if (Contains(resource_keys, key)) return true;
  return !annotation_key.empty() &&
         (key == annotation_key || model::AnnotationKeyOfResource(key) == annotation_key);
}

bool DocumentProbe::Holds(std::string_view document) const {
  for (const std::string& text : texts) {
    const std::size_t at = document.find(text);
    if (at == std::string_view::npos) return false;
    document.remove_prefix(at + text.size());
  }
  return true;
}

bool PresenceProbe::IsPlainScalar(model::AttributeType type, model::AttributeRole role) {
  using model::AttributeType;
  return role == model::AttributeRole::kPlain &&
         (type == AttributeType::kString || type == AttributeType::kBool ||
          type == AttributeType::kInt || type == AttributeType::kDouble);
}

/// Turns expressions into nodes; what it does not know passes all.
class SieveBuilder {
 public:
  SieveBuilder(Sieve& sieve, bool fold_case) : sieve_(sieve), fold_case_(fold_case) {}

  using Node = Sieve::Node;

  Node Make(const Expression& expression) {
    return std::visit([this](const auto& node) { return this->MakeFrom(node); }, expression.node);
  }

 private:
  static Node All() { return {}; }

  Node Add(Probe probe) {
    if (sieve_.probes_.size() >= Sieve::kProbesMax) return All();
    sieve_.probes_.push_back(std::move(probe));
    return {.kind = Node::Kind::kProbe, .probe = sieve_.probes_.size() - 1, .operands = {}};
  }

  static Node Combine(Node::Kind kind, std::vector<Node> operands) {
    const auto passes_all = [](const Node& node) { return node.kind == Node::Kind::kAll; };
    if (kind == Node::Kind::kAnd) {
      std::erase_if(operands, passes_all);
    } else if (std::ranges::any_of(operands, passes_all)) {
      return All();
    }
    if (operands.empty()) return All();
    if (operands.size() == 1) return std::move(operands.front());
    return {.kind = kind, .probe = 0, .operands = std::move(operands)};
  }
  template <class... Nodes>
  static Node Both(Nodes... nodes) {
    std::vector<Node> operands;
    (operands.push_back(std::move(nodes)), ...);
    return Combine(Node::Kind::kAnd, std::move(operands));
  }
  template <class... Nodes>
  static Node Either(Nodes... nodes) {
    std::vector<Node> operands;
    (operands.push_back(std::move(nodes)), ...);
    return Combine(Node::Kind::kOr, std::move(operands));
  }

  Node MakeAll(Node::Kind kind, const std::vector<Expression>& expressions) {
    std::vector<Node> operands;
    operands.reserve(expressions.size());
    for (const Expression& expression : expressions) operands.push_back(Make(expression));
    return Combine(kind, std::move(operands));
  }
  Node MakeBlock(const std::unique_ptr<Expression>& block) { return block ? Make(*block) : All(); }

  Node MakeFrom(const AndExpression& node) { return MakeAll(Node::Kind::kAnd, node.operands); }
  Node MakeFrom(const OrExpression& node) { return MakeAll(Node::Kind::kOr, node.operands); }
  static Node MakeFrom(const NotExpression&) { return All(); }
  static Node MakeFrom(const CauseTest&) { return All(); }
  static Node MakeFrom(const CauseJsonTest&) { return All(); }
  Node MakeFrom(const GroupTest& test) { return test.negated ? All() : MakeBlock(test.body); }
  Node MakeFrom(const ServiceTest& test) {
    return Both(ServiceNode(test.selector), MakeBlock(test.block));
  }
  Node MakeFrom(const EdgeTest& test) {
    return Both(ServiceNode(test.from), ServiceNode(test.to), MakeBlock(test.block));
  }

  Node ServiceNode(const EntitySelector::Node& selector) {
    return selector.name ? ServiceName(*selector.name) : All();
  }

  Node ServiceName(const std::string& name) {
    if (name.empty() || name.size() >= kNameBytesWhole ||
        std::ranges::find(model::kFixedServiceNames, name) != model::kFixedServiceNames.end()) {
      return All();
    }
    const ValueTest test(ValueTest::Reading::kName, Operator::kEqual, name, false);
    return Either(Add(NameProbe{test}),
                  Add(AttributeProbe{.span_keys = Keys(model::kServiceNameKeys),
                                     .resource_keys = Keys(model::kServiceNameResourceKeys),
                                     .annotation_key = {},
                                     .test = test}));
  }

  Node MakeFrom(const AnnotationTest& test) {
    if (test.op == Operator::kNotEqual) return All();
    if (genai::IsCanonicalField(test.key)) return Field(test);
    return Add(AttributeProbe{
        .span_keys = {},
        .resource_keys = {},
        .annotation_key = test.key,
        .test = {ValueTest::Reading::kAnnotation, test.op, test.literal, fold_case_}});
  }

  // As genai::CanonicalField looks for it.
  Node Field(const AnnotationTest& test) {
    const auto fields = genai::Fields();
    const auto field = std::ranges::find(fields, std::string_view(test.key), &genai::Field::name);
    if (field == fields.end() || field->derive != nullptr || field->finish != nullptr) return All();
    AttributeProbe probe{
        .span_keys = {},
        .resource_keys = {field->resource.begin(), field->resource.end()},
        .annotation_key = test.key,
        .test = {ValueTest::Reading::kField, test.op, test.literal, fold_case_, field->form}};
    PresenceProbe parts;
    for (const genai::Source& source : field->sources) {
      auto& keys = source.reading == genai::Reading::kValue ? probe.span_keys : parts.any_of;
      keys.emplace_back(source.key);
    }
    std::vector<Node> either;
    either.push_back(Add(std::move(probe)));
    if (!parts.any_of.empty()) either.push_back(Add(std::move(parts)));
    // The metadata of X-Ray documents is no attribute.
    either.push_back(Add(DocumentProbe{{"\"metadata\"", "\"" + test.key + "\""}}));
    return Combine(Node::Kind::kOr, std::move(either));
  }

  Node MakeFrom(const KeywordTest& test) {
    switch (TypeOf(test.keyword)) {
      case KeywordType::kBoolean:
        return Boolean(test);
      case KeywordType::kNumber:
        return Number(test);
      case KeywordType::kString:
        return String(test);
    }
    return All();
  }

  Node Boolean(const KeywordTest& test) {
    const bool wanted = test.op == Operator::kPresent ||
                        std::get<bool>(test.literal) == (test.op == Operator::kEqual);
    if (!wanted) return All();
    switch (test.keyword) {
      case Keyword::kFault:
        return Either(Add(FlagProbe{model::SpanFlag::kFault}), Add(StatusProbe{}),
                      IsTrue("aws.xray.fault"), Status(Operator::kGreaterEqual, 500));
      case Keyword::kError:
        return Either(Add(FlagProbe{model::SpanFlag::kError}), IsTrue("aws.xray.error"),
                      Status(Operator::kGreaterEqual, 400));
      case Keyword::kThrottle:
        return Either(Add(FlagProbe{model::SpanFlag::kThrottle}), IsTrue("aws.xray.throttle"),
                      Status(Operator::kEqual, 429));
      case Keyword::kPartial:
        return Either(Add(FlagProbe{model::SpanFlag::kInProgress}), IsTrue("aws.xray.inprogress"));
      default:
        return All();
    }
  }

  Node IsTrue(std::string key) {
    return Add(
        AttributeProbe{.span_keys = {std::move(key)},
                       .resource_keys = {},
                       .annotation_key = {},
                       .test = {ValueTest::Reading::kAnnotation, Operator::kEqual, true, false}});
  }

  Node Status(Operator op, double literal) {
    return Add(AttributeProbe{.span_keys = Keys(model::kStatusKeys),
                              .resource_keys = {},
                              .annotation_key = {},
                              .test = {ValueTest::Reading::kWhole, op, literal, false}});
  }

  Node Number(const KeywordTest& test) {
    if (test.op == Operator::kPresent) return All();
    const double literal = std::get<double>(test.literal);
    if (test.keyword == Keyword::kHttpStatus) return Status(test.op, literal);
    const bool is_time =
        test.keyword == Keyword::kResponseTime || test.keyword == Keyword::kDuration;
    const bool from_below = test.op == Operator::kEqual || test.op == Operator::kGreater ||
                            test.op == Operator::kGreaterEqual;
    if (!is_time || !from_below) return All();
    return Add(ExtentProbe{std::round(literal * 1e6)});
  }

  Node String(const KeywordTest& test) {
    if (test.op == Operator::kNotEqual || test.op == Operator::kPresent) return All();
    const ValueTest value(ValueTest::Reading::kText, test.op, test.literal, fold_case_);
    const auto on_span = [&](std::vector<std::string> keys) {
      return Add(AttributeProbe{
          .span_keys = std::move(keys), .resource_keys = {}, .annotation_key = {}, .test = value});
    };
    const auto on_resource = [&](std::vector<std::string> keys) {
      return Add(AttributeProbe{
          .span_keys = {}, .resource_keys = std::move(keys), .annotation_key = {}, .test = value});
    };
    switch (test.keyword) {
      case Keyword::kHttpUrl:
        return Either(on_span(Keys(model::kUrlKeys)),
                      Add(PresenceProbe{.any_of = Keys(model::kHostKeys),
                                        .and_any_of = Keys(model::kHttpKeys),
                                        .none_of = Keys(model::kUrlKeys)}));
      case Keyword::kHttpMethod:
        return on_span(Keys(model::kMethodKeys));
      case Keyword::kHttpUserAgent:
        return on_span(Keys(model::kUserAgentKeys));
      case Keyword::kHttpClientIp:
        return on_span(Keys(model::kClientIpKeys));
      case Keyword::kUser:
        return on_span(Keys(model::kUserKeys));
      case Keyword::kAvailabilityZone:
        return on_resource(Keys(model::kAvailabilityZoneResourceKeys));
      case Keyword::kInstanceId:
        return on_resource(Keys(model::kInstanceIdResourceKeys));
      case Keyword::kResourceArn:
        return on_resource(Keys(model::kArnResourceKeys));
      case Keyword::kName:
        if (test.op != Operator::kEqual || fold_case_) return All();
        return ServiceName(std::get<std::string>(test.literal));
      default:
        return All();
    }
  }

  Sieve& sieve_;
  bool fold_case_;
};

Sieve Sieve::Of(const Filter& filter) {
  Sieve sieve;
  if (filter.root() != nullptr) {
    sieve.root_ = SieveBuilder(sieve, filter.case_insensitive()).Make(*filter.root());
  }
  return sieve;
}

bool Sieve::Passes(const Node& node, const std::vector<bool>& holds) {
  const auto passes = [&holds](const Node& operand) { return Passes(operand, holds); };
  switch (node.kind) {
    case Node::Kind::kAll:
      return true;
    case Node::Kind::kAnd:
      return std::ranges::all_of(node.operands, passes);
    case Node::Kind::kOr:
      return std::ranges::any_of(node.operands, passes);
    case Node::Kind::kProbe:
      return holds[node.probe];
  }
  return true;
}

namespace {

std::string PrintKeys(const std::vector<std::string>& keys) {
  std::string out;
  for (const std::string& key : keys) out += (out.empty() ? "" : "|") + key;
  return out;
}

struct ProbePrinter {
  std::string operator()(const AttributeProbe& probe) const {
    std::vector<std::string> keys = probe.span_keys;
    for (const std::string& key : probe.resource_keys) keys.push_back("resource." + key);
    if (!probe.annotation_key.empty()) keys.insert(keys.begin(), probe.annotation_key);
    return PrintKeys(keys) + probe.test.Print();
  }
  std::string operator()(const PresenceProbe& probe) const {
    const std::string without = probe.none_of.empty() ? "" : " without " + PrintKeys(probe.none_of);
    const std::string with = probe.and_any_of.empty() ? "" : " with " + PrintKeys(probe.and_any_of);
    return "has " + PrintKeys(probe.any_of) + with + without;
  }
  std::string operator()(const NameProbe& probe) const { return "span name" + probe.test.Print(); }
  std::string operator()(const FlagProbe& probe) const {
    for (const auto& [bit, name] : {std::pair{model::SpanFlag::kFault, "fault"},
                                    {model::SpanFlag::kError, "error"},
                                    {model::SpanFlag::kThrottle, "throttle"},
                                    {model::SpanFlag::kInProgress, "in progress"}}) {
      if (probe.mask == bit) return std::string("flag ") + name;
    }
    return "flags " + std::to_string(probe.mask);
  }
  std::string operator()(const StatusProbe&) const { return "status ERROR"; }
  std::string operator()(const DocumentProbe& probe) const {
    return "document CONTAINS " + PrintKeys(probe.texts);
  }
  std::string operator()(const ExtentProbe& probe) const {
    return "trace lasts " + model::ScalarText(AttributeValue{probe.us_min / 1e6}) + " s";
  }
};

}  // namespace

std::string Sieve::Print(const Node& node) const {
  if (node.kind == Node::Kind::kAll) return "everything";
  if (node.kind == Node::Kind::kProbe) return std::visit(ProbePrinter{}, probes_[node.probe]);
  std::string out;
  for (const Node& operand : node.operands) {
    if (!out.empty()) out += node.kind == Node::Kind::kAnd ? " and " : " or ";
    out += operand.operands.empty() ? Print(operand) : "(" + Print(operand) + ")";
  }
  return out;
}

std::string Sieve::Print() const { return Print(root_); }

void HoldByExtent(const Sieve& sieve, std::int64_t start_ns, std::int64_t end_ns,
                  std::vector<bool>& holds) {
  for (std::size_t i = 0; i < sieve.probes().size(); ++i) {
    if (const auto* probe = std::get_if<ExtentProbe>(&sieve.probes()[i])) {
      const double extent_us = (static_cast<double>(end_ns) - static_cast<double>(start_ns)) / 1e3;
      // Doubles of such size are whole microseconds apart at most.
      if (extent_us + 2 >= probe->us_min) holds[i] = true;
    }
  }
}

BatchSieve::BatchSieve(const Sieve& sieve, const model::SpanBatch& batch)
    : sieve_(sieve), batch_(batch), uses_(sieve.probes().size()) {
  for (std::size_t i = 0; i < uses_.size(); ++i) {
    const auto* attribute = std::get_if<AttributeProbe>(&sieve.probes()[i]);
    const auto* presence = std::get_if<PresenceProbe>(&sieve.probes()[i]);
    if (attribute == nullptr && presence == nullptr) continue;
    uses_[i].resize(batch.keys.size());
    for (std::uint32_t key = 0; key < batch.keys.size(); ++key) {
      const std::string_view text = batch.Key(key);
      KeyUse& use = uses_[i][key];
      if (attribute != nullptr) {
        use.span = attribute->ReadsSpanKey(text);
        use.resource = attribute->ReadsResourceKey(text);
      } else {
        use.span = Contains(presence->any_of, text);
        use.and_any_of = presence->and_any_of.empty() || Contains(presence->and_any_of, text);
        use.none_of = Contains(presence->none_of, text);
      }
    }
  }
}

void BatchSieve::Hold(std::uint32_t span, std::vector<bool>& holds) {
  for (std::size_t i = 0; i < holds.size(); ++i) {
    if (!holds[i] && Holds(i, span)) holds[i] = true;
  }
}

bool BatchSieve::AnyAttribute(std::size_t probe, model::Range range, bool KeyUse::* use,
                              const ValueTest& test) const {
  for (std::uint32_t i = range.begin; i < range.end; ++i) {
    const model::AttributeCell& cell = batch_.attributes[i];
    if (!(uses_[probe][cell.key].*use)) continue;
    if (cell.type == model::AttributeType::kString ? test.Text(batch_.Text(cell.text()))
                                                   : test.Value(batch_.ValueOf(cell))) {
      return true;
    }
  }
  return false;
}

bool BatchSieve::Holds(std::size_t probe, std::uint32_t span) {
  const Probe& any = sieve_.probes()[probe];
  if (const auto* attribute = std::get_if<AttributeProbe>(&any)) {
    return AnyAttribute(probe, batch_.span_attributes[span], &KeyUse::span, attribute->test) ||
           AnyAttribute(probe, batch_.resource_rows[batch_.resources[span]].attributes,
                        &KeyUse::resource, attribute->test);
  }
  if (std::holds_alternative<PresenceProbe>(any)) {
    bool has = false;
    bool has_other = false;
    for (std::uint32_t i = batch_.span_attributes[span].begin; i < batch_.span_attributes[span].end;
         ++i) {
      const model::AttributeCell& cell = batch_.attributes[i];
      const KeyUse use = uses_[probe][cell.key];
      has = has || use.span;
      has_other = has_other || use.and_any_of;
      if (use.none_of && PresenceProbe::IsPlainScalar(cell.type, cell.role)) return false;
    }
    return has && has_other;
  }
  if (const auto* name = std::get_if<NameProbe>(&any)) {
    return name->test.Text(batch_.Text(batch_.names[span]));
  }
  if (const auto* flag = std::get_if<FlagProbe>(&any)) {
    return (batch_.flags[span] & flag->mask) != 0;
  }
  if (std::holds_alternative<StatusProbe>(any)) {
    return batch_.statuses[span] == model::StatusCode::kError;
  }
  if (const auto* document = std::get_if<DocumentProbe>(&any)) {
    return document->Holds(batch_.Text(batch_.documents[span]));
  }
  return false;  // by extent
}

}  // namespace fluoro::query
