#include "auth/gatekeeper.h"

#include <fmt/format.h>

#include <map>

#include "auth/digest.h"
#include "auth/managed_policies.h"
#include "auth/records.h"
#include "base/log.h"

namespace fluoro::auth {
namespace {

std::shared_ptr<const Policy> Parsed(std::string_view what, std::string_view document) {
  auto policy = Policy::Parse(document);
  if (policy) return std::make_shared<const Policy>(*std::move(policy));
  // Such a document is never stored; what cannot be read must not let anybody in.
  log::Error("policy", {{"of", std::string(what)}, {"error", policy.error().message}});
  static const auto kDenyAll = std::make_shared<const Policy>(
      *Policy::Parse(R"({"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}})"));
  return kDenyAll;
}

}  // namespace

bool IsLoopbackPeer(std::string_view peer) {
  return peer.starts_with("127.") || peer.starts_with("[::1]:") || peer.starts_with("[::ffff:127.");
}

/// Everybody who has a key, with their policies ready to be asked. Immutable.
class Gatekeeper::Table {
 public:
  Table(const control::Snapshot& snapshot, std::string_view account)
      : sources_(SourcesOf(snapshot)) {
    for (const ManagedPolicy& policy : ManagedPolicies())
      policies_[policy.Arn()] = Parsed(policy.name, policy.document);
    for (const control::Record& record : snapshot.List(kPolicyKind)) {
      const auto policy = ReadOwnPolicy(record.name, record.body);
      const std::string_view document =
          policy ? policy->Find(policy->default_version)->document : std::string_view{};
      policies_["policy/" + record.name] = Parsed(record.name, document);
    }
    std::map<std::string, PolicySet, std::less<>> roles;
    for (const control::Record& record : snapshot.List(kRoleKind)) {
      const auto role = ReadRole(record.name, record.body);
      if (!role) {
        log::Error("role", {{"error", role.error().message}});
        continue;
      }
      PolicySet& set = roles[record.name];
      AddAll(set, role->policies);
      for (const auto& [name, document] : role->inline_policies)
        set.push_back(Parsed(record.name + "/" + name, document));
    }
    for (const control::Record& record : snapshot.List(kAccessKeyKind)) {
      const auto key = ReadAccessKey(record.name, record.body);
      if (record.secret.empty()) continue;  // imported
      if (!key) {
        log::Error("access key", {{"id", record.name}, {"error", "unreadable"}});
        continue;
      }
      PolicySet set;
      if (const auto role = roles.find(key->role); role != roles.end()) set = role->second;
      AddAll(set, key->policies);
      const auto caller = std::make_shared<const Caller>(
          fmt::format("arn:aws:iam::{}:user/{}", account, key->name), key->user_id, key->id,
          std::make_shared<const PolicySet>(std::move(set)));
      if (key->bearer) {
        bearers_.emplace(record.secret, caller);
      } else {
        signers_.emplace(key->id, Signer{record.secret, caller});
      }
    }
  }

  struct Signer {
    std::string secret;
    std::shared_ptr<const Caller> caller;
  };
  /// Whether nothing that this was made of has changed: rules and budgets change often, keys do
  /// not.
  [[nodiscard]] bool IsOf(const control::Snapshot& snapshot) const {
    return sources_ == SourcesOf(snapshot);
  }
  [[nodiscard]] const Signer* FindSigner(std::string_view access_key) const {
    const auto found = signers_.find(access_key);
    return found == signers_.end() ? nullptr : &found->second;
  }
  /// `hash`: hex SHA-256 of the key, so that the time of the search tells nothing about the key.
  [[nodiscard]] const Caller* FindBearer(std::string_view hash) const {
    const auto found = bearers_.find(hash);
    return found == bearers_.end() ? nullptr : found->second.get();
  }

 private:
  void AddAll(PolicySet& set, const std::vector<PolicyRef>& refs) const {
    for (const PolicyRef& ref : refs) {
      if (const auto found = policies_.find(ref); found != policies_.end())
        set.push_back(found->second);
    }
  }

  using Sources = std::array<std::shared_ptr<const std::vector<control::Record>>, 3>;
  static Sources SourcesOf(const control::Snapshot& snapshot) {
    Sources sources;
    std::size_t i = 0;
    for (const std::string_view kind : {kAccessKeyKind, kRoleKind, kPolicyKind}) {
      const auto found = snapshot.kinds().find(kind);
      if (found != snapshot.kinds().end()) sources.at(i) = found->second;
      ++i;
    }
    return sources;
  }

  const Sources sources_;
  std::map<std::string, std::shared_ptr<const Policy>, std::less<>> policies_;
  std::map<std::string, Signer, std::less<>> signers_;
  std::map<std::string, std::shared_ptr<const Caller>, std::less<>> bearers_;
};

Gatekeeper::Gatekeeper(control::Repository& repository, const Clock& clock, Metrics& metrics,
                       const GateOptions& options)
    : repository_(repository), clock_(clock), options_(options) {
  const auto counter = [&metrics](const char* outcome) {
    return metrics.GetCounter("fluoro_auth_requests_total",
                              "Requests by what the gate made of them while keys are on",
                              {{"outcome", outcome}});
  };
  accepted_ = counter("accepted");
  denied_ = counter("denied");
  faults_ = {counter("missing"), counter("incomplete"), counter("unknown_key"), counter("mismatch"),
             counter("expired_token")};
  signing_keys_ = metrics.GetGauge("fluoro_auth_signing_keys", "Signing keys kept, at most 256");
}

Gatekeeper::~Gatekeeper() = default;

std::shared_ptr<const Gatekeeper::Table> Gatekeeper::CurrentTable() {
  const auto snapshot = repository_.Read();
  MutexLock lock(mutex_);
  if (table_ == nullptr || !table_->IsOf(*snapshot))
    table_ = std::make_shared<const Table>(*snapshot, options_.account);
  return table_;
}

Gatekeeper::Outcome Gatekeeper::Count(Outcome outcome) {
  if (outcome) {
    accepted_.Add();
  } else {
    faults_.at(static_cast<std::size_t>(outcome.error().fault)).Add();
  }
  return outcome;
}

void Gatekeeper::CountDenied() { denied_.Add(); }

Gatekeeper::Outcome Gatekeeper::IdentifyBearer(std::string_view authorization) {
  if (!options_.keys) return Caller::Root(options_.account);
  if (authorization.empty()) {
    return Count(
        std::unexpected(SignatureError{SignatureFault::kMissing, "Missing Authentication Token"}));
  }
  constexpr std::string_view kScheme = "bearer ";
  bool bearer = authorization.size() > kScheme.size();
  for (std::size_t i = 0; bearer && i < kScheme.size(); ++i)
    bearer = (authorization[i] | 0x20) == (kScheme[i] | 0x20);
  if (!bearer) {
    return Count(std::unexpected(
        SignatureError{SignatureFault::kIncomplete,
                       "Authorization must be 'Bearer flk_...' or an AWS signature"}));
  }
  const auto table = CurrentTable();
  const Caller* caller = table->FindBearer(Sha256Hex(authorization.substr(kScheme.size())));
  if (caller == nullptr) {
    return Count(std::unexpected(SignatureError{
        SignatureFault::kUnknownKey, "The security token included in the request is invalid."}));
  }
  return Count(*caller);
}

Gatekeeper::Outcome Gatekeeper::Identify(const GateRequest& request) {
  if (!options_.keys) return Caller::Root(options_.account);
  if (!SigV4Verifier::IsSigned(request.http)) {
    const bool anything = request.http.Has("authorization");
    if (!anything && request.unsigned_sampling && IsLoopbackPeer(request.peer))
      return Count(Caller::UnsignedSampler(options_.account));
    return IdentifyBearer(request.http.Find("authorization"));
  }
  const auto table = CurrentTable();
  const auto verified =
      verifier_.Verify(request.http,
                       {.now_ns = clock_.UnixNs(),
                        .services = request.services,
                        .unsigned_payload = options_.tls || IsLoopbackPeer(request.peer)},
                       [&table](std::string_view access_key) -> std::optional<KeySecret> {
                         const Table::Signer* signer = table->FindSigner(access_key);
                         if (signer == nullptr) return std::nullopt;
                         return KeySecret{.secret = signer->secret};
                       });
  signing_keys_.Set(static_cast<double>(verifier_.keys()));
  if (!verified) return Count(std::unexpected(verified.error()));
  return Count(*table->FindSigner(*verified)->caller);
}

}  // namespace fluoro::auth
