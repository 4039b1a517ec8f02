#include "model/root_cause.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include <xxhash.h>

namespace fluoro::model {
namespace {

constexpr std::size_t kCausesMax = 25;
// Longer paths lose their middle: the entry and the culprit matter.
constexpr std::size_t kPathEntitiesMax = 1'000;
// A child that covers less of its parent than this did not make it slow.
constexpr double kCoverageMin = 0.5;

std::string LowerCase(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

std::int64_t OverlapNs(const Entity& a, const Entity& b) {
  return std::max<std::int64_t>(0, std::min(a.end_ns, b.end_ns) - std::max(a.start_ns, b.start_ns));
}

class Finder {
 public:
  explicit Finder(const AssembledTrace& trace) : trace_(trace) {}

  RootCauses Run() {
    RootCauses causes;
    const Entity* root = trace_.Root();
    if (root == nullptr) return causes;
    causes.fault = Failures([](const Entity& e) { return e.fault; },
                            [](const Entity&) { return true; }, root->fault);
    causes.error = Failures([](const Entity& e) { return e.error || e.throttle; },
                            [](const Entity& e) { return !e.fault; }, root->error);
    causes.response_time = Slowest(*root);
    return causes;
  }

 private:
  const Entity& At(std::int32_t index) const {
    return trace_.entities[static_cast<std::size_t>(index)];
  }

  // One cause for each distinct path to a failing entity below which nothing fails.
  template <class Failing, class IsCulprit>
  std::vector<RootCause> Failures(Failing failing, IsCulprit is_culprit, bool client_impacting) {
    std::vector<bool> failing_below(trace_.entities.size(), false);
    for (const Entity& entity : trace_.entities) {
      if (!failing(entity)) continue;
      for (std::int32_t at = entity.parent; at >= 0 && !failing_below[static_cast<std::size_t>(at)];
           at = At(at).parent) {
        failing_below[static_cast<std::size_t>(at)] = true;
      }
    }
    std::vector<std::int32_t> culprits;
    std::unordered_set<std::uint64_t> paths;
    for (std::size_t i = 0; i < trace_.entities.size() && culprits.size() < kCausesMax; ++i) {
      const Entity& entity = trace_.entities[i];
      if (!failing(entity) || failing_below[i] || !is_culprit(entity)) continue;
      const auto index = static_cast<std::int32_t>(i);
      if (paths.insert(PathHash(index)).second) culprits.push_back(index);
    }
    std::vector<RootCause> causes;
    causes.reserve(culprits.size());
    for (const std::int32_t culprit : culprits) {
      causes.push_back(CauseOf(culprit, client_impacting, nullptr));
    }
    return causes;
  }

  // From the root always into the child that covers most of its parent; into all of them where they
  // tie.
  std::vector<RootCause> Slowest(const Entity& root) {
    std::vector<RootCause> causes;
    if (root.in_progress) return causes;
    std::unordered_set<std::uint64_t> paths;
    std::vector<std::int32_t> open = {trace_.root};
    while (!open.empty() && causes.size() < kCausesMax) {
      const std::int32_t at = open.back();
      open.pop_back();
      const std::vector<std::int32_t> next = CoveringChildren(at);
      if (next.empty() && paths.insert(PathHash(at)).second) {
        causes.push_back(CauseOf(at, true, &root));
      }
      open.insert(open.end(), next.rbegin(), next.rend());
    }
    return causes;
  }

  std::vector<std::int32_t> CoveringChildren(std::int32_t index) const {
    const Entity& parent = At(index);
    std::vector<std::int32_t> best;
    std::int64_t best_ns = 0;
    for (const std::int32_t child : parent.children) {
      const std::int64_t overlap_ns = OverlapNs(parent, At(child));
      if (overlap_ns > best_ns) best.clear();
      if (overlap_ns >= std::max<std::int64_t>(best_ns, 1)) {
        best_ns = overlap_ns;
        best.push_back(child);
      }
    }
    const double coverage = static_cast<double>(best_ns) /
                            static_cast<double>(std::max<std::int64_t>(parent.duration_ns(), 1));
    return coverage >= kCoverageMin ? best : std::vector<std::int32_t>{};
  }

  // Hash of the names and services on the way from the top to this entity; each is computed once.
  std::uint64_t PathHash(std::int32_t index) {
    std::vector<std::int32_t> walk;
    std::int32_t at = index;
    for (; at >= 0 && !path_hashes_.contains(at); at = At(at).parent) walk.push_back(at);
    std::uint64_t hash = at < 0 ? 0 : path_hashes_.at(at);
    for (; !walk.empty(); walk.pop_back()) {
      const Entity& entity = At(walk.back());
      hash = XXH3_64bits_withSeed(&entity.service, sizeof entity.service, hash);
      hash = XXH3_64bits_withSeed(entity.name.data(), entity.name.size(), hash);
      path_hashes_.emplace(walk.back(), hash);
    }
    return hash;
  }

  std::vector<std::int32_t> PathTo(std::int32_t index) const {
    std::vector<std::int32_t> path;
    for (; index >= 0; index = At(index).parent) path.push_back(index);
    std::reverse(path.begin(), path.end());
    if (path.size() > kPathEntitiesMax) {
      constexpr auto kHalf = static_cast<std::ptrdiff_t>(kPathEntitiesMax / 2);
      path.erase(path.begin() + kHalf, path.end() - kHalf);
    }
    return path;
  }

  // `measured_against`: the root, for causes that carry coverage in place of exceptions.
  RootCause CauseOf(std::int32_t culprit, bool client_impacting, const Entity* measured_against) {
    RootCause cause{.services = {}, .client_impacting = client_impacting};
    std::int32_t segment = -2;
    for (const std::int32_t index : PathTo(culprit)) {
      const Entity& entity = At(index);
      if (entity.segment != segment) {
        segment = entity.segment;
        cause.services.push_back(ServiceOf(entity));
      }
      RootCauseEntity step{.name = entity.name,
                           .exceptions = {},
                           .coverage = std::nullopt,
                           .remote = !entity.name_space.empty()};
      if (measured_against == nullptr) {
        step.exceptions = ExceptionsOf(entity);
      } else {
        step.coverage = Coverage(entity, *measured_against);
      }
      cause.services.back().entity_path.push_back(std::move(step));
    }
    return cause;
  }

  static double Coverage(const Entity& entity, const Entity& root) {
    if (root.duration_ns() == 0) return 1;
    return static_cast<double>(OverlapNs(entity, root)) / static_cast<double>(root.duration_ns());
  }

  RootCauseService ServiceOf(const Entity& entity) const {
    RootCauseService service;
    if (entity.segment < 0) {  // the segment of an orphan never came: the orphan stands for it
      service.name = entity.name;
    } else {
      const ServiceNode& node =
          trace_.services[static_cast<std::size_t>(At(entity.segment).service)];
      service.name = node.key.name;
      service.type = node.key.type;
      service.account_id = node.key.account_id;
      service.inferred = node.inferred;
    }
    service.names = {service.name};
    return service;
  }

  std::vector<RootCauseException> ExceptionsOf(const Entity& entity) {
    std::vector<RootCauseException> exceptions;
    exceptions.reserve(entity.exceptions.size());
    for (const ExceptionFields& exception : entity.exceptions) {
      exceptions.push_back({exception.type, exception.message});
    }
    if (exceptions.empty() && !entity.cause_reference.empty()) {
      if (const ExceptionFields* exception = Resolve(entity.cause_reference)) {
        exceptions.push_back({exception->type, exception->message});
      }
    }
    return exceptions;
  }

  // A reference names an exception, or (Node.js) the subsegment whose last exception is meant.
  const ExceptionFields* Resolve(const std::string& reference) {
    if (!exceptions_indexed_) {
      exceptions_indexed_ = true;
      for (const Entity& entity : trace_.entities) {
        if (entity.role == EntityRole::kInferred) continue;
        for (const ExceptionFields& exception : entity.exceptions) {
          if (!exception.id.empty()) exceptions_.try_emplace(LowerCase(exception.id), &exception);
        }
      }
    }
    if (const auto found = exceptions_.find(LowerCase(reference)); found != exceptions_.end()) {
      return found->second;
    }
    const auto id = SpanId::Parse(reference);
    const std::int32_t holder = id ? trace_.Find(*id) : -1;
    if (holder < 0 || At(holder).exceptions.empty()) return nullptr;
    return &At(holder).exceptions.back();
  }

  const AssembledTrace& trace_;
  std::unordered_map<std::int32_t, std::uint64_t> path_hashes_;
  std::unordered_map<std::string, const ExceptionFields*> exceptions_;
  bool exceptions_indexed_ = false;
};

}  // namespace

RootCauses FindRootCauses(const AssembledTrace& trace) { return Finder(trace).Run(); }

}  // namespace fluoro::model
