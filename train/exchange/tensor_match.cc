#include "twofour/train/exchange/tensor_match.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/ops/cast.h"
#include "twofour/core/ops/layout.h"
#include "twofour/core/quote_for_message.h"

namespace twofour::train {
namespace {

/// Throws Error where an infinity has come of a finite number.
void RequireNoOverflow(const Tensor& wide, const Tensor& narrow, const std::string& name) {
  if (wide.dtype() != DType::kF64) return;
  for (int64_t i = 0; i < wide.numel(); ++i) {
    const double value = wide.data<double>()[i];
    if (!std::isfinite(value) || std::isfinite(narrow.data<float>()[i])) continue;
    throw Error(fmt::format("{}: element {} is {}, which no 32-bit float can hold", name, i, value));
  }
}

Tensor AsF32(const Tensor& tensor, const std::string& name) {
  if (!IsFloating(tensor.dtype())) {
    throw Error(fmt::format("{}: {}, expected F32, F16, BF16 or F64", name, InfoOf(tensor.dtype()).safetensors_name));
  }
  Tensor converted = Cast(tensor, DType::kF32);
  RequireNoOverflow(tensor, converted, name);
  return converted;
}

/// The shape that a file's tensor must have. `name` is for messages.
Shape ShapeOf(const TensorMatch& match, const std::map<std::string, Shape>& shapes, const std::string& name) {
  Shape shape = shapes.at(match.ours.front());
  if (match.transposed && shape.size() != 2) {
    throw Error(fmt::format("{}: is to be transposed, but '{}' is no matrix", name, match.ours.front()));
  }
  for (size_t i = 1; i < match.ours.size(); ++i) {
    const Shape& more = shapes.at(match.ours[i]);
    if (shape.empty() || more.size() != shape.size() || !std::equal(shape.begin() + 1, shape.end(), more.begin() + 1)) {
      throw Error(fmt::format("{}: is to be divided among {}, whose rows differ", name, fmt::join(match.ours, ", ")));
    }
    shape[0] += more[0];
  }
  if (match.transposed) std::swap(shape[0], shape[1]);
  return shape;
}

}  // namespace

std::vector<NamedTensor> TakeMatched(SafetensorsFile& file, const std::vector<TensorMatch>& matches,
                                     const std::map<std::string, Shape>& shapes, const std::string& source) {
  const NoGradGuard no_grad;
  std::map<std::string, const TensorMatch*> match_of;
  for (const TensorMatch& match : matches) match_of.emplace(match.theirs, &match);
  for (const SkippedTensor& skipped : file.skipped) {
    if (!match_of.contains(skipped.name)) continue;
    throw Error(fmt::format("{}: tensor {}: {}, expected F32, F16, BF16 or F64", source, QuoteForMessage(skipped.name),
                            Describe(skipped)));
  }
  std::vector<NamedTensor> taken, rest;
  for (NamedTensor& named : file.tensors) {
    const auto found = match_of.find(named.name);
    if (found == match_of.end()) {
      rest.push_back(std::move(named));
      continue;
    }
    const TensorMatch& match = *found->second;
    const std::string name = fmt::format("{}: tensor {}", source, QuoteForMessage(named.name));
    if (const Shape expected = ShapeOf(match, shapes, name); named.tensor.shape() != expected) {
      throw Error(fmt::format("{}: shape {}, expected {}, of which {} is made", name, ToString(named.tensor.shape()),
                              ToString(expected), fmt::join(match.ours, ", ")));
    }
    Tensor tensor = AsF32(named.tensor, name);
    named.tensor = {};  // Large models should not be in memory twice.
    if (match.transposed) tensor = Transpose(tensor);
    int64_t row = 0;
    for (const std::string& ours : match.ours) {
      const int64_t rows = shapes.at(ours)[0];
      taken.push_back({ours, match.ours.size() == 1 ? tensor : Slice(tensor, 0, row, row + rows)});
      row += rows;
    }
  }
  file.tensors = std::move(rest);
  return taken;
}

std::vector<NamedTensor> MakeMatched(const std::vector<NamedTensor>& tensors, const std::vector<TensorMatch>& matches) {
  const NoGradGuard no_grad;
  std::map<std::string, const Tensor*> by_name;
  for (const NamedTensor& named : tensors) by_name.emplace(named.name, &named.tensor);
  std::set<std::string> used;
  std::vector<NamedTensor> made;
  for (const TensorMatch& match : matches) {
    std::vector<Tensor> parts;
    for (const std::string& ours : match.ours) {
      const auto found = by_name.find(ours);
      if (found == by_name.end()) throw Error(fmt::format("the model has no '{}' for '{}'", ours, match.theirs));
      used.insert(ours);
      parts.push_back(*found->second);
    }
    const Tensor tensor = parts.size() == 1 ? parts.front() : Concat(parts);
    made.push_back({match.theirs, match.transposed ? Transpose(tensor) : tensor});
  }
  for (const auto& [name, tensor] : tensors) {
    if (used.contains(name)) continue;
    const bool is_other = std::ranges::any_of(
        used, [&, &own = tensor](const std::string& other) { return by_name.at(other)->impl() == own.impl(); });
    if (!is_other) throw Error(fmt::format("tensor '{}': has no name in that layout", name));
  }
  return made;
}

}  // namespace twofour::train
