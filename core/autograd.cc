#include "twofour/core/autograd.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/gradient_sum.h"
#include "twofour/core/leaf_gradients.h"

namespace twofour {
namespace {

thread_local bool grad_enabled = true;

using autograd::Edge;
using autograd::Node;

/// Every node reachable from `root`, each after all nodes to which it passes its gradient (inputs first). It is
/// iterative, because graphs of long training loops are deeper than the stack.
std::vector<Node*> InputsFirst(Node* root) {
  std::vector<Node*> order;
  std::unordered_set<Node*> seen{root};
  std::vector<std::pair<Node*, size_t>> stack{{root, 0}};
  while (!stack.empty()) {
    auto& [node, next] = stack.back();
    if (next == node->inputs().size()) {
      order.push_back(node);
      stack.pop_back();
      continue;
    }
    Node* input = node->inputs()[next++].node.get();
    if (input != nullptr && seen.insert(input).second) stack.emplace_back(input, 0);
  }
  return order;
}

void AccumulateLeaf(Tensor::Impl& leaf, Tensor grad) {
  // A buffer that somebody else holds (the user, another leaf) must not become a gradient that is
  // added to later. Nor must a tensor that has a graph of its own.
  if (grad.requires_grad() || (!leaf.grad.defined() && !grad.IsSoleOwner())) grad = grad.Clone();
  AccumulateGradient(leaf.dtype, leaf.grad, std::move(grad));
  if (leaf.grad.dtype() != leaf.dtype) leaf.grad = leaf.grad.To(leaf.dtype);
}

/// Throws Error unless `grad` fits what `edge` leads to.
void RequireFits(const Node& node, size_t input, const Edge& edge, const Tensor& grad) {
  if (!grad.defined() || (edge.node == nullptr && edge.leaf == nullptr)) return;
  const Shape& shape = edge.node != nullptr ? edge.node->output_shape() : edge.leaf->shape;
  const DType dtype = edge.node != nullptr ? edge.node->output_dtype() : edge.leaf->dtype;
  if (grad.shape() == shape && GoesWith(grad.dtype(), dtype)) return;
  throw Error(fmt::format("Backward: {} returned an invalid gradient for input {} (counted from 0): {}, expected {}",
                          node.op(), input, Describe(grad), Describe(dtype, shape)));
}

void RequireRecordable(std::string_view op, std::span<const Tensor> inputs, const Tensor& output,
                       const autograd::BackwardFunction& backward) {
  if (!output.defined()) throw Error(fmt::format("Record: the output of {} is undefined", op));
  if (backward == nullptr) throw Error(fmt::format("Record: {} has no backward function", op));
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].impl() != output.impl()) continue;
    throw Error(
        fmt::format("Record: the output of {} is its input {} (counted from 0), expected a tensor of its own", op, i));
  }
}

/// Counts the inputs of a graph's ops that are leaves, and says when all of a leaf's are done.
class LeafCountdown {
 public:
  explicit LeafCountdown(const std::vector<Node*>& nodes) : on_complete_(autograd::LeafGradientScope::Current()) {
    if (on_complete_ == nullptr) return;
    for (const Node* node : nodes) {
      for (const Edge& edge : node->inputs()) {
        if (edge.leaf != nullptr) ++left_[edge.leaf.get()];
      }
    }
  }
  /// The op has run, or will not run. Leaves of 16 bits get their gradient only in the end.
  void Done(const Node& node) {
    if (on_complete_ == nullptr) return;
    for (const Edge& edge : node.inputs()) {
      if (edge.leaf != nullptr && --left_.at(edge.leaf.get()) == 0 && !IsHalf(edge.leaf->dtype)) Tell(*edge.leaf);
    }
  }
  void Tell(const Tensor::Impl& leaf) const {
    if (on_complete_ != nullptr && leaf.grad.defined()) (*on_complete_)(leaf);
  }

 private:
  const autograd::LeafGradientScope::OnComplete* on_complete_;
  std::unordered_map<const Tensor::Impl*, int64_t> left_;
};

/// Frees a graph, whether its backward pass ends or throws.
class ReleaseAtEnd {
 public:
  explicit ReleaseAtEnd(const std::vector<Node*>& nodes) : nodes_(nodes) {}
  ~ReleaseAtEnd() {
    for (Node* node : nodes_) node->Release();
  }
  ReleaseAtEnd(const ReleaseAtEnd&) = delete;
  ReleaseAtEnd& operator=(const ReleaseAtEnd&) = delete;

 private:
  const std::vector<Node*>& nodes_;
};

}  // namespace

NoGradGuard::NoGradGuard() : previous_(grad_enabled) { grad_enabled = false; }
NoGradGuard::~NoGradGuard() { grad_enabled = previous_; }
bool GradEnabled() { return grad_enabled; }

namespace autograd {

SavedTensor::SavedTensor(const Tensor& tensor) {
  if (!tensor.defined()) return;
  tensor_ = tensor.Detach();
  version_ = tensor.version();
}

const Tensor& SavedTensor::Get() const {
  if (tensor_.defined() && tensor_.version() != version_) {
    throw Error(
        fmt::format("Backward: a tensor of shape {} that the backward pass needs was written to in place after "
                    "the forward pass (version {}, expected {})",
                    ToString(tensor_.shape()), tensor_.version(), version_));
  }
  return tensor_;
}

Node::Node(std::string_view op, std::vector<Edge> inputs, const Tensor& output, BackwardFunction backward)
    : op_(op),
      inputs_(std::move(inputs)),
      output_shape_(output.shape()),
      output_dtype_(output.dtype()),
      backward_(std::move(backward)) {}

Node::~Node() {
  // A chain of a million ops must not be freed by a million nested destructors.
  std::vector<std::shared_ptr<Node>> pending;
  const auto take = [&pending](std::vector<Edge>& edges) {
    for (Edge& edge : edges) {
      if (edge.node != nullptr) pending.push_back(std::move(edge.node));
    }
  };
  take(inputs_);
  while (!pending.empty()) {
    const std::shared_ptr<Node> node = std::move(pending.back());
    pending.pop_back();
    if (node.use_count() == 1) take(node->inputs_);
  }
}

std::vector<Tensor> Node::Run(const Tensor& output_grad) {
  // Taken away first, so that a backward function that reaches this graph again finds it used and does not run for
  // ever.
  const BackwardFunction backward = std::exchange(backward_, nullptr);
  std::vector<Tensor> grads = backward(output_grad);
  if (grads.size() != inputs_.size()) {
    throw Error(
        fmt::format("Backward: {} returned {} gradient{}, expected {}: one for each input, undefined where it needs "
                    "none",
                    op_, grads.size(), grads.size() == 1 ? "" : "s", inputs_.size()));
  }
  for (size_t i = 0; i < grads.size(); ++i) RequireFits(*this, i, inputs_[i], grads[i]);
  return grads;
}

void Record(std::string_view op, std::span<const Tensor> inputs, Tensor& output, BackwardFunction backward) {
  RequireRecordable(op, inputs, output, backward);
  if (!grad_enabled) return;
  if (std::none_of(inputs.begin(), inputs.end(), [](const Tensor& t) { return t.requires_grad(); })) return;
  if (!IsFloating(output.dtype())) {
    throw Error(fmt::format("Record: the output of {} is {}, expected f64, f32, f16 or bf16: only such have gradients",
                            op, NameOf(output.dtype())));
  }
  if (output.impl()->leaf_requires_grad) {
    throw Error(fmt::format("Record: the output of {} is a leaf that requires a gradient, expected a new tensor", op));
  }
  std::vector<Edge> edges;
  edges.reserve(inputs.size());
  for (const Tensor& input : inputs) {
    if (!input.requires_grad()) {
      edges.emplace_back();
    } else if (input.impl()->node != nullptr) {
      edges.push_back({input.impl()->node, nullptr});
    } else {
      edges.push_back({nullptr, input.impl()});
    }
  }
  output.impl()->node = std::make_shared<Node>(op, std::move(edges), output, std::move(backward));
}

}  // namespace autograd

void Tensor::Backward() const {
  if (numel() != 1) {
    throw Error(fmt::format("Backward: shape {} needs a gradient to start from; only one element goes without",
                            ToString(shape())));
  }
  Backward(Full(shape(), 1.0, dtype()));
}

void Tensor::Backward(const Tensor& output_grad) const {
  if (!requires_grad()) throw Error("Backward: nothing this tensor was computed from requires a gradient");
  if (!output_grad.defined()) throw Error("Backward: the output's gradient is undefined");
  if (output_grad.shape() != shape() || !GoesWith(output_grad.dtype(), dtype())) {
    throw Error(fmt::format("Backward: a gradient {} for an output {}", Describe(output_grad), Describe(*this)));
  }
  if (impl_->node == nullptr) {
    AccumulateLeaf(*impl_, output_grad);
    return;
  }
  const std::shared_ptr<Node> root = impl_->node;  // Keeps the graph alive, even if this handle changes.
  const std::vector<Node*> inputs_first = InputsFirst(root.get());
  for (const Node* node : inputs_first) {
    if (node->released()) {
      throw Error(fmt::format("Backward: the graph was freed by an earlier Backward (at {})", node->op()));
    }
  }
  const NoGradGuard no_grad;
  const ReleaseAtEnd release(inputs_first);
  std::unordered_map<const Node*, GradientSum> pending;
  const auto pending_for = [&pending](const Node& node) -> GradientSum& {
    return pending.try_emplace(&node, node.output_dtype()).first->second;
  };
  std::unordered_map<Tensor::Impl*, Tensor> half_leaves;  // Sums in f32 for leaves of 16 bits, to be rounded once.
  LeafCountdown leaves(inputs_first);
  pending_for(*root).Add(output_grad);
  for (auto it = inputs_first.rbegin(); it != inputs_first.rend(); ++it) {
    Node* node = *it;
    const Tensor grad = pending_for(*node).Take();
    pending.erase(node);
    if (!grad.defined()) {  // Reached only through inputs that got no gradient.
      node->Release();
      leaves.Done(*node);
      continue;
    }
    std::vector<Tensor> input_grads = node->Run(grad);
    for (size_t i = 0; i < input_grads.size(); ++i) {
      const Edge& edge = node->inputs()[i];
      if (!input_grads[i].defined()) continue;
      if (edge.node != nullptr) {
        pending_for(*edge.node).Add(std::move(input_grads[i]));
      } else if (edge.leaf != nullptr && IsHalf(edge.leaf->dtype)) {
        AccumulateGradient(edge.leaf->dtype, half_leaves[edge.leaf.get()], std::move(input_grads[i]));
      } else if (edge.leaf != nullptr) {
        AccumulateLeaf(*edge.leaf, std::move(input_grads[i]));
      }
    }
    leaves.Done(*node);
  }
  for (auto& [leaf, grad] : half_leaves) {
    AccumulateLeaf(*leaf, std::move(grad));
    leaves.Tell(*leaf);
  }
}

}  // namespace twofour
