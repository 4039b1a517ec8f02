// Parts of DescribeSpan: what kind of document a span becomes, and what it is called.
#pragma once

#include <string>

#include "model/attribute_reader.h"
#include "model/entity.h"

namespace fluoro::model::describe {

enum class Shape { kSegment, kSubsegment, kTwoDocuments };

struct Input {
  const Span& span;
  const AttributeReader& attributes;
  const AttributeReader& resource;
  const DescribeOptions& options;
  bool local_root = false;  ///< `aws.span.kind` is LOCAL_ROOT
  bool aws_api = false;     ///< the RPC system is aws-api
};

Shape ShapeOf(const Input& in);

struct Naming {
  std::string name;  ///< cleaned, never empty
  bool by_aws_service = false;
};
/// Name of the segment or subsegment; for two documents, of the dependency subsegment.
Naming NameOf(const Input& in, Shape shape);
/// Name of the service segment of two documents.
std::string ServiceSegmentName(const Input& in);
/// "aws", "remote" or "".
std::string NameSpaceOf(const Input& in, Shape shape, const Naming& naming);

}  // namespace fluoro::model::describe
