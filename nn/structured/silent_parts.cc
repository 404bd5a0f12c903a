#include "twofour/nn/structured/silent_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace twofour::nn {

SilentParts::~SilentParts() {
  for (auto& [parameter, before] : kept_) parameter.CopyFrom(before);
}

Tensor& SilentParts::Keep(const std::string& parameter) {
  Tensor& tensor = std::ranges::find(named_, parameter, &NamedTensor::name)->tensor;
  const auto is_kept = [&](const auto& kept) { return kept.first.IsSameStorage(tensor); };
  if (std::ranges::none_of(kept_, is_kept)) kept_.emplace_back(tensor, tensor.Detach().Clone());
  return tensor;
}

void SilentParts::Add(const PartSet& set, int64_t part) {
  if (set.kind == PartKind::kBlocks) {
    const std::string block = fmt::format("{}.{}.", set.name, part);
    for (const NamedTensor& named : named_) {
      const bool adds = named.name.ends_with(".c_proj.weight") || named.name.ends_with(".c_proj.bias");
      if (adds && named.name.starts_with(block)) Keep(named.name).Fill(0);
    }
    return;
  }
  Tensor& weight = Keep(set.reader + ".weight");
  const int64_t rows = weight.dim(0), columns = weight.dim(1), span = columns / set.count;
  auto* const elements = weight.mutable_data<float>();
  for (int64_t row = 0; row < rows; ++row) std::fill_n(elements + row * columns + part * span, span, 0.0f);
}

}  // namespace twofour::nn
