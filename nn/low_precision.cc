#include "twofour/nn/low_precision.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <typeinfo>
#include <utility>

#include "twofour/core/ceil_div.h"
#include "twofour/core/random_streams.h"
#include "twofour/nn/gpt.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/linear_rounding.h"
#include "twofour/nn/name_choice.h"
#include "twofour/nn/name_pattern.h"
#include "twofour/nn/semi_sparse_linear.h"
#include "twofour/nn/sparse_linear.h"

namespace twofour::nn {
namespace {

/// The number of the block that a name lies in: its first part that is a number.
std::optional<int64_t> BlockOf(std::string_view name) {
  while (!name.empty()) {
    const size_t dot = std::min(name.find('.'), name.size());
    const std::string_view part = name.substr(0, dot);
    int64_t block = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), block);
    if (error == std::errc() && end == part.data() + part.size()) return block;
    name.remove_prefix(std::min(dot + 1, name.size()));
  }
  return std::nullopt;
}

bool IsLinear(const Module& module) {
  return dynamic_cast<const Linear*>(&module) != nullptr || dynamic_cast<const SemiSparseLinear*>(&module) != nullptr ||
         dynamic_cast<const SemiSparseActivationLinear*>(&module) != nullptr ||
         dynamic_cast<const SparseLinear*>(&module) != nullptr;
}

/// A linear and, in its entry, the reason to leave it as it is. Of the two pointers one is null, or both where it
/// computes something else.
struct Candidate {
  SwapEntry entry;
  Linear* linear;
  SemiSparseLinear* sparse;
  /// Whether it would be converted but for its packed weight, and so counts among the blocks as it did in training.
  bool packed = false;
};

/// All linears, in the order of the tree. The reasons do not know of blocks yet.
std::vector<Candidate> FindLinears(Module& root, const NameChoice& choice) {
  const bool is_gpt = dynamic_cast<const Gpt*>(&root) != nullptr;
  std::string convolution;  // The name of the one that was visited last, with a dot.
  std::vector<Candidate> found;
  root.VisitModules([&](const std::string& name, Module& module) {
    if (module.type_name() == "Conv2d") convolution = name + ".";
    if (!IsLinear(module)) return;
    Candidate candidate{.entry = {.name = name, .reason = choice.ReasonAgainst(name)},
                        .linear = typeid(module) == typeid(Linear) ? dynamic_cast<Linear*>(&module) : nullptr,
                        .sparse = dynamic_cast<SemiSparseLinear*>(&module)};
    const Tensor* const weight = candidate.linear != nullptr   ? &candidate.linear->weight()
                                 : candidate.sparse != nullptr ? &candidate.sparse->weight()
                                                               : nullptr;
    SwapEntry& entry = candidate.entry;
    if (weight != nullptr) entry.out_features = weight->dim(0), entry.in_features = weight->dim(1);
    if (!entry.reason.empty()) {
      // The names say no.
    } else if (name == "lm_head" && is_gpt) {
      entry.reason = "it is computed with the loss";
    } else if (!convolution.empty() && name.starts_with(convolution)) {
      entry.reason = "it belongs to a convolution";
    } else if (weight == nullptr) {
      entry.reason = fmt::format("a {} computes something else", module.type_name());
      candidate.packed = dynamic_cast<const SparseLinear*>(&module) != nullptr;
    } else if (weight->dtype() != DType::kF32) {
      entry.reason = fmt::format("its weight is {}", NameOf(weight->dtype()));
    }
    found.push_back(std::move(candidate));
  });
  return found;
}

/// Adds the reason to leave what is in a block at either end.
void LeaveEnds(const LowPrecisionOptions& options, std::vector<Candidate>& candidates) {
  int64_t blocks = 0;           // By the numbers in all names.
  std::set<int64_t> converted;  // Those with a linear to convert.
  for (Candidate& candidate : candidates) {
    const std::optional<int64_t> block = BlockOf(candidate.entry.name);
    if (!block) continue;
    blocks = std::max(blocks, *block + 1);
    std::string& reason = candidate.entry.reason;
    if (reason.empty() && *block < options.first_blocks) reason = "it is in one of the first blocks";
    if (reason.empty() || (candidate.packed && *block >= options.first_blocks)) converted.insert(*block);
  }
  int64_t first_left = blocks - options.last_blocks;  // Of the last ones.
  if (options.last_blocks == kSeventhOfBlocks) {
    const int64_t count = std::ssize(converted), left = count > 1 ? CeilDiv(count, int64_t{7}) : 0;
    first_left = left > 0 ? *std::prev(converted.end(), left) : blocks;
  }
  for (Candidate& candidate : candidates) {
    const std::optional<int64_t> block = BlockOf(candidate.entry.name);
    std::string& reason = candidate.entry.reason;
    if (reason.empty() && block && *block >= first_left) reason = "it is in one of the last blocks";
  }
}

}  // namespace

void Check(const LowPrecisionOptions& options, const FieldPath& at, Faults& faults) {
  Check(options.formats, at.In("formats"), faults);
  CheckPattern(at("include"), options.include, faults);
  CheckPattern(at("exclude"), options.exclude, faults);
  faults.AtLeast(at("first_blocks"), options.first_blocks, 0);
  faults.AtLeast(at("last_blocks"), options.last_blocks, kSeventhOfBlocks);
}

SwapReport EmulateLowPrecision(Module& root, const LowPrecisionOptions& options) {
  Checked(options, "EmulateLowPrecision: ");
  const NameChoice choice(options.include, options.exclude);
  std::vector<Candidate> candidates = FindLinears(root, choice);
  LeaveEnds(options, candidates);
  SwapReport report;
  uint32_t stream = random_streams::kFirstRounding;
  for (Candidate& candidate : candidates) {
    const RandomKey key{.seed = options.seed, .stream = std::exchange(stream, stream + LinearRounding::kStreams)};
    if (!candidate.entry.reason.empty()) {
      report.kept_dense.push_back(std::move(candidate.entry));
      continue;
    }
    auto rounding = std::make_shared<LinearRounding>(options.formats, key);
    candidate.linear != nullptr ? candidate.linear->SetRounding(std::move(rounding))
                                : candidate.sparse->SetRounding(std::move(rounding));
    report.converted.push_back(std::move(candidate.entry));
  }
  return report;
}

}  // namespace twofour::nn
