#include "store/embedded/reference_attributes_for_test.h"

#include "store/embedded/reference_values_for_test.h"

namespace fluoro::store::reference {

Attributes::Attributes(GroupColumns& columns, const OwnerCounts& counts) : columns_(columns) {
  ReadDirectory();
  if (!columns_.failed()) ReadValues(counts);
}

void Attributes::ReadDirectory() {
  Cursor in = columns_.Column(30);
  directory_.resize(in.Count());
  for (AttributeColumn& column : directory_) {
    column.owner = in.Fixed(1);
    column.type = in.Fixed(1);
    column.role = in.Fixed(1);
    column.key = in.Text();
    columns_.seen().insert("attribute " + std::to_string(column.type));
  }
  columns_.Check(in);
}

void Attributes::ReadValues(const OwnerCounts& counts) {
  std::vector<std::vector<std::string>> shapes;
  std::vector<std::uint64_t> values(directory_.size());
  for (std::uint64_t kind = 0; kind < kOwnerKinds; ++kind) {
    shapes.push_back(columns_.TextsOf(32 + kind, counts[kind]));
    for (const std::string& shape : shapes.back()) {
      Cursor in(shape);
      while (!in.done()) {
        const std::uint64_t column = in.Fixed(4);
        if (column > directory_.size() || (column > 0 && directory_[column - 1].owner != kind)) {
          columns_.Fail();
          return;
        }
        if (column > 0) ++values[column - 1];
      }
      columns_.Check(in);
    }
  }
  if (columns_.failed()) return;
  for (std::uint64_t i = 0; i < directory_.size(); ++i) {
    AttributeColumn& column = directory_[i];
    if (IsText(column.type)) {
      column.texts = columns_.TextsOf(64 + i, values[i]);
    } else if (column.type != 0) {
      column.numbers = columns_.IntsOf(64 + i, values[i]);
    }
  }
  for (std::uint64_t kind = 0; kind < kOwnerKinds && !columns_.failed(); ++kind) {
    Cursor overflow = columns_.Column(40 + kind);
    for (const std::string& shape : shapes[kind]) {
      owners_[kind].push_back(AttributesOf(shape, overflow));
    }
    columns_.Check(overflow);
  }
}

std::vector<model::Attribute> Attributes::AttributesOf(const std::string& shape, Cursor& overflow) {
  std::vector<model::Attribute> attributes;
  Cursor in(shape);
  while (!in.done()) {
    const std::uint64_t place = in.Fixed(4);
    model::Attribute attribute;
    std::uint64_t role = 0;
    if (place == 0) {
      columns_.seen().insert("overflow");
      attribute.key = overflow.Text();
      const std::uint64_t type = overflow.Fixed(1);
      role = overflow.Fixed(1);
      const std::string text = IsText(type) ? overflow.Text() : std::string();
      const std::uint64_t number = IsText(type) ? 0 : overflow.Fixed(8);
      attribute.value = ValueOf(type, number, text, overflow);
    } else {
      AttributeColumn& column = directory_[place - 1];
      role = column.role;
      attribute.key = column.key;
      const std::size_t i = column.next++;
      const std::string text = IsText(column.type) ? column.texts[i] : std::string();
      std::uint64_t number = IsText(column.type) || column.type == 0 ? 0 : column.numbers[i];
      if (column.type == 3) number = static_cast<std::uint64_t>(Cursor::UnZigZag(number));
      attribute.value = ValueOf(column.type, number, text, overflow);
    }
    attribute.role = static_cast<model::AttributeRole>(role);
    attributes.push_back(std::move(attribute));
  }
  return attributes;
}

}  // namespace fluoro::store::reference
