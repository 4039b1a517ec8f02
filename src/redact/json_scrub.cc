#include "redact/json_scrub.h"

#include <algorithm>
#include <array>

#include "base/json.h"
#include "model/ids.h"
#include "redact/json_string.h"

namespace fluoro::redact {
namespace {

constexpr std::size_t kContainedMin = 4;  // shorter texts stand in others by chance
constexpr std::size_t kCutMin = 200;      // columns of X-Ray's documents are cut at 250 characters

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

std::size_t SkipSpace(std::string_view text, std::size_t i) {
  while (i < text.size() && IsSpace(text[i])) ++i;
  return i;
}

// Behind the closing quote of the string that begins at `quote`, or the end.
std::size_t StringEnd(std::string_view text, std::size_t quote) {
  for (std::size_t i = quote + 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return i + 1;
    }
  }
  return text.size();
}

// Behind the value that begins at `i`.
std::size_t ValueEnd(std::string_view text, std::size_t i) {
  if (i >= text.size()) return text.size();
  if (text[i] == '"') return StringEnd(text, i);
  if (text[i] == '{' || text[i] == '[') {
    std::size_t depth = 0;
    const std::size_t end = FindOutsideStrings(text, i, [&](char c) {
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') --depth;
      return depth == 0;
    });
    return std::min(end + 1, text.size());
  }
  while (i < text.size() && !IsSpace(text[i]) && text[i] != ',' && text[i] != '}' && text[i] != ']')
    ++i;
  return i;
}

// Between its strings stand numbers, literals and punctuation only. What is cut off counts too.
bool IsJsonShaped(std::string_view text) {
  char before = '\0';
  char before_space = '\0';
  bool fraction = false;
  const std::size_t end = FindOutsideStrings(text, 0, [&](char c) {
    bool good =
        IsSpace(c) || std::string_view("{}[],:eEtrufalsn").find(c) != std::string_view::npos;
    if (IsDigit(c)) {
      good = !IsSpace(before) || !IsDigit(before_space);
    } else if (c == '.') {
      good = IsDigit(before) && !fraction;
      fraction = true;
    } else if (c == '-') {
      good = before == 'e' || before == 'E' ||
             (!IsDigit(before) && before != '.' && before != '-' &&
              !(IsSpace(before) && IsDigit(before_space)));
    } else if (c == '+') {
      good = before == 'e' || before == 'E';
    }
    if (!IsDigit(c) && c != '.') fraction = false;
    before = c;
    if (!IsSpace(c)) before_space = c;
    return !good;
  });
  return end == text.size();
}

bool IsId(std::string_view text) {
  return model::SpanId::Parse(text).has_value() || model::TraceId::Parse(text).has_value();
}

}  // namespace

bool LooksLikeJson(std::string_view text) {
  const std::size_t i = SkipSpace(text, 0);
  if (i == text.size() || (text[i] != '{' && text[i] != '[' && text[i] != '"')) return false;
  return IsJsonShaped(text);
}

bool HoldsRemoved(std::string_view text, const Removed& removed) {
  if (text.empty() || removed.text.empty()) return false;
  if (text == removed.text) return true;
  if (removed.text.size() >= kContainedMin && text.find(removed.text) != std::string_view::npos)
    return true;
  return text.size() >= kCutMin && removed.text.starts_with(text);
}

// Copies text_ up to `until` as it stands.
void JsonScrubber::Flush(std::size_t until) {
  made_.append(text_.substr(done_, until - done_));
  done_ = until;
}

// What stands between strings: numbers may be cards.
void JsonScrubber::Glue(std::string_view piece) {
  std::size_t i = 0;
  while (i < piece.size()) {
    if (!IsDigit(piece[i])) {
      made_.push_back(piece[i++]);
      continue;
    }
    std::size_t end = i;
    while (end < piece.size() && IsDigit(piece[end])) ++end;
    const char before = i > 0 ? piece[i - 1] : '\0';
    const char after = end < piece.size() ? piece[end] : '\0';
    const std::string_view token = piece.substr(i, end - i);
    const bool whole = std::string_view(".-+eE").find(before) == std::string_view::npos &&
                       std::string_view(".eE").find(after) == std::string_view::npos;
    if (whole) {
      Number(token);
    } else {
      made_.append(token);
    }
    i = end;
  }
}

void JsonScrubber::Number(std::string_view token) {
  if (!IsCardNumber(token)) {
    made_.append(token);
    return;
  }
  std::string scrubbed;
  if (!policy_.ScrubPlain(token, growth_, tally_, scrubbed)) {
    made_.append(token);
    return;
  }
  changed_ = true;
  made_.append("\"").append(scrubbed).append("\"");
}

// Writes a string in the place of [begin, end).
void JsonScrubber::Write(std::string_view plain, std::size_t begin, std::size_t end) {
  Flush(begin);
  made_.push_back('"');
  AppendJsonEscaped(plain, made_);
  made_.push_back('"');
  done_ = end;
  changed_ = true;
}

void JsonScrubber::StringValue(std::string_view raw, std::size_t begin, std::size_t end) {
  std::string unescaped;
  std::string_view value = raw;
  if (raw.find('\\') != std::string_view::npos) {
    unescaped = UnescapeJson(raw);
    value = unescaped;
  }
  if (document_ != nullptr && document_->removed != nullptr) {
    for (const Removed& removed : *document_->removed) {
      if (HoldsRemoved(value, removed))
        return Write(policy_.Replace(removed.rule, value, growth_, tally_), begin, end);
    }
  }
  std::string scrubbed;
  bool found = false;
  if (level_ + 1 < kLevelsMax && LooksLikeJson(value)) {
    JsonScrubber inner(policy_, growth_, tally_, level_ + 1);
    found = inner.Run(value, path_, scrubbed);
  } else {
    found = policy_.ScrubPlain(value, growth_, tally_, scrubbed);
  }
  if (found) Write(scrubbed, begin, end);
}

// Ids keep their columns and their document alike.
bool JsonScrubber::IsFixed(std::string_view path, std::string_view leaf, std::size_t value_begin,
                           std::size_t value_end) const {
  const bool root = path == leaf;
  static constexpr std::array<std::string_view, 12> kStructure = {
      "id",   "trace_id",  "parent_id", "start_time", "end_time", "in_progress",
      "type", "namespace", "origin",    "error",      "fault",    "throttle"};
  const bool structure = root && std::ranges::find(kStructure, leaf) != kStructure.end();
  if (!structure && leaf != "id" && leaf != "trace_id") return false;
  const std::string_view value = text_.substr(value_begin, value_end - value_begin);
  if (value.empty()) return false;
  if (value[0] != '"') return structure;
  const std::string_view inside = value.substr(1, value.size() < 2 ? 0 : value.size() - 2);
  return IsId(inside) || (root && (leaf == "type" || leaf == "namespace" || leaf == "origin") &&
                          std::ranges::all_of(inside, [](char c) {
                            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == ':' ||
                                   IsDigit(c);
                          }));
}

KeyDecision JsonScrubber::Decide(std::string_view path, std::string_view leaf) const {
  if (document_ == nullptr) return policy_.ForKey(path, leaf);
  if (path == "name" && document_->segment) {
    const KeyDecision decision = policy_.ForKey("service.name", "service.name");
    return decision.what == KeyDecision::What::kScan ? KeyDecision{.what = KeyDecision::What::kKeep}
                                                     : decision;
  }
  if (path.starts_with("annotations.")) path.remove_prefix(12);
  if (path.starts_with("metadata.")) {
    const std::size_t dot = path.find('.', 9);
    if (dot != std::string_view::npos) path.remove_prefix(dot + 1);
  }
  return policy_.ForKey(path, leaf);
}

// A name and what belongs to it; gives where to go on.
std::size_t JsonScrubber::Member(std::string_view raw, std::size_t begin, std::size_t end) {
  const std::string name =
      raw.find('\\') == std::string_view::npos ? std::string(raw) : UnescapeJson(raw);
  const std::size_t value_begin = SkipSpace(text_, SkipSpace(text_, end) + 1);
  const std::size_t outside = frames_.empty() ? 0 : frames_.back().path_bytes;
  path_.resize(outside);
  if (!path_.empty()) path_.push_back('.');
  path_ += name;
  // A name may be a secret too.
  std::string scrubbed;
  if (policy_.ScrubPlain(name, growth_, tally_, scrubbed)) Write(scrubbed, begin, end);
  if (value_begin >= text_.size()) return text_.size();
  const auto value_end = [&] { return ValueEnd(text_, value_begin); };
  if (document_ != nullptr && text_[value_begin] != '{' && text_[value_begin] != '[' &&
      IsFixed(path_, name, value_begin, value_end())) {
    const std::size_t value = value_end();
    Flush(value);
    return value;
  }
  const KeyDecision decision = Decide(path_, name);
  if (decision.what == KeyDecision::What::kScan) return value_begin;
  const std::size_t value = value_end();
  const std::string_view token = text_.substr(value_begin, value - value_begin);
  const bool is_text = token[0] == '"';
  const bool is_tree = token[0] == '{' || token[0] == '[';
  if (decision.what == KeyDecision::What::kKeep) {
    Flush(value);
    return value;
  }
  // Counts are no content, and true, false and null tell nothing.
  const bool number = IsDigit(token[0]) || token[0] == '-';
  if (!is_text && !is_tree && (!number || decision.rule == Policy::kContentRule))
    return value_begin;
  std::string removed(token);
  if (is_text) {
    const std::string_view inside =
        token.substr(1, token.size() - (token.size() > 1 && token.back() == '"' ? 2 : 1));
    removed =
        inside.find('\\') == std::string_view::npos ? std::string(inside) : UnescapeJson(inside);
  }
  if (removed.empty()) return value_begin;
  if (document_ != nullptr && document_->found != nullptr && is_text &&
      decision.rule != Policy::kContentRule)
    document_->found->push_back({removed, decision.rule});
  const std::string in_place = policy_.Replace(decision.rule, removed, growth_, tally_);
  if (is_text && in_place == removed) {  // was done before
    Flush(value);
    return value;
  }
  if (policy_.Drops(decision.rule)) {
    Flush(value_begin);
    made_ += "null";
    done_ = value;
    changed_ = true;
    return value;
  }
  Write(in_place, value_begin, value);
  return value;
}

bool JsonScrubber::Run(std::string_view text, std::string_view name, std::string& out) {
  text_ = text;
  path_ = name;
  frames_.clear();
  const std::size_t root_bytes = path_.size();
  std::size_t glue = 0;  // begin of what stands between strings
  const auto end_glue = [&](std::size_t until) {
    if (until <= glue) return;
    Flush(glue);
    Glue(text_.substr(glue, until - glue));
    done_ = until;
  };
  std::size_t i = 0;
  while (i < text.size()) {
    const char c = text[i];
    if (c == '"') {
      end_glue(i);
      const std::size_t end = StringEnd(text, i);
      const bool closed = end - i >= 2 && text[end - 1] == '"';
      const std::string_view raw = text.substr(i + 1, end - i - 1 - (closed ? 1 : 0));
      const std::size_t colon = SkipSpace(text, end);
      const bool is_name =
          colon < text.size() && text[colon] == ':' && !frames_.empty() && frames_.back().object;
      if (is_name) {
        i = Member(raw, i, end);
      } else {
        StringValue(raw, i, end);
        i = end;
      }
      Flush(i);
      glue = i;
    } else if (c == '{' || c == '[') {
      if (frames_.size() == kDepthMax) break;
      frames_.push_back(
          {.object = c == '{', .path_bytes = frames_.empty() ? root_bytes : path_.size()});
      ++i;
    } else {
      if ((c == '}' || c == ']') && !frames_.empty()) {
        path_.resize(std::min(path_.size(), frames_.back().path_bytes));
        frames_.pop_back();
      }
      ++i;
    }
  }
  if (i < text.size()) {  // too deep
    end_glue(i);
    std::string scrubbed;
    if (policy_.ScrubPlain(text.substr(i), growth_, tally_, scrubbed)) {
      made_ += scrubbed;
      done_ = text.size();
      changed_ = true;
    }
  } else {
    end_glue(i);
  }
  if (!changed_) return false;
  Flush(text.size());
  out += made_;
  return true;
}

}  // namespace fluoro::redact
