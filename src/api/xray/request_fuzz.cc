// First byte: operation; the rest: request body. Whatever parses is read through every getter.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "api/xray/page_token.h"
#include "api/xray/request.h"
#include "api/xray/shape.h"

namespace fluoro::api::xray {
namespace {

void ReadAll(const MembersView& members, const Shape& shape) {
  for (const Member& member : shape.members) {
    (void)members.Text(member.name);
    (void)members.Int(member.name);
    (void)members.Double(member.name);
    (void)members.Bool(member.name);
    (void)members.TimeNs(member.name);
    (void)members.Texts(member.name);
    if (const auto structure = members.Structure(member.name)) ReadAll(*structure, *member.shape);
    if (member.shape->element == nullptr) continue;
    for (const MembersView& item : members.Structures(member.name))
      ReadAll(item, *member.shape->element);
  }
}

}  // namespace
}  // namespace fluoro::api::xray

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fluoro::api::xray;
  if (size == 0) return 0;
  const Operation& operation = Operations()[data[0] % Operations().size()];
  if (operation.input == nullptr) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto request = Request::Parse(body, *operation.input);
  if (!request) return 0;
  ReadAll(request->members(), *operation.input);
  if (const auto token = request->members().Text("NextToken")) {
    for (const std::size_t bytes : {8U, 12U, 36U}) {
      if (auto reader = PositionReader::Open(*token, Fingerprint(operation.name), bytes))
        reader->Take(8);
    }
  }
  return 0;
}
