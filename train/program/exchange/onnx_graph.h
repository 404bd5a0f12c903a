#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "twofour/core/tensor.h"

namespace twofour::train {

/// A dimension of an ONNX value: a size, or the name of one that is open, such as "batch".
struct OnnxDim {
  OnnxDim(int64_t size) : size(size) {}
  OnnxDim(const char* name) : name(name) {}

  int64_t size = 0;
  std::string name = {};
};

/// Builds an ONNX model (https://onnx.ai, operator set 13) node by node. Values are known by names: those of inputs and
/// initializers are given, those of nodes are made up from `name`. Hides ONNX's protobuf classes, which are slow to
/// compile.
class OnnxGraph {
 public:
  OnnxGraph();
  ~OnnxGraph();

  enum class Element { kF32, kI64 };
  void AddInput(const std::string& name, Element element, const std::vector<OnnxDim>& shape);
  void AddOutput(const std::string& value, const std::vector<OnnxDim>& shape);

  /// A constant tensor, f32 or i64; adding one of a name again does nothing. Returns the name. Throws Error if all of
  /// them are more than 2 GiB, which a protobuf cannot be.
  std::string Initializer(const std::string& name, const Tensor& tensor);
  std::string Scalar(double value);
  std::string Integers(const std::vector<int64_t>& values);

  /// A node with one output, whose name this returns.
  using Attributes = std::map<std::string, std::vector<int64_t>>;
  std::string Node(const std::string& op, const std::vector<std::string>& inputs, const Attributes& attributes = {});
  /// Gives the output of the last node this name.
  std::string NameLast(const std::string& name);

  /// The model's bytes, checked by ONNX's own checker.
  std::string ToBytes(const std::map<std::string, std::string>& metadata);

 private:
  struct Model;
  std::unique_ptr<Model> model_;
};

}  // namespace twofour::train
