#include "model/any_value.h"

#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

namespace fluoro::model {
namespace {

enum AnyValueField : protozero::pbf_tag_type {
  kStringField = 1,
  kBoolField = 2,
  kIntField = 3,
  kDoubleField = 4,
  kArrayField = 5,
  kKvListField = 6,
  kBytesField = 7,
};

Result<AttributeValue> Decode(protozero::data_view bytes, int depth);

Result<AttributeValue> DecodeArray(protozero::data_view bytes, int depth) {
  AttributeValue::Array array;
  protozero::pbf_reader reader(bytes);
  while (reader.next()) {
    if (reader.tag() == 1 && reader.wire_type() == protozero::pbf_wire_type::length_delimited) {
      FLUORO_TRY(auto value, Decode(reader.get_view(), depth));
      array.values.push_back(std::move(value));
    } else {
      reader.skip();
    }
  }
  return AttributeValue{std::move(array)};
}

Result<AttributeValue> DecodeKvList(protozero::data_view bytes, int depth) {
  AttributeValue::KvList list;
  protozero::pbf_reader reader(bytes);
  while (reader.next()) {
    if (reader.tag() != 1 || reader.wire_type() != protozero::pbf_wire_type::length_delimited) {
      reader.skip();
      continue;
    }
    KeyValue entry;
    protozero::pbf_reader pair = reader.get_message();
    while (pair.next()) {
      if (pair.tag() == 1 && pair.wire_type() == protozero::pbf_wire_type::length_delimited) {
        entry.key = pair.get_string();
      } else if (pair.tag() == 2 &&
                 pair.wire_type() == protozero::pbf_wire_type::length_delimited) {
        FLUORO_TRY(entry.value, Decode(pair.get_view(), depth));
      } else {
        pair.skip();
      }
    }
    list.entries.push_back(std::move(entry));
  }
  return AttributeValue{std::move(list)};
}

Result<AttributeValue> Decode(protozero::data_view bytes, int depth) {
  if (depth <= 0) return Fail(ErrorCode::kTooLarge, "AnyValue nests deeper than 64 levels");
  AttributeValue result;
  protozero::pbf_reader reader(bytes);
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case protozero::tag_and_type(kStringField, protozero::pbf_wire_type::length_delimited):
        result.value = reader.get_string();
        break;
      case protozero::tag_and_type(kBoolField, protozero::pbf_wire_type::varint):
        result.value = reader.get_bool();
        break;
      case protozero::tag_and_type(kIntField, protozero::pbf_wire_type::varint):
        result.value = std::int64_t{reader.get_int64()};
        break;
      case protozero::tag_and_type(kDoubleField, protozero::pbf_wire_type::fixed64):
        result.value = reader.get_double();
        break;
      case protozero::tag_and_type(kBytesField, protozero::pbf_wire_type::length_delimited):
        result.value = AttributeValue::Bytes{reader.get_string()};
        break;
      case protozero::tag_and_type(kArrayField, protozero::pbf_wire_type::length_delimited): {
        FLUORO_TRY(result, DecodeArray(reader.get_view(), depth - 1));
        break;
      }
      case protozero::tag_and_type(kKvListField, protozero::pbf_wire_type::length_delimited): {
        FLUORO_TRY(result, DecodeKvList(reader.get_view(), depth - 1));
        break;
      }
      default:
        reader.skip();
    }
  }
  return result;
}

}  // namespace

void EncodeAnyValue(const AttributeValue& value, std::string& out) {
  protozero::pbf_writer writer(out);
  switch (value.type()) {
    case AttributeType::kNull:
      break;
    case AttributeType::kString:
      writer.add_string(kStringField, std::get<std::string>(value.value));
      break;
    case AttributeType::kBool:
      writer.add_bool(kBoolField, std::get<bool>(value.value));
      break;
    case AttributeType::kInt:
      writer.add_int64(kIntField, std::get<std::int64_t>(value.value));
      break;
    case AttributeType::kDouble:
      writer.add_double(kDoubleField, std::get<double>(value.value));
      break;
    case AttributeType::kBytes:
      writer.add_bytes(kBytesField, std::get<AttributeValue::Bytes>(value.value).data);
      break;
    case AttributeType::kArray: {
      std::string body;
      protozero::pbf_writer list(body);
      for (const AttributeValue& item : std::get<AttributeValue::Array>(value.value).values) {
        std::string encoded;
        EncodeAnyValue(item, encoded);
        list.add_message(1, encoded);
      }
      writer.add_message(kArrayField, body);
      break;
    }
    case AttributeType::kKvList: {
      std::string body;
      protozero::pbf_writer list(body);
      for (const KeyValue& entry : std::get<AttributeValue::KvList>(value.value).entries) {
        std::string pair;
        protozero::pbf_writer pair_writer(pair);
        pair_writer.add_string(1, entry.key);
        std::string encoded;
        EncodeAnyValue(entry.value, encoded);
        pair_writer.add_message(2, encoded);
        list.add_message(1, pair);
      }
      writer.add_message(kKvListField, body);
      break;
    }
  }
}

Result<AttributeValue> DecodeAnyValue(std::string_view bytes) {
  // protozero reports broken bytes by exceptions; they end here.
  try {
    return Decode(protozero::data_view(bytes.data(), bytes.size()), kNestingMax);
  } catch (const protozero::exception& error) {
    return Fail(ErrorCode::kCorruption, std::string("AnyValue: ") + error.what());
  }
}

}  // namespace fluoro::model
