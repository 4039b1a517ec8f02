// fluoro completion bash|zsh|fish: made from the parser itself, so that it cannot lag behind.
#include <fmt/format.h>

#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/exit_code.h"

namespace fluoro::cli {
namespace {

struct Command {
  std::string path;  ///< "trace", "header parse"
  std::string description;
  std::vector<std::pair<std::string, std::string>> flags;
  std::vector<std::string> subcommands;
};

void Collect(const CLI::App& app, const std::string& path, std::vector<Command>& commands) {
  Command command{path, app.get_description(), {}, {}};
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames())
      command.flags.emplace_back("--" + name, option->get_description());
  }
  const auto children = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* child : children) command.subcommands.push_back(child->get_name());
  commands.push_back(std::move(command));
  for (const CLI::App* child : children)
    Collect(*child, path.empty() ? child->get_name() : path + " " + child->get_name(), commands);
}

std::string Words(const Command& command) {
  std::string words;
  for (const auto& name : command.subcommands) words += name + " ";
  for (const auto& [flag, description] : command.flags) words += flag + " ";
  return words;
}

std::string Bash(const std::vector<Command>& commands) {
  std::string out =
      "_fluoro() {\n  local current=${COMP_WORDS[COMP_CWORD]} path='' word\n"
      "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n    case \"$path $word\" in\n";
  for (const auto& command : commands) {
    if (command.path.empty()) continue;
    const auto space = command.path.rfind(' ');
    const std::string parent = space == std::string::npos ? "" : command.path.substr(0, space);
    out +=
        fmt::format("      '{} {}') path='{}' ;;\n", parent,
                    command.path.substr(space == std::string::npos ? 0 : space + 1), command.path);
  }
  out += "    esac\n  done\n  local words=''\n  case \"$path\" in\n";
  for (const auto& command : commands)
    out += fmt::format("    '{}') words='{}' ;;\n", command.path, Words(command));
  out +=
      "  esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
      "  [[ $current == -* || ${#COMPREPLY[@]} -gt 0 ]] || COMPREPLY=($(compgen -f -- "
      "\"$current\"))\n}\ncomplete -F _fluoro fluoro\n";
  return out;
}

std::string Quote(std::string text, char quote) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == quote) text.insert(i, quote == '\'' ? "'\\'" : "\\"), i += quote == '\'' ? 3 : 1;
  }
  return text;
}

std::string Zsh(const std::vector<Command>& commands) {
  // zsh runs bash completions as they are.
  return "#compdef fluoro\nautoload -U +X bashcompinit && bashcompinit\n" + Bash(commands);
}

std::string Fish(const std::vector<Command>& commands) {
  std::string out = "complete -c fluoro -f\n";
  for (const auto& command : commands) {
    std::string condition = "__fish_use_subcommand";
    if (!command.path.empty()) {
      condition.clear();
      std::string_view rest = command.path;
      while (!rest.empty()) {
        const auto end = std::min(rest.find(' '), rest.size());
        condition += fmt::format("{}__fish_seen_subcommand_from {}",
                                 condition.empty() ? "" : "; and ", rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
      }
    }
    for (const auto& name : command.subcommands) {
      std::string description;
      for (const auto& other : commands) {
        if (other.path == (command.path.empty() ? name : command.path + " " + name))
          description = other.description;
      }
      out += fmt::format("complete -c fluoro -n '{}' -a {} -d '{}'\n", condition, name,
                         Quote(description, '\''));
    }
    for (const auto& [flag, description] : command.flags) {
      out += fmt::format("complete -c fluoro -n '{}' -l {} -d '{}'\n", condition, flag.substr(2),
                         Quote(description, '\''));
    }
  }
  return out;
}

}  // namespace

void AddCompletion(const Registry& registry) {
  const auto shell = std::make_shared<std::string>();
  CLI::App* command = registry.app.add_subcommand("completion", "prints a completion script");
  command->set_version_flag("--version", "fluoro " FLUORO_VERSION);
  command->footer(
      "Examples:\n  source <(fluoro completion bash)\n  fluoro completion fish > "
      "~/.config/fish/completions/fluoro.fish");
  command->add_option("SHELL", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  CLI::App& app = registry.app;
  Action& action = registry.action;
  command->callback([&action, &app, shell] {
    action = [&app, shell] {
      std::vector<Command> commands;
      Collect(app, "", commands);
      Print(*shell == "bash" ? Bash(commands) : *shell == "zsh" ? Zsh(commands) : Fish(commands));
      return static_cast<int>(kDone);
    };
  });
}

}  // namespace fluoro::cli
