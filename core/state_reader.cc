#include "twofour/core/state_reader.h"

#include <fmt/format.h>

#include <limits>
#include <utility>

#include "twofour/core/error.h"

namespace twofour {

Tensor CountTensor(int64_t count) { return Tensor::Scalar(static_cast<double>(count), DType::kI32); }

StateReader::StateReader(const std::vector<NamedTensor>& state, std::string source) : source_(std::move(source)) {
  for (const NamedTensor& named : state) {
    const auto [entry, is_new] = tensors_.emplace(named.name, named.tensor);
    if (is_new && named.tensor.defined()) continue;
    Fault(named.name, is_new ? "is undefined" : "is there twice");
    entry->second = Tensor();
  }
}

Tensor StateReader::Take(const std::string& name) {
  const auto node = tensors_.extract(name);
  return node.empty() ? Tensor() : node.mapped();
}

std::optional<int64_t> StateReader::TakeCount(const std::string& name, int64_t at_least) {
  const std::string expected = fmt::format("expected one i32 of at least {}", at_least);
  if (!Has(name)) Fault(name, "missing, " + expected);
  const auto count =
      TakeScalar(name, DType::kI32, static_cast<double>(at_least), std::numeric_limits<int32_t>::max(), expected);
  return count ? std::optional(static_cast<int64_t>(*count)) : std::nullopt;
}

std::optional<double> StateReader::TakeScalar(const std::string& name, DType dtype, double least, double most,
                                              std::string_view expected) {
  const Tensor tensor = Take(name);
  if (!tensor.defined()) return std::nullopt;
  if (tensor.dtype() == dtype && tensor.numel() == 1) {
    const double value = tensor.item();
    if (value >= least && value <= most) return value;
  }
  Fault(name, expected);
  return std::nullopt;
}

void StateReader::Fault(const std::string& name, std::string_view what) {
  if (!faulty_.insert(name).second) return;
  faults_ += fmt::format("{}{}: tensor '{}': {}", faults_.empty() ? "" : "\n", source_, name, what);
}

void StateReader::Finish(std::string_view unknown) {
  for (const auto& [name, tensor] : tensors_) Fault(name, unknown);
  if (!faults_.empty()) throw Error(faults_);
}

}  // namespace twofour
