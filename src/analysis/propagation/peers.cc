#include "analysis/propagation/peers.h"

#include <algorithm>
#include <string>

namespace fluoro::analysis::propagation {
namespace {

std::uint64_t KeyOf(TextId peer, TextId part) { return (std::uint64_t{peer} << 32) | part; }

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return out;
}

// Others that answered so rarely are strays.
constexpr double kStray = 0.02;

}  // namespace

void PeerMap::Add(std::uint64_t key, TextId service, double weight) {
  auto found = answered_.find(key);
  if (found == answered_.end()) {
    if (answered_.size() >= kPeersMax) {
      ++left_out_;
      return;
    }
    found = answered_.emplace(key, Counts()).first;
  }
  Counts& counts = found->second;
  for (auto& [known, sum] : counts) {
    if (known == service) {
      sum += weight;
      return;
    }
  }
  if (counts.size() < kServicesMax) counts.emplace_back(service, weight);
}

void PeerMap::LearnCall(const Peers& peers, TextId part, TextId service, double weight) {
  if (service == 0) return;
  for (const TextId peer : peers) {
    if (peer == 0) continue;
    Add(KeyOf(peer, 0), service, weight);
    if (part != 0) Add(KeyOf(peer, part), service, weight);
  }
}

void PeerMap::LearnService(TextId service) {
  if (service == 0 || services_.size() >= kPeersMax) return;
  services_.emplace(Lower(texts_.At(service)), service);
}

void PeerMap::LearnHost(TextId host, TextId service) {
  if (host != 0 && service != 0) Add(KeyOf(host, 0), service, 1);
}

const PeerMap::Counts* PeerMap::Find(std::uint64_t key) const {
  const auto found = answered_.find(key);
  return found == answered_.end() ? nullptr : &found->second;
}

// "name:orders", "rpc:shop.Orders" and "host:orders.shop.svc:8080" may all be the service "orders".
TextId PeerMap::ServiceNamed(TextId peer) const {
  const std::string text = Lower(texts_.At(peer));
  const std::size_t colon = text.find(':');
  std::string_view name = std::string_view(text).substr(colon + 1);
  if (const auto found = services_.find(name); found != services_.end()) return found->second;
  if (!text.starts_with("host:")) return 0;
  name = name.substr(0, name.find(':'));
  if (const auto found = services_.find(name); found != services_.end()) return found->second;
  const auto found = services_.find(name.substr(0, name.find('.')));
  return found == services_.end() ? 0 : found->second;
}

std::vector<TextId> PeerMap::Resolve(const LostCall& call) const {
  const auto services_of = [](const Counts& counts) {
    Counts order = counts;
    std::ranges::sort(order, [](const auto& a, const auto& b) {
      return a.second != b.second ? a.second > b.second : a.first < b.first;
    });
    double sum = 0;
    for (const auto& [service, weight] : order) sum += weight;
    std::vector<TextId> out;
    for (const auto& [service, weight] : order) {
      if (weight >= kStray * sum) out.push_back(service);
    }
    return out;
  };
  for (const TextId peer : call.peers) {
    if (peer == 0) continue;
    if (call.request.part != 0) {
      if (const Counts* counts = Find(KeyOf(peer, call.request.part))) return services_of(*counts);
    }
    if (const Counts* counts = Find(KeyOf(peer, 0))) return services_of(*counts);
    if (const TextId service = ServiceNamed(peer); service != 0) return {service};
  }
  return {};
}

}  // namespace fluoro::analysis::propagation
