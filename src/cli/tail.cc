// fluoro tail [EXPR]
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/summary_line.h"
#include "cli/terminal.h"
#include "net/http.h"

namespace fluoro::cli {
namespace {

// Server-sent events, piece by piece: calls `data` with each event's name and data line.
class EventReader {
 public:
  template <class Callback>
  bool Feed(std::string_view piece, const Callback& callback) {
    buffer_ += piece;
    for (auto end = buffer_.find('\n'); end != std::string::npos; end = buffer_.find('\n')) {
      const std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      if (line.starts_with("event: ")) event_ = line.substr(7);
      if (line.starts_with("data: ") && !callback(event_, line.substr(6))) return false;
      if (line.empty()) event_.clear();
    }
    return true;
  }

 private:
  std::string buffer_;
  std::string event_;
};

int Follow(const SourceOptions& options, const std::string& expression, bool json) {
  auto source = OpenSource(options);
  if (!source) return Report(source.error());
  const Terminal terminal = Terminal::Detect();
  net::HttpRequest request;
  request.method = "GET";
  request.path = "/ui/api/tail";
  request.query = "q=" + net::PercentEncode(expression);
  EventReader reader;
  const auto result = (*source)->Stream(std::move(request), [&](std::string_view piece) {
    return reader.Feed(piece, [&](const std::string& event, const std::string& data) {
      if (json) return Print(data + "\n");
      if (event == "dropped")
        return Print(terminal.Paint("some traces were missed: " + data, Ink::kYellow) + "\n");
      return Print(RenderSummary(data, terminal) + "\n");
    });
  });
  return result ? kDone : Report(result.error());
}

}  // namespace

void AddTail(const Registry& registry) {
  struct Options {
    bool json = false;
    std::string expression;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      registry.Add("tail", "prints matching traces as they complete, until interrupted",
                   "  fluoro tail\n"
                   "  fluoro tail 'fault = true OR responsetime > 5' --json",
                   options->json);
  command->add_option("EXPR", options->expression, "filter expression; all traces if absent");
  auto source = std::make_shared<SourceOptions>();
  command->add_option("--server", source->server, "server to ask")
      ->envname("FLUORO_SERVER")
      ->capture_default_str();
  Action& action = registry.action;
  command->callback([&action, options, source] {
    action = [=] { return Follow(*source, options->expression, options->json); };
  });
}

}  // namespace fluoro::cli
