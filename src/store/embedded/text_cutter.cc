#include "store/embedded/text_cutter.h"

#include "store/embedded/text_digits.h"

namespace fluoro::store {

bool TextCutter::Cut(std::string_view text) {
  bytes_ = 0;
  count_ = 0;
  if (text.size() > kCutTextBytesMax || !classes_.Read(text)) return false;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t digit = classes_.decimal.Next(at, text.size());
    const std::size_t begin = digit == text.size() ? digit : classes_.hex.BeginOfRun(digit, at);
    if (classes_.may_have_eight_letters && CutLettersUuid(text, at, begin)) continue;
    Put(text.substr(at, begin - at));
    if (digit == text.size()) break;
    const std::size_t end = classes_.hex.EndOfRun(digit, text.size());
    at = end;
    std::string_view run = text.substr(begin, end - begin);
    if (run.size() == 8 && CutUuid(text.substr(begin))) {
      at = begin + kUuidBytes;
      continue;
    }
    const bool is_decimal = begin == digit && classes_.decimal.EndOfRun(digit, end) == end;
    if (is_decimal && PutNumber(run)) continue;
    const bool is_hex = !is_decimal && run.size() >= kHexDigitsMin;
    while (!run.empty()) run.remove_prefix(is_hex ? CutHex(run) : CutDigits(run));
  }
  return true;
}

// Decimal digits. False: they do not fit into a slot.
bool TextCutter::PutNumber(std::string_view digits) {
  if (digits.size() > kDigitsMax || count_ == kTextSlotsMax) return false;
  if (digits[0] == '0' && digits.size() > 1) {
    Put(TextSlot::kPadded);
    Put(static_cast<char>(digits.size()));
  } else {
    Put(TextSlot::kNumber);
  }
  Add(DecimalNumber(digits));
  return true;
}

// A UUID before `end` whose first eight digits are letters; moves `at` behind it.
bool TextCutter::CutLettersUuid(std::string_view text, std::size_t& at, std::size_t end) {
  constexpr std::size_t kFirst = 8;
  for (std::size_t dash = text.find('-', at + kFirst); dash < end;
       dash = text.find('-', dash + 1)) {
    const std::size_t begin = dash - kFirst;
    if (classes_.hex.BeginOfRun(dash, at) != begin) continue;
    const std::size_t pattern_bytes = bytes_;
    Put(text.substr(at, begin - at));
    if (CutUuid(text.substr(begin))) {
      at = begin + kUuidBytes;
      return true;
    }
    bytes_ = pattern_bytes;
  }
  return false;
}

// Of a text that begins with exactly eight digits 0-9a-f.
bool TextCutter::CutUuid(std::string_view text) {
  if (count_ + 2 > kTextSlotsMax || !ReadUuid(text, numbers_[count_], numbers_[count_ + 1]))
    return false;
  Put(TextSlot::kUuid);
  count_ += 2;
  return true;
}

std::size_t TextCutter::CutHex(std::string_view run) {
  if (count_ == kTextSlotsMax) {
    Put(run);
    return run.size();
  }
  const std::string_view digits = run.substr(0, kHexDigitsMax);
  Put(TextSlot::kHex);
  Put(static_cast<char>(digits.size()));
  Add(HexNumber(digits));
  return digits.size();
}

// What a run of digits and letters a-f begins with: letters, or decimal digits.
std::size_t TextCutter::CutDigits(std::string_view run) {
  std::size_t bytes = 0;
  const bool is_number = Digit(run[0]) < 10;
  while (bytes < run.size() && (Digit(run[bytes]) < 10) == is_number) ++bytes;
  const std::string_view part = run.substr(0, bytes);
  if (!is_number || !PutNumber(part)) Put(part);
  return bytes;
}

}  // namespace fluoro::store
