#include "twofour/train/program/exchange/onnx_graph.h"

#include <fmt/format.h>
#include <onnx/checker.h>
#include <onnx/onnx-ml.pb.h>

#include <cstddef>
#include <set>
#include <stdexcept>

#include "twofour/core/error.h"

namespace twofour::train {
namespace {

// The first with everything that the models need, so that also old runtimes read it.
constexpr int64_t kOperatorSet = 13, kIrVersion = 7;
// Attributes that hold one integer, and not a list of them.
const std::set<std::string>& SingleAttributes() {
  static const std::set<std::string> names = {"axis", "keepdims", "transB", "to"};
  return names;
}

void SetType(onnx::ValueInfoProto& value, OnnxGraph::Element element, const std::vector<OnnxDim>& shape) {
  auto& tensor = *value.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(element == OnnxGraph::Element::kF32 ? onnx::TensorProto::FLOAT : onnx::TensorProto::INT64);
  tensor.mutable_shape();
  for (const OnnxDim& dim : shape) {
    auto& added = *tensor.mutable_shape()->add_dim();
    if (dim.name.empty()) {
      added.set_dim_value(dim.size);
    } else {
      added.set_dim_param(dim.name);
    }
  }
}

}  // namespace

struct OnnxGraph::Model {
  onnx::ModelProto proto;
  std::set<std::string> initializers;
  uint64_t bytes = 0;  // Of initializers.
  int64_t values = 0;  // Made up so far.
};

OnnxGraph::OnnxGraph() : model_(std::make_unique<Model>()) {
  model_->proto.set_ir_version(kIrVersion);
  model_->proto.set_producer_name("twofour");
  model_->proto.add_opset_import()->set_version(kOperatorSet);
  model_->proto.mutable_graph()->set_name("twofour");
}

OnnxGraph::~OnnxGraph() = default;

void OnnxGraph::AddInput(const std::string& name, Element element, const std::vector<OnnxDim>& shape) {
  onnx::ValueInfoProto& input = *model_->proto.mutable_graph()->add_input();
  input.set_name(name);
  SetType(input, element, shape);
}

void OnnxGraph::AddOutput(const std::string& value, const std::vector<OnnxDim>& shape) {
  onnx::ValueInfoProto& output = *model_->proto.mutable_graph()->add_output();
  output.set_name(value);
  SetType(output, Element::kF32, shape);
}

std::string OnnxGraph::Initializer(const std::string& name, const Tensor& tensor) {
  if (!model_->initializers.insert(name).second) return name;
  const bool is_f32 = tensor.dtype() == DType::kF32;
  if (!is_f32 && tensor.dtype() != DType::kI64) throw std::logic_error("OnnxGraph: initializers are f32 or i64");
  const uint64_t bytes = static_cast<uint64_t>(tensor.numel()) * SizeOf(tensor.dtype());
  constexpr uint64_t kMostBytes = (uint64_t{1} << 31) - (1 << 20);  // With room for what describes them.
  if (model_->bytes + bytes > kMostBytes) {
    throw Error(fmt::format("the model's weights take more than {} bytes, which is more than an ONNX file can hold",
                            kMostBytes));
  }
  model_->bytes += bytes;
  onnx::TensorProto& added = *model_->proto.mutable_graph()->add_initializer();
  added.set_name(name);
  added.set_data_type(is_f32 ? onnx::TensorProto::FLOAT : onnx::TensorProto::INT64);
  for (const int64_t size : tensor.shape()) added.add_dims(size);
  added.set_raw_data(tensor.raw(), bytes);
  return name;
}

std::string OnnxGraph::Scalar(double value) {
  return Initializer(fmt::format("scalar_{}", value), Tensor::Full({}, value));
}

std::string OnnxGraph::Integers(const std::vector<int64_t>& values) {
  std::string name = "integers";
  for (const int64_t value : values) name += fmt::format("_{}", value);
  return Initializer(name, Tensor::FromVector(values, {static_cast<int64_t>(values.size())}));
}

std::string OnnxGraph::Node(const std::string& op, const std::vector<std::string>& inputs,
                            const Attributes& attributes) {
  onnx::NodeProto& node = *model_->proto.mutable_graph()->add_node();
  node.set_op_type(op);
  for (const std::string& input : inputs) node.add_input(input);
  for (const auto& [name, values] : attributes) {
    onnx::AttributeProto& attribute = *node.add_attribute();
    attribute.set_name(name);
    if (SingleAttributes().contains(name)) {
      attribute.set_type(onnx::AttributeProto::INT);
      attribute.set_i(values.at(0));
    } else {
      attribute.set_type(onnx::AttributeProto::INTS);
      for (const int64_t value : values) attribute.add_ints(value);
    }
  }
  const std::string output = fmt::format("{}_{}", op, model_->values++);
  node.set_name(output);
  node.add_output(output);
  return output;
}

std::string OnnxGraph::NameLast(const std::string& name) {
  onnx::GraphProto& graph = *model_->proto.mutable_graph();
  graph.mutable_node(graph.node_size() - 1)->set_output(0, name);
  return name;
}

std::string OnnxGraph::ToBytes(const std::map<std::string, std::string>& metadata) {
  onnx::ModelProto& proto = model_->proto;
  proto.clear_metadata_props();
  for (const auto& [key, value] : metadata) {
    onnx::StringStringEntryProto& entry = *proto.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
  try {
    onnx::checker::check_model(proto);
  } catch (const std::exception& error) {
    throw std::logic_error(fmt::format("ONNX's checker refuses the model: {}", error.what()));
  }
  return proto.SerializeAsString();
}

}  // namespace twofour::train
