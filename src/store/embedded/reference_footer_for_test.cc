#include "store/embedded/reference_footer_for_test.h"

#include "store/embedded/reference_values_for_test.h"

namespace fluoro::store::reference {

Result<Footer> ReadFooter(const std::string& bytes, Block& block) {
  Footer footer;
  Cursor in(bytes);
  block.order = 0;
  while (!in.done()) {
    const std::uint64_t tag = in.Varint();
    const std::string text = in.Text();
    Cursor value(text);
    switch (tag) {
      case 1:
        block.id = value.Varint();
        break;
      case 2:
        block.level = value.Varint();
        break;
      case 3:
        block.created_ns = value.Signed();
        break;
      case 4:
        block.sealed_lsn = value.Varint();
        break;
      case 5:
        block.spans = value.Varint();
        break;
      case 6:
        footer.traces = value.Count();
        break;
      case 7:
        block.start_ns_min = value.Signed();
        break;
      case 8:
        block.start_ns_max = value.Signed();
        break;
      case 9:
        block.end_ns_max = value.Signed();
        break;
      case 10:
        block.arrival_ns_min = value.Signed();
        break;
      case 11:
        block.arrival_ns_max = value.Signed();
        break;
      case 12:
        block.id_min = TakeId<model::TraceId>(value);
        break;
      case 13:
        block.id_max = TakeId<model::TraceId>(value);
        break;
      case 14:
        while (!value.done()) block.replaces.push_back(value.Varint());
        break;
      case 15:
        while (!value.done()) block.row_groups.push_back(value.Varint());
        break;
      case 16:
        while (!value.done()) {
          Section section;
          section.type = value.Fixed(1);
          section.codec = value.Fixed(1);
          section.row_group = value.Varint();
          section.column = value.Varint();
          section.offset = value.Varint();
          section.stored = value.Varint();
          section.raw = value.Varint();
          section.sum = value.Fixed(8);
          footer.sections.push_back(section);
        }
        break;
      case 17:
        block.order = value.Varint();
        break;
      case 18:
        block.judged_ns = value.Signed();
        break;
      case 19:
        footer.skeletons = value.Varint();
        break;
      case 20:
        block.page_traces = value.Varint();
        while (!value.done()) block.page_ids.push_back(TakeId<model::TraceId>(value));
        break;
      default:
        block.seen.insert("unknown tag");
        continue;
    }
    if (value.failed() || !value.done()) return Wrong("footer field " + std::to_string(tag));
  }
  if (in.failed()) return Wrong("the footer");
  if (block.order == 0) block.order = block.id;
  return footer;
}

}  // namespace fluoro::store::reference
