#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "twofour/core/faults.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/permutation/channel_order.h"
#include "twofour/sparse/vnm.h"

namespace twofour::sparse {

/// A weight's scores, f32 [rows, cols], and which of several orders its rows and its columns follow. Matrices that name
/// the same order share it. Without an order they stay in place.
struct OrderedScores {
  std::string name;
  Tensor scores;
  std::optional<size_t> row_order = {}, column_order = {};
};

struct ChannelSearchOptions {
  VnmPattern pattern = {};  ///< Or plain 2:4: see pattern_mask.h.
  int64_t rounds = 2;       ///< Passes over all orders.
  static constexpr int64_t kMostRounds = 100;
  uint64_t seed = 1;  ///< Decides which channels are taken out together.
};

/// Rules: those of CheckPlainOrVnm; rounds are from 1 to kMostRounds.
void Check(const ChannelSearchOptions& options, const FieldPath& at, Faults& faults);

/// Orders, and the share of importance that each matrix keeps: the sum of |score| in the mask of FindPatternMask
/// divided by the sum over all.
struct ChannelSearchResult {
  std::vector<ChannelOrder> orders;
  std::vector<double> kept_before, kept_after;
};

/// Searches an order of channels for each of `sizes` by which masks keep more importance (Zhang et al.,
/// "Plug-and-Play: An Efficient Post-training Pruning Method for Large Language Models", ICLR 2024; Zhao et al.,
/// "Beyond 2:4", 2024). Every round goes over the orders. One step on an order takes a channel out of each group of m
/// columns (of v rows, if it is the order of rows only) and puts the channels back where they add most, which is a
/// linear assignment problem; after as many steps as a group has channels, each was taken out once. A step stays if the
/// shares that the matrices keep grow in sum, and none keeps less than in the beginning. The search stops early when a
/// round changes nothing, and returns what it has reached once `stop` (if not null) is true.
///
/// The result depends on the arguments alone, not on the number of threads. Throws Error on options that Check finds
/// fault with, on tensors and orders that do not fit together, and as FindPatternMask does.
ChannelSearchResult FindChannelOrders(std::vector<OrderedScores> matrices, std::span<const int64_t> sizes,
                                      const ChannelSearchOptions& options, const std::atomic<bool>* stop = nullptr);

}  // namespace twofour::sparse
