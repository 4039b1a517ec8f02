#include "base/json_copy.h"

namespace fluoro {

// NOLINTNEXTLINE(misc-no-recursion): as deep as the parser allows
void CopyJson(JsonWriter& out, const JsonView& view) {
  switch (view.type()) {
    case JsonType::kNull:
      out.Null();
      return;
    case JsonType::kBool:
      out.Bool(*view.Bool());
      return;
    case JsonType::kInt:
      out.Int(*view.Int());
      return;
    case JsonType::kDouble:
      out.Double(*view.Double());
      return;
    case JsonType::kString:
      out.String(*view.String());
      return;
    case JsonType::kArray:
      out.BeginArray();
      for (const JsonView& element : view.Elements()) CopyJson(out, element);
      out.EndArray();
      return;
    case JsonType::kObject:
      out.BeginObject();
      for (const auto& member : view.Members()) {
        out.Key(member.key);
        CopyJson(out, member.value);
      }
      out.EndObject();
      return;
  }
}

}  // namespace fluoro
