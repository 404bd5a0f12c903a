#include "twofour/core/tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>
#include <unordered_set>

#include "twofour/core/convert_element.h"
#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/convert.h"

namespace twofour {
namespace {

std::shared_ptr<Tensor::Impl> MakeImpl(std::shared_ptr<Storage> storage, Shape shape, DType dtype) {
  auto impl = std::make_shared<Tensor::Impl>();
  impl->storage = std::move(storage);
  impl->numel = NumElements(shape);
  impl->shape = std::move(shape);
  impl->dtype = dtype;
  return impl;
}

/// A number as an element of another dtype. A number out of an integer's range is an Error.
template <typename To, typename From>
To CheckedElement(From x) {
  if constexpr (std::is_integral_v<To>) {
    if (!HoldsElement<To>(x)) {
      using Printed = std::conditional_t<std::is_integral_v<From>, From, double>;
      using Limits = std::numeric_limits<To>;
      throw Error(fmt::format("cannot store {} as {}, expected {} to {}", ConvertElement<Printed>(x),
                              NameOf(DTypeOf<To>()), +Limits::min(), +Limits::max()));
    }
  }
  return ConvertElement<To>(x);
}

}  // namespace

Tensor Tensor::Empty(Shape shape, DType dtype) {
  auto storage = std::make_shared<Storage>(static_cast<size_t>(NumElements(shape)) * SizeOf(dtype));
  return Tensor(MakeImpl(std::move(storage), std::move(shape), dtype));
}

Tensor Tensor::Zeros(Shape shape, DType dtype) {
  // Tensors that begin as zeros are mostly kept, as the slots of an optimizer are.
  const size_t bytes = static_cast<size_t>(NumElements(shape)) * SizeOf(dtype);
  Tensor tensor(MakeImpl(std::make_shared<Storage>(bytes, BlockCache::Fit::kExact), std::move(shape), dtype));
  if (tensor.numel() > 0) std::memset(tensor.impl_->storage->data(), 0, tensor.impl_->storage->bytes());
  return tensor;
}

Tensor Tensor::Full(Shape shape, double value, DType dtype) {
  Tensor tensor = Empty(std::move(shape), dtype);
  tensor.Fill(value);
  return tensor;
}

Tensor Tensor::Scalar(double value, DType dtype) { return Full({}, value, dtype); }

Tensor Tensor::EmptyFor(size_t values, Shape shape, DType dtype) {
  if (static_cast<int64_t>(values) != NumElements(shape)) {
    throw Error(fmt::format("FromVector: {} values for shape {}", values, ToString(shape)));
  }
  return Empty(std::move(shape), dtype);
}

void Tensor::RequireDefined(const char* what) const {
  if (!defined()) throw Error(fmt::format("{}: the tensor is undefined", what));
}

void Tensor::RequireDType(DType dtype, const char* op) const {
  if (defined() && impl_->dtype == dtype) return;
  if (std::string_view(op) == "operator()") op = "data";  // A lambda's name says nothing.
  RequireDefined(op);
  throw Error(fmt::format("{}: the tensor holds {}, not {}", op, NameOf(impl_->dtype), NameOf(dtype)));
}

const Shape& Tensor::shape() const {
  RequireDefined("shape");
  return impl_->shape;
}

DType Tensor::dtype() const {
  RequireDefined("dtype");
  return impl_->dtype;
}

int64_t Tensor::numel() const {
  RequireDefined("numel");
  return impl_->numel;
}

int64_t Tensor::dim(int axis) const {
  const int index = axis < 0 ? axis + rank() : axis;
  if (index < 0 || index >= rank()) {
    throw Error(fmt::format("dim: axis {} of a tensor of shape {}", axis, ToString(shape())));
  }
  return impl_->shape[index];
}

int64_t Tensor::cols() const { return rank() == 0 ? 1 : shape().back(); }

int64_t Tensor::rows() const {
  int64_t rows = 1;
  for (int axis = 0; axis + 1 < rank(); ++axis) rows *= impl_->shape[axis];
  return rows;
}

const std::byte* Tensor::raw() const {
  RequireDefined("raw");
  return impl_->storage->data();
}

std::byte* Tensor::mutable_raw() {
  RequireDefined("mutable_raw");
  impl_->storage->BumpVersion();
  return impl_->storage->data();
}

uint64_t Tensor::version() const {
  RequireDefined("version");
  return impl_->storage->version();
}

double Tensor::item() const {
  if (numel() != 1) throw Error(fmt::format("item: expected one element, got shape {}", ToString(shape())));
  double value = 0;
  DispatchDType(dtype(), [&](auto zero) { value = ConvertElement<double>(*data<decltype(zero)>()); });
  return value;
}

std::vector<float> Tensor::ToVector() const {
  std::vector<float> values(static_cast<size_t>(numel()));
  DispatchDType(dtype(), [&](auto zero) {
    const auto* source = data<decltype(zero)>();
    std::transform(source, source + numel(), values.begin(), [](auto x) { return ConvertElement<float>(x); });
  });
  return values;
}

Tensor Tensor::Clone() const {
  Tensor copy = Empty(shape(), dtype());
  copy.CopyFrom(*this);
  return copy;
}

Tensor Tensor::Detach() const { return View(shape()); }

Tensor Tensor::View(Shape new_shape) const {
  if (NumElements(new_shape) != numel()) {
    throw Error(fmt::format("cannot view shape {} as {}", ToString(shape()), ToString(new_shape)));
  }
  return Tensor(MakeImpl(impl_->storage, std::move(new_shape), impl_->dtype));
}

Tensor Tensor::To(DType new_dtype) const {
  if (new_dtype == dtype()) return Detach();
  Tensor result = Empty(shape(), new_dtype);
  if (IsFloating(new_dtype) || IsFloat8(new_dtype)) {  // Holds every number, if only as an infinity or a NaN.
    kernels::Convert(numel(), dtype(), raw(), new_dtype, result.mutable_raw());
    return result;
  }
  DispatchDType(dtype(), [&](auto from) {
    DispatchDType(new_dtype, [&](auto to) {
      const auto* source = data<decltype(from)>();
      std::transform(source, source + numel(), result.mutable_data<decltype(to)>(),
                     [](auto x) { return CheckedElement<decltype(to)>(x); });
    });
  });
  return result;
}

void Tensor::CopyFrom(const Tensor& source) {
  if (!defined() || !source.defined() || source.shape() != shape() || source.dtype() != dtype()) {
    throw Error(fmt::format("CopyFrom: cannot copy {} into {}", Describe(source), Describe(*this)));
  }
  const size_t bytes = static_cast<size_t>(numel()) * SizeOf(dtype());
  std::byte* target = mutable_raw();
  if (bytes > 0) std::memcpy(target, source.raw(), bytes);
}

void Tensor::Fill(double value) {
  DispatchDType(dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T element = CheckedElement<T>(value);
    std::fill_n(mutable_data<T>(), numel(), element);
  });
}

bool Tensor::requires_grad() const { return defined() && (impl_->leaf_requires_grad || impl_->node != nullptr); }

Tensor& Tensor::set_requires_grad(bool value) {
  RequireDefined("set_requires_grad");
  if (impl_->node != nullptr) throw Error("set_requires_grad: only a leaf can ask for a gradient");
  if (value && !IsFloating(impl_->dtype)) {
    throw Error(
        fmt::format("set_requires_grad: the tensor holds {}, expected f64, f32, f16 or bf16", NameOf(impl_->dtype)));
  }
  impl_->leaf_requires_grad = value;
  return *this;
}

const Tensor& Tensor::grad() const {
  RequireDefined("grad");
  return impl_->grad;
}

void Tensor::set_grad(Tensor grad) {
  RequireDefined("set_grad");
  if (grad.defined() && (grad.shape() != shape() || !GoesWith(grad.dtype(), dtype()))) {
    throw Error(fmt::format("set_grad: a gradient {} for a tensor {}", Describe(grad), Describe(*this)));
  }
  if (grad.defined() && grad.dtype() != dtype()) grad = grad.To(dtype());
  impl_->grad = std::move(grad);
}

void Tensor::ZeroGrad() { set_grad(Tensor()); }

bool Tensor::IsSameStorage(const Tensor& other) const {
  return defined() && other.defined() && impl_->storage == other.impl_->storage;
}

bool Tensor::IsSoleOwner() const { return defined() && impl_.use_count() == 1 && impl_->storage.use_count() == 1; }

std::vector<Tensor> WithoutRepeats(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> distinct;
  std::unordered_set<const Tensor::Impl*> seen;
  for (const Tensor& tensor : tensors) {
    if (seen.insert(tensor.impl().get()).second) distinct.push_back(tensor);
  }
  return distinct;
}

std::string Describe(const Tensor& tensor) {
  return tensor.defined() ? Describe(tensor.dtype(), tensor.shape()) : "undefined";
}

std::string Describe(DType dtype, const Shape& shape) { return fmt::format("{} {}", NameOf(dtype), ToString(shape)); }

}  // namespace twofour
