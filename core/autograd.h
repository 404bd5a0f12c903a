#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "twofour/core/tensor.h"

namespace twofour {

/// While a guard lives, ops on this thread record no graph. Used for evaluation and for optimizer updates. Other
/// threads still record.
class NoGradGuard {
 public:
  NoGradGuard();
  ~NoGradGuard();
  NoGradGuard(const NoGradGuard&) = delete;
  NoGradGuard& operator=(const NoGradGuard&) = delete;

 private:
  bool previous_;
};

/// True unless a NoGradGuard lives on this thread.
bool GradEnabled();

namespace autograd {

/// A tensor kept for the backward pass. Reading it after somebody wrote to the elements in place is
/// an Error: the gradient would silently be wrong.
class SavedTensor {
 public:
  SavedTensor() = default;
  explicit SavedTensor(const Tensor& tensor);
  const Tensor& Get() const;

 private:
  Tensor tensor_;
  uint64_t version_ = 0;
};

/// Maps the gradient of an op's output to the gradients of its inputs: one for each, in the order they
/// were recorded, with the input's shape and a dtype that GoesWith the input's. An undefined tensor stands for
/// an input that needs none, or for zero. Backward() throws Error on anything else. May return `output_grad` itself.
using BackwardFunction = std::function<std::vector<Tensor>(const Tensor& output_grad)>;

/// Where the gradient of one input goes: to the op that made the input, or into the input itself where that is a leaf.
/// Both null: nowhere.
struct Edge {
  std::shared_ptr<Node> node;
  std::shared_ptr<Tensor::Impl> leaf;
};

/// One recorded op. A node belongs to its output tensor and points at the nodes of its inputs.
class Node {
 public:
  Node(std::string_view op, std::vector<Edge> inputs, const Tensor& output, BackwardFunction backward);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  std::string_view op() const { return op_; }
  const std::vector<Edge>& inputs() const { return inputs_; }
  const Shape& output_shape() const { return output_shape_; }
  DType output_dtype() const { return output_dtype_; }
  bool released() const { return backward_ == nullptr; }
  /// The gradients of the inputs, as many as inputs(). Runs once, and frees what was saved for it. Throws Error, naming
  /// the op, when the backward function returns anything other than BackwardFunction says.
  std::vector<Tensor> Run(const Tensor& output_grad);
  /// Frees what was saved for the backward pass.
  void Release() { backward_ = nullptr; }

 private:
  std::string op_;
  std::vector<Edge> inputs_;
  Shape output_shape_;
  DType output_dtype_;
  BackwardFunction backward_;
};

/// Makes `output` the result of `op`: gives it a node, unless gradients are off or no input requires one. Every op
/// calls this once, at its end. An op of your own does so, too; `op` is its name in messages. Throws Error unless
/// `output` is a tensor of its own and not an input. To get a node, it must also be floating, and no leaf that requires
/// a gradient. So an op that overwrites its input cannot be recorded.
void Record(std::string_view op, std::span<const Tensor> inputs, Tensor& output, BackwardFunction backward);
inline void Record(std::string_view op, std::initializer_list<Tensor> inputs, Tensor& output,
                   BackwardFunction backward) {
  Record(op, std::span<const Tensor>(inputs.begin(), inputs.size()), output, std::move(backward));
}

}  // namespace autograd
}  // namespace twofour
