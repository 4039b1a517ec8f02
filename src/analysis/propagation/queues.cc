#include <algorithm>
#include <set>

#include "analysis/propagation/losses.h"

namespace fluoro::analysis::propagation {
namespace {

constexpr std::size_t kLostMin = 5;
constexpr double kLostShareMin = 0.02;
constexpr std::int64_t kClockNs = 2'000'000'000;

struct Queue {
  std::vector<const Message*> sent;
  std::map<TextId, std::vector<const Message*>> received;  ///< by consumer
};

std::map<TextId, Queue> QueuesOf(const Tables& tables) {
  std::map<TextId, Queue> queues;
  for (const Message& message : tables.sent) {
    if (message.destination != 0) queues[message.destination].sent.push_back(&message);
  }
  for (const Message& message : tables.received) {
    if (message.destination != 0)
      queues[message.destination].received[message.service].push_back(&message);
  }
  for (auto& [destination, queue] : queues) {
    const auto by_start = [](const Message* message) { return message->start_ns; };
    std::ranges::stable_sort(queue.sent, {}, by_start);
    for (auto& [service, messages] : queue.received)
      std::ranges::stable_sort(messages, {}, by_start);
  }
  return queues;
}

struct Lost {
  const Message* sent;
  const Message* received;
};

// By message id where both tell it; else each consumer takes the oldest message that was sent
// before. A message that is received again is the same message.
std::vector<Lost> Pair(const std::vector<const Message*>& sent,
                       const std::vector<const Message*>& received) {
  std::vector<Lost> lost;
  std::map<std::uint64_t, const Message*> by_id;
  std::vector<const Message*> rest_sent, rest_received;
  for (const Message* message : sent) {
    if (message->message_id != 0) {
      by_id.emplace(message->message_id, message);
    } else {
      rest_sent.push_back(message);
    }
  }
  std::set<std::uint64_t> seen;
  for (const Message* message : received) {
    if (message->message_id == 0) {
      rest_received.push_back(message);
    } else if (const auto found = by_id.find(message->message_id);
               found != by_id.end() && seen.insert(message->message_id).second) {
      lost.push_back({found->second, message});
    }
  }
  // One side does not tell ids: then order has to do.
  if (rest_sent.size() == sent.size()) rest_received = received;
  if (rest_received.size() == received.size()) rest_sent = sent;
  if (!lost.empty()) return lost;
  std::size_t next = 0;
  seen.clear();
  for (const Message* message : rest_received) {
    if (message->message_id != 0 && !seen.insert(message->message_id).second) continue;
    if (next == rest_sent.size()) break;
    if (rest_sent[next]->start_ns > message->start_ns + kClockNs) continue;
    lost.push_back({rest_sent[next++], message});
  }
  return lost;
}

std::string FixOf(std::string_view system, const std::string& queue, const std::string& sender,
                  const std::string& receiver) {
  if (system.find("sqs") != std::string_view::npos) {
    return sender +
           ": send the trace header as message system attribute AWSTraceHeader "
           "(MessageSystemAttributes of SendMessage to " +
           queue + "); " + receiver +
           ": ask for it (MessageSystemAttributeNames=[\"AWSTraceHeader\"] in ReceiveMessage) and "
           "start or link the span of each message from it.";
  }
  if (system.find("sns") != std::string_view::npos) {
    return "Switch on active tracing of the topic " + queue + ", and have " + receiver +
           " read the attribute AWSTraceHeader.";
  }
  return sender + ": inject traceparent into the headers of each message to " + queue +
         " (instrumentation of the client library, or propagator.inject); " + receiver +
         ": extract it from each message, and link the span that processes it.";
}

}  // namespace

void FindQueues(const Tables& tables, std::map<EdgeKey, BrokenEdge>& edges) {
  const Texts& texts = tables.texts;
  for (const auto& [destination, queue] : QueuesOf(tables)) {
    std::map<TextId, std::vector<const Message*>> open;  // by consumer: not linked by it
    std::map<EdgeKey, Weighted> linked;
    std::set<TextId> consumers;
    for (const auto& [service, messages] : queue.received) consumers.insert(service);
    for (const Message* sent : queue.sent) {
      std::set<TextId> by;
      const auto [begin, end] = tables.linked.equal_range(HashOf(sent->trace, sent->span));
      for (auto at = begin; at != end; ++at) by.insert(at->second);
      for (const TextId service : by) {
        linked[{sent->service, service, EdgeKind::kMessage, destination}].Add(sent->weight);
      }
      for (const TextId service : consumers) {
        if (!by.contains(service)) open[service].push_back(sent);
      }
    }
    std::map<EdgeKey, std::vector<Lost>> lost;
    for (const auto& [service, messages] : queue.received) {
      for (const Lost& one : Pair(open[service], messages))
        lost[{one.sent->service, service, EdgeKind::kMessage, destination}].push_back(one);
    }
    for (const auto& [key, sum] : linked) lost.try_emplace(key);
    for (const auto& [key, pairs] : lost) {
      Weighted survived = linked[key];
      if (const auto tally = tables.edges.find(key); tally != tables.edges.end()) {
        survived.count += tally->second.survived.count;
        survived.squares += tally->second.survived.squares;
      }
      Weighted gone;
      for (const Lost& one : pairs) gone.Add(one.sent->weight);
      BrokenEdge& edge = edges[key];
      edge.caller = texts.At(key.caller);
      edge.callee = texts.At(key.callee);
      edge.kind = key.kind;
      edge.via = texts.At(destination);
      const bool proven =
          pairs.size() >= kLostMin && gone.count >= kLostShareMin * (gone.count + survived.count);
      if (!proven) gone = {};
      SetShare(edge, survived, gone, gone);
      if (!proven) continue;
      const bool by_id = pairs.front().sent->message_id != 0 &&
                         pairs.front().sent->message_id == pairs.front().received->message_id;
      Cause cause{.kind = CauseKind::kQueue,
                  .confidence = by_id ? Confidence::kHigh : Confidence::kMedium,
                  .calls = gone.count};
      const std::string name = "the queue or topic " + edge.via;
      cause.evidence.push_back(
          std::to_string(pairs.size()) + " messages that " + edge.caller + " sent to " + name +
          (by_id ? " were processed by "
                 : " have nobody who names them, and as many were processed by ") +
          edge.callee +
          (by_id ? " in traces of their own, without parent and link; both sides tell "
                   "the same message ids."
                 : " in traces of their own, without parent and link."));
      if (survived.count > 0) {
        cause.evidence.push_back(
            "Others on the same way arrive with their context: not all "
            "senders, or not all receivers, handle it.");
      }
      cause.fix = FixOf(texts.At(pairs.front().sent->system), edge.via, edge.caller, edge.callee);
      for (const Lost& one : pairs) {
        if (cause.examples.size() == BrokenEdge::kExamplesMax) break;
        cause.examples.push_back(
            {one.sent->trace, one.sent->span, one.received->trace, one.received->span});
      }
      edge.causes.push_back(std::move(cause));
    }
  }
}

}  // namespace fluoro::analysis::propagation
