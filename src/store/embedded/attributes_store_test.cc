// The cardinality guard in a real store: what it counts, what demotion changes and what it does
// not.
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/hex.h"
#include "query/filter.h"
#include "store/attribute_census.h"
#include "store/embedded/store_fixture_for_test.h"

namespace fluoro::store {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the suite of this module
using cardinality::Index;
using cardinality::KeyReport;
using cardinality::State;

class AttributesTest : public StoreFixture {
 protected:
  AttributesTest() : StoreFixture(1'790'000'000'000'000'000, 11) {
    options_.merge.fan_in = 3;
    options_.merge.copy_spans = 4'096;
    Open();
  }
  /// One span a trace, with these attributes.
  void Append(std::vector<model::Attribute> attributes) {
    model::Span span;
    span.trace_id = MakeTraceId(++trace_);
    span.span_id = MakeSpanId(trace_);
    span.name = "work";
    span.start_ns = clock_.UnixNs();
    span.end_ns = span.start_ns + 1'000;
    auto resource = std::make_shared<model::Resource>();
    resource->attributes.push_back({"service.name", {std::string("shop")}, {}});
    span.resource = std::move(resource);
    span.scope = std::make_shared<model::Scope>();
    span.attributes = std::move(attributes);
    batch_.AppendSpan(span);
    if (batch_.size() >= 512) Flush();
  }
  void Flush() {
    if (batch_.empty()) return;
    ASSERT_TRUE(store_->Append(std::exchange(batch_, {}), Durability::kSynced));
  }
  std::string RandomId() {
    std::array<std::uint8_t, 16> bytes{};
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(rng_.Next());
    return ToHex(bytes);
  }
  /// So many spans with an order each, in a block of their own. Their ids are added to orders_.
  void SealOrders(std::size_t count) {
    for (; count > 0; --count) {
      orders_.push_back(RandomId());
      Append({{"order", {orders_.back()}, model::AttributeRole::kAnnotation}});
    }
    Flush();
    ASSERT_TRUE(store_->SealAll());
    clock_.Advance(kNsPerSecond);
  }
  SearchResult Find(const std::string& order, std::size_t wanted) {
    query::Plan plan;
    plan.filter = *query::Filter::Parse("annotation.order = \"" + order + "\"");
    std::size_t found = 0;
    auto result = store_->Search(plan, [&](const Match&) {
      ++found;
      return true;
    });
    EXPECT_TRUE(result && result->complete);
    EXPECT_EQ(found, wanted) << order;
    return *std::move(result);
  }
  AttributeCensus& Census() { return *AttributeCensus::Of(*store_); }
  KeyReport Report(std::string_view key) {
    const auto detail = Census().Attribute(key);
    EXPECT_TRUE(detail) << key;
    return detail ? detail->report : KeyReport();
  }
  std::map<std::string, std::string> Files() {
    std::map<std::string, std::string> files;
    const auto names = fs_.List("data/blocks");
    for (const std::string& name : *names) files[name] = *ReadFile(fs_, "data/blocks/" + name);
    return files;
  }

  model::SpanBatch batch_;
  std::uint64_t trace_ = 0;
  std::vector<std::string> orders_;
};

TEST_F(AttributesTest, CountsWhatSpansCarryInBlocksAndInTheHead) {
  const std::map<std::string, std::uint64_t> values_of{{"one", 1}, {"few", 7}, {"many", 300}};
  std::map<std::string, std::map<std::string, std::uint64_t>> truth;
  for (int block = 0; block < 4; ++block) {
    for (int i = 0; i < 300; ++i) {
      std::vector<model::Attribute> attributes;
      for (const auto& [key, values] : values_of) {
        if (rng_.Chance(0.3)) continue;
        const std::string value = key + " " + std::string(1 + rng_.Below(values), 'x');
        attributes.push_back({key, {value}, {}});
        ++truth[key][value];
      }
      attributes.push_back({"size", {static_cast<std::int64_t>(rng_.Below(50))}, {}});
      Append(std::move(attributes));
    }
    Flush();
    if (block < 3) {
      ASSERT_TRUE(store_->SealAll());
    }
    clock_.Advance(kNsPerSecond);
  }
  const auto census = Census().Attributes();
  ASSERT_TRUE(census);
  std::set<std::string> keys;
  for (const KeyReport& report : census->keys) keys.insert(report.key);
  EXPECT_EQ(keys, (std::set<std::string>{"few", "many", "one", "service.name", "size"}));
  for (const auto& [key, values] : truth) {
    const auto detail = Census().Attribute(key);
    ASSERT_TRUE(detail);
    EXPECT_EQ(detail->report.distinct, values.size()) << key;
    std::uint64_t spans = 0;
    for (const auto& [value, count] : values) spans += count;
    EXPECT_EQ(detail->report.spans, spans) << key;
    EXPECT_EQ(detail->report.carriers, cardinality::kSpan);
    if (values.size() > 32) continue;
    std::map<std::string, std::uint64_t> told;
    for (const auto& entry : detail->values) told[entry.text] = entry.count;
    EXPECT_EQ(told, values) << key;
    EXPECT_EQ(detail->other_spans, 0U);
  }
  EXPECT_EQ(Report("service.name").spans, 1'200U) << "by spans, not by resources";
  EXPECT_EQ(Report("service.name").carriers, cardinality::kResource);
  EXPECT_EQ(Report("size").distinct, 50U);
  EXPECT_EQ(Census().Attribute("none").error().code, ErrorCode::kNotFound);
}

TEST_F(AttributesTest, DemotionEndsFiltersAndAnswersStayTheSame) {
  SealOrders(2'000);
  const std::uint64_t indexed = Report("order").index_bytes;
  EXPECT_GT(indexed, 2'000U);
  EXPECT_EQ(Report("order").state, State::kGuarded) << "nearly all of its values differ";
  EXPECT_EQ(Report("order").index, Index::kLookup);
  EXPECT_EQ(Report("order").carriers, cardinality::kSpan | cardinality::kAnnotation);
  EXPECT_EQ(Find(RandomId(), 0).pruned_by_filters, 1U);
  cardinality::Settings settings;
  settings.keys["order"].index = Index::kNone;
  Census().SetAttributeSettings(settings);
  SealOrders(2'000);
  EXPECT_EQ(Report("order").index_bytes, indexed) << "no filters for new values";
  EXPECT_EQ(Find(RandomId(), 0).pruned_by_filters, 1U) << "what is indexed stays so";
  settings.keys.clear();
  Census().SetAttributeSettings(settings);
  SealOrders(2'000);
  EXPECT_GT(Report("order").index_bytes, indexed * 3 / 2) << "undone";
  EXPECT_EQ(Find(RandomId(), 0).pruned_by_filters, 2U);
  for (std::size_t i = 0; i < orders_.size(); i += 97) Find(orders_[i], 1);
  // A merge writes small row groups anew, as is decided by then.
  clock_.Advance(20 * 60 * kNsPerSecond);
  ASSERT_TRUE(store_->RunMaintenance());
  EXPECT_GT(Find(RandomId(), 0).pruned_by_filters, 0U);
  for (std::size_t i = 0; i < orders_.size(); i += 97) Find(orders_[i], 1);
  Open();
  for (std::size_t i = 0; i < orders_.size(); i += 197) Find(orders_[i], 1);
}

// The same spans into a store that demotes the key and one that does not, and every question to
// both.
TEST_F(AttributesTest, AStoreThatDemotesAnswersAsOneThatDoesNot) {
  FaultyFs other_fs;
  EmbeddedOptions options = options_;
  auto other = *OpenEmbeddedStore(other_fs, clock_, metrics_, options);
  cardinality::Settings settings;
  settings.keys["order"].index = Index::kNone;
  settings.keys["few"].index = Index::kNone;
  Census().SetAttributeSettings(settings);
  std::vector<std::string> values;
  for (int block = 0; block < 5; ++block) {
    model::SpanBatch batch;
    for (int i = 0; i < 700; ++i) {
      values.push_back(rng_.Chance(0.9) ? RandomId() : "same");
      model::Span span;
      span.trace_id = MakeTraceId(++trace_);
      span.span_id = MakeSpanId(trace_);
      span.start_ns = clock_.UnixNs();
      span.end_ns = span.start_ns + 5;
      span.resource = std::make_shared<model::Resource>();
      span.scope = std::make_shared<model::Scope>();
      span.attributes = {
          {"order", {values.back()}, model::AttributeRole::kAnnotation},
          {"few", {std::string(1 + rng_.Below(5), 'y')}, model::AttributeRole::kAnnotation}};
      batch.AppendSpan(span);
    }
    model::SpanBatch copy = batch;
    ASSERT_TRUE(store_->Append(std::move(batch), Durability::kSynced));
    ASSERT_TRUE(other->Append(std::move(copy), Durability::kSynced));
    ASSERT_TRUE(store_->SealAll());
    ASSERT_TRUE(other->SealAll());
    clock_.Advance(60 * kNsPerSecond);
    if (block == 3) {
      ASSERT_TRUE(store_->RunMaintenance());
      ASSERT_TRUE(other->RunMaintenance());
    }
  }
  std::vector<std::string> questions{"annotation.few = \"yyy\"",
                                     "annotation.order = \"same\"",
                                     "annotation.order BEGINSWITH \"a\"",
                                     "annotation.order CONTAINS \"ab\" AND annotation.few = \"y\"",
                                     "!annotation.order",
                                     "annotation.few != \"y\""};
  for (int i = 0; i < 60; ++i)
    questions.push_back("annotation.order = \"" + values[rng_.Below(values.size())] + "\"");
  const auto ask = [](EmbeddedStore& store, const std::string& question) {
    query::Plan plan;
    plan.filter = *query::Filter::Parse(question);
    std::vector<std::string> ids;
    const auto result = store.Search(plan, [&](const Match& match) {
      ids.push_back(match.trace.trace->id.ToHex());
      return true;
    });
    EXPECT_TRUE(result && result->complete && result->damaged.empty());
    return ids;
  };
  std::size_t found = 0;
  for (const std::string& question : questions) {
    const auto ids = ask(*store_, question);
    found += ids.size();
    EXPECT_EQ(ids, ask(*other, question)) << question;
  }
  EXPECT_GT(found, 1'000U);
  EXPECT_EQ(Report("order").index_bytes, 0U);
  EXPECT_GT(AttributeCensus::Of(*other)->Attribute("order")->report.index_bytes, 0U);
}

TEST_F(AttributesTest, SurvivesARestartAndLosesNothingElseWithItsFile) {
  SealOrders(700);
  for (int i = 0; i < 40; ++i)
    Append({{"few", {std::string("value ") + std::to_string(i % 5)}, {}}});
  Flush();
  const auto same = [this](const KeyReport& before) {
    const KeyReport after = Report(before.key);
    EXPECT_EQ(after.distinct, before.distinct);
    EXPECT_EQ(after.spans, before.spans);
    EXPECT_EQ(after.bytes, before.bytes);
    EXPECT_EQ(after.state, before.state);
    EXPECT_EQ(after.first_seen_ns, before.first_seen_ns);
    EXPECT_EQ(after.examples.size(), before.examples.size());
  };
  const KeyReport order = Report("order");
  const KeyReport few = Report("few");
  Open();
  same(order);
  same(few);
  options_.read_only = true;
  store_.reset();
  Open();
  same(order);
  options_.read_only = false;
  store_.reset();
  const std::string file = *ReadFile(fs_, "data/ATTRIBUTES");
  ASSERT_TRUE(VerifyFolder(fs_, "data")->ok());
  const auto blocks = Files();
  for (const std::size_t bit : {3UL, 8UL * 70, 8UL * file.size() - 5}) {
    fs_.FlipBit("data/ATTRIBUTES", bit);
    EXPECT_FALSE(VerifyFolder(fs_, "data")->ok());
    Open();
    EXPECT_TRUE(Census().Attributes()->keys.empty()) << "it is as if nothing had been seen";
    Find(orders_[5], 1);
    store_.reset();
    EXPECT_EQ(Files(), blocks);
    if (*ReadFile(fs_, "data/ATTRIBUTES") != file) fs_.FlipBit("data/ATTRIBUTES", bit);
    ASSERT_EQ(*ReadFile(fs_, "data/ATTRIBUTES"), file);
  }
  ASSERT_TRUE(fs_.Remove("data/ATTRIBUTES"));
  Open();
  EXPECT_TRUE(Census().Attributes()->keys.empty());
  SealOrders(10);
  EXPECT_EQ(Report("order").distinct, 10U);
}

TEST_F(AttributesTest, ADiskThatIsFullCostsNoSpans) {
  SealOrders(300);
  fs_.FailChange(1, FaultyFs::Fault::kNoSpace, true);
  EXPECT_TRUE(Census().Attributes());
  (void)store_->RunMaintenance();
  fs_.ClearFaults();
  clock_.Advance(400 * kNsPerSecond);
  ASSERT_TRUE(store_->RunMaintenance());
  EXPECT_TRUE(fs_.Exists("data/ATTRIBUTES"));
  Find(orders_[7], 1);
}

TEST_F(AttributesTest, DeletedTextsAreForgotten) {
  SealOrders(5);
  ASSERT_FALSE(Report("order").examples.empty());
  ASSERT_EQ(*store_->Delete(std::vector{MakeTraceId(1)}), 1U);
  EXPECT_TRUE(Report("order").examples.empty());
  EXPECT_TRUE(Census().Attribute("order")->values.empty());
  ASSERT_TRUE(store_->RunMaintenance());
  EXPECT_EQ(ReadFile(fs_, "data/ATTRIBUTES")->find(orders_[0]), std::string::npos);
}

TEST_F(AttributesTest, CallsOfNewTenantsAreSummedAsOthersOnceTheyAreTooMany) {
  cardinality::Settings settings;
  settings.budgets = {{"tenant", 6}};
  Census().SetAttributeSettings(settings);
  const auto call = [this](const std::string& tenant) {
    Append({{"gen_ai.operation.name", {std::string("chat")}, {}},
            {"gen_ai.request.model", {std::string("small")}, {}},
            {"gen_ai.usage.input_tokens", {std::int64_t{7}}, {}},
            {"tenant.id", {tenant}, {}}});
  };
  const auto calls_by_tenant = [this] {
    std::map<std::string, std::int64_t> calls;
    const auto result = store_->Calls({.dimensions = rollup::kByKind | rollup::kByTenant});
    EXPECT_TRUE(result);
    for (const auto& row : result->sums.Rows()) {
      const rollup::CallSeries& series = result->sums.series()[row.series];
      if (series.kind == rollup::CallSeries::kRequest) continue;
      calls[result->sums.TextAt(series.Text(rollup::kByTenant))] += row.cell->calls;
    }
    return calls;
  };
  for (int i = 0; i < 60; ++i) call("known " + std::to_string(i % 6));
  Flush();
  ASSERT_TRUE(store_->SealAll());
  EXPECT_EQ(Report("calls/tenant").state, State::kGuarded);
  EXPECT_EQ(Report("calls/tenant").distinct, 6U);
  EXPECT_EQ(Report("calls/tenant").spans, 60U);
  EXPECT_EQ(Report("calls/model").state, State::kOk);
  std::map<std::string, std::int64_t> wanted;
  for (int i = 0; i < 6; ++i) wanted["known " + std::to_string(i)] = 10;
  EXPECT_EQ(calls_by_tenant(), wanted);
  for (int i = 0; i < 40; ++i) call(i % 4 == 0 ? "known 2" : "new " + std::to_string(i));
  Flush();
  wanted["known 2"] += 10;
  wanted["__other__"] = 30;
  EXPECT_EQ(calls_by_tenant(), wanted) << "read from spans";
  ASSERT_TRUE(store_->SealAll());
  EXPECT_EQ(calls_by_tenant(), wanted) << "and summed";
  settings.keys["calls/tenant"].index = Index::kFull;
  Census().SetAttributeSettings(settings);
  call("new 1");
  Flush();
  ASSERT_TRUE(store_->SealAll());
  wanted["new 1"] = 1;
  EXPECT_EQ(calls_by_tenant(), wanted);
}

// Every request has a tenant of its own.
TEST_F(AttributesTest, AHundredThousandTenantsAreFoundAndGroupedAsOthers) {
  constexpr std::size_t kTenants = 100'000;
  const auto name = [](std::size_t i) { return "tenant-" + std::to_string(i); };
  for (std::size_t begin = 0; begin < kTenants; begin += 10'000) {
    for (std::size_t i = begin; i < begin + 10'000; ++i)
      Append({{"tenant", {name(i)}, model::AttributeRole::kAnnotation}});
    Flush();
    ASSERT_TRUE(store_->SealAll());
    clock_.Advance(600 * kNsPerSecond);
  }
  const auto detail = Census().Attribute("tenant");
  ASSERT_TRUE(detail);
  EXPECT_EQ(detail->report.state, State::kGuarded);
  EXPECT_EQ(detail->report.spans, kTenants);
  EXPECT_NEAR(static_cast<double>(detail->report.distinct), kTenants,
              5 * detail->report.error * kTenants);
  EXPECT_EQ(detail->report.budget, 10'000U);
  std::uint64_t told = 0;
  for (const auto& value : detail->values) told += value.count;
  EXPECT_EQ(told + detail->other_spans, kTenants);
  EXPECT_GT(detail->other_spans, kTenants - 10'000);
  EXPECT_LT(Census().Attributes()->memory_bytes, 1'000'000U);
  for (std::size_t i = 0; i < kTenants; i += 7'919) {
    query::Plan plan;
    plan.filter = *query::Filter::Parse("annotation.tenant = \"" + name(i) + "\"");
    std::size_t found = 0;
    ASSERT_TRUE(store_->Search(plan, [&](const Match&) {
      ++found;
      return true;
    }));
    EXPECT_EQ(found, 1U) << name(i);
  }
}

}  // namespace
}  // namespace fluoro::store
