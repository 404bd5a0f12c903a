#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/dtype.h"
#include "twofour/core/shape.h"
#include "twofour/core/storage.h"

namespace twofour {

namespace autograd {
class Node;
}

/// A cheap handle to a contiguous, row-major, 64-byte-aligned array. Copying a Tensor copies the
/// handle; Clone() copies the elements. There are no strides: a transpose is an operation. Weights
/// are [out_features, in_features], activations [batch, features], as in PyTorch.
///
/// Threads: the rules are those of standard containers. Any number may read the same elements and pass handles to ops.
/// A call that writes to elements, to a gradient or to a handle (mutable_data, CopyFrom, Fill, set_grad, ZeroGrad,
/// assignment) must run alone on them. Backward() writes to the gradients of all leaves that it reaches, and frees its
/// graph. So two may run at once only where they share no leaf and no part of a graph.
class Tensor {
 public:
  /// An undefined tensor: holds nothing, stands for "no bias", "no gradient yet".
  Tensor() = default;

  /// Uninitialised elements.
  static Tensor Empty(Shape shape, DType dtype = DType::kF32);
  static Tensor Zeros(Shape shape, DType dtype = DType::kF32);
  static Tensor Full(Shape shape, double value, DType dtype = DType::kF32);
  /// A tensor of shape [] (rank 0).
  static Tensor Scalar(double value, DType dtype = DType::kF32);
  /// Elements in row-major order. Throws Error when `values` does not have as many elements as
  /// `shape`.
  template <typename T>
  static Tensor FromVector(const std::vector<T>& values, Shape shape) {
    Tensor tensor = EmptyFor(values.size(), std::move(shape), DTypeOf<T>());
    std::copy(values.begin(), values.end(), tensor.mutable_data<T>());
    return tensor;
  }

  bool defined() const { return impl_ != nullptr; }
  const Shape& shape() const;
  DType dtype() const;
  int64_t numel() const;
  int rank() const { return static_cast<int>(shape().size()); }
  /// Size of one dimension; negative axes count from the end. Throws Error when there is no such
  /// dimension.
  int64_t dim(int axis) const;
  /// The last dimension (1 for a scalar), and the number of rows of that length: any tensor seen as
  /// [rows, cols].
  int64_t cols() const;
  int64_t rows() const;

  /// Elements for reading. Throws Error, naming `op`, unless T is exactly the ElementType of the tensor's dtype. By
  /// default, `op` is the calling function.
  template <typename T>
  const T* data(const char* op = __builtin_FUNCTION()) const {
    RequireDType(DTypeOf<T>(), op);
    return reinterpret_cast<const T*>(raw());
  }
  /// Elements for writing in place; advances version(). Call it again for each round of writes: mask refreshes and
  /// saved tensors go by the version, and see a write only when it was announced this way.
  template <typename T>
  T* mutable_data(const char* op = __builtin_FUNCTION()) {
    RequireDType(DTypeOf<T>(), op);
    return reinterpret_cast<T*>(mutable_raw());
  }
  /// Bytes of the elements, for files.
  const std::byte* raw() const;
  std::byte* mutable_raw();
  /// Number of in-place writes so far to the elements that this handle shares.
  uint64_t version() const;

  /// The single element of a one-element tensor, as double: an i64 beyond 2^53 is rounded.
  double item() const;
  std::vector<float> ToVector() const;

  /// A deep copy, outside any graph.
  Tensor Clone() const;
  /// The same elements, outside any graph.
  Tensor Detach() const;
  /// The same elements under another shape with as many elements, outside any graph (see Reshape
  /// for the op).
  Tensor View(Shape shape) const;
  /// A copy converted to another dtype, outside any graph; the tensor itself, detached, when the dtype is the same.
  /// Converts as the op Cast does, except that numbers which an integer dtype cannot hold are an Error here.
  Tensor To(DType dtype) const;
  /// Overwrites the elements. Throws Error on another shape or dtype.
  void CopyFrom(const Tensor& source);
  void Fill(double value);

  /// True for a leaf that asked for a gradient and for everything computed from one.
  bool requires_grad() const;
  /// Makes a leaf ask for a gradient. Returns *this, to chain.
  Tensor& set_requires_grad(bool value = true);
  /// The accumulated gradient of a leaf; undefined before the first Backward().
  const Tensor& grad() const;
  /// Throws Error unless the gradient has this tensor's shape and a dtype that GoesWith this tensor's. A gradient of
  /// another dtype is converted, so grad() always has the dtype of the tensor.
  void set_grad(Tensor grad);
  void ZeroGrad();

  /// Adds d(this)/d(leaf) to grad() of every leaf that requires a gradient, then frees the graph. Where the leaf has 16
  /// bits, all that one call adds is added in f32 and rounded once.
  /// The tensor must have one element, or `output_grad` of its shape must be given, whose dtype GoesWith its own.
  /// Throws Error when there is no graph or it was used before, when a tensor that the backward pass needs was written
  /// to in place since, or when an op's backward function returns gradients that do not fit its inputs. If anything is
  /// thrown while backward functions run, by them or by Backward(), the graph is freed, and leaves that were reached
  /// before may have got a part of their gradient.
  void Backward() const;
  void Backward(const Tensor& output_grad) const;

  /// True when both handles share their elements.
  bool IsSameStorage(const Tensor& other) const;
  /// True when no other handle shares the elements: they may be reused for a result.
  bool IsSoleOwner() const;

  struct Impl;
  const std::shared_ptr<Impl>& impl() const { return impl_; }

 private:
  explicit Tensor(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  static Tensor EmptyFor(size_t values, Shape shape, DType dtype);
  void RequireDefined(const char* what) const;
  void RequireDType(DType dtype, const char* op) const;

  std::shared_ptr<Impl> impl_;
};

/// What a Tensor points to. Public so that autograd can attach nodes to it; not for users.
struct Tensor::Impl {
  std::shared_ptr<Storage> storage;
  Shape shape;
  DType dtype = DType::kF32;
  int64_t numel = 0;
  bool leaf_requires_grad = false;
  Tensor grad;
  std::shared_ptr<autograd::Node> node;  // The op that made this tensor; null for a leaf.
};

/// What error messages call a tensor: "f32 [2, 3]", or "undefined".
std::string Describe(const Tensor& tensor);
/// The same for any tensor of this dtype and shape.
std::string Describe(DType dtype, const Shape& shape);

/// The list without repeats: if several handles mean one tensor, only the first stays. A weight that two layers share
/// has one gradient, which must be counted and scaled once.
std::vector<Tensor> WithoutRepeats(const std::vector<Tensor>& tensors);

/// A tensor and the dotted name that PyTorch would give it.
struct NamedTensor {
  std::string name;
  Tensor tensor;
};

}  // namespace twofour
