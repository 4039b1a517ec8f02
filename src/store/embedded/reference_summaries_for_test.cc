#include "store/embedded/reference_summaries_for_test.h"

#include <algorithm>
#include <array>
#include <vector>

#include "store/embedded/reference_values_for_test.h"

namespace fluoro::store::reference {
namespace {

struct Header {
  std::vector<std::string> names;
  std::vector<std::string> services;  // as text
  std::vector<std::vector<std::uint64_t>> sets;
};

Result<Header> ReadHeader(const std::string& bytes) {
  Cursor in(bytes);
  Header header;
  if (in.Fixed(1) != 1) return Wrong("the version of the summaries");
  for (std::uint64_t i = in.Count(); i > 0; --i) header.names.push_back(in.Text());
  for (std::uint64_t i = in.Count(); i > 0; --i) {
    std::string service = " " + in.Text();
    service += "|" + in.Text();
    service += "|" + in.Text();
    header.services.push_back(std::move(service));
  }
  for (std::uint64_t i = in.Count(); i > 0; --i) {
    std::vector<std::uint64_t>& set = header.sets.emplace_back();
    std::uint64_t place = 0;
    for (std::uint64_t k = in.Count(); k > 0; --k) {
      place += in.Varint();
      set.push_back(place);
    }
  }
  if (in.failed() || !in.done()) return Wrong("the header of the summaries");
  return header;
}

// What stands at a place that counts from 1; of 0 a dash.
template <class All, class Print>
std::string PrintPlace(std::uint64_t place, const All& all, Cursor& in, const Print& print) {
  if (place == 0) return " -";
  if (place > all.size()) {
    in.Fail();
    return {};
  }
  return print(all[place - 1]);
}

}  // namespace

Result<void> ReadSummaries(const std::map<std::uint64_t, std::string>& parts, Block& block) {
  block.summaries.assign(block.traces.size(), "");
  if (parts.empty()) return {};
  FLUORO_TRY(const Header header, ReadHeader(parts.at(0)));
  const std::uint64_t pages = (block.traces.size() + block.page_traces - 1) / block.page_traces;
  if (parts.size() != pages + 1) return Wrong("the number of pages of summaries");
  for (std::uint64_t page = 0; page < pages; ++page) {
    const std::uint64_t first = page * block.page_traces;
    const std::uint64_t count = std::min(block.page_traces, block.traces.size() - first);
    Cursor in(parts.at(page + 1));
    std::array<std::vector<std::uint64_t>, 11> columns;
    for (auto& column : columns) column = Ints(in, count, block.seen);
    for (std::uint64_t i = 0; i < count && !in.failed(); ++i) {
      const Trace& trace = block.traces[first + i];
      const std::uint64_t bits = columns[0][i];
      if ((bits & 1) == 0) {
        block.seen.insert("no summary");
        continue;
      }
      const std::int64_t start = Plus(trace.start_ns, columns[3][i]);
      const std::int64_t duration =
          Plus(Plus(trace.end_ns, ~static_cast<std::uint64_t>(start) + 1), ~columns[4][i] + 1);
      const std::int64_t response = (bits & 64) != 0 ? 0 : Plus(duration, ~columns[5][i] + 1);
      std::string& text = block.summaries[first + i];
      text = std::to_string(bits) + " " + std::to_string(start) + " " + std::to_string(duration) +
             " " + std::to_string(response) + " " +
             std::to_string(static_cast<std::int64_t>(columns[6][i]) - 1);
      text += PrintPlace(columns[1][i], header.names, in,
                         [](const std::string& name) { return " " + name; });
      text += PrintPlace(columns[2][i], header.services, in,
                         [](const std::string& service) { return service; });
      for (std::size_t set = 7; set < columns.size(); ++set) {
        text += PrintPlace(columns[set][i], header.sets, in, [&](const auto& places) {
          std::vector<std::string> services;
          for (const std::uint64_t place : places) {
            if (place >= header.services.size()) {
              in.Fail();
              break;
            }
            services.push_back(header.services[place]);
          }
          std::ranges::sort(services);
          std::string all = " {";
          for (const std::string& service : services) all += service;
          return all + "}";
        });
      }
    }
    if (in.failed() || !in.done()) return Wrong("a page of summaries");
  }
  return {};
}

}  // namespace fluoro::store::reference
