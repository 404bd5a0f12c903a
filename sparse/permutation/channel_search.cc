#include "twofour/sparse/permutation/channel_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/linear_assignment.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/random.h"
#include "twofour/sparse/finite_weight.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/permutation/pattern_mask.h"
#include "twofour/sparse/permutation/swap_gains.h"

namespace twofour::sparse {
namespace {

/// Growth of the sum of shares that is more than rounding.
constexpr double kLeastGrowth = 1e-9;

void RequireFit(const OrderedScores& matrix, std::span<const int64_t> sizes) {
  ops::RequireDType("FindChannelOrders", matrix.name, matrix.scores, DType::kF32);
  if (matrix.scores.rank() != 2) {
    throw Error(fmt::format("{}: shape {}, expected a matrix", matrix.name, ToString(matrix.scores.shape())));
  }
  for (const auto& [order, axis] : {std::pair{matrix.row_order, 0}, {matrix.column_order, 1}}) {
    if (!order) continue;
    if (*order >= sizes.size() || sizes[*order] != matrix.scores.dim(axis)) {
      throw Error(fmt::format("{}: shape {}, expected {} {} as order {} has", matrix.name,
                              ToString(matrix.scores.shape()), *order < sizes.size() ? sizes[*order] : 0,
                              axis == 0 ? "rows" : "columns", *order));
    }
  }
}

Tensor Magnitudes(const Tensor& scores) {
  Tensor magnitudes = scores.Clone();
  float* const data = magnitudes.mutable_data<float>();
  std::transform(data, data + magnitudes.numel(), data, [](float score) { return std::fabs(score); });
  return magnitudes;
}

/// A matrix in the order that the search has reached.
struct State {
  OrderedScores matrix;  // The scores are magnitudes.
  double factor = 0;     // One divided by their sum.
  double kept_before = 0, kept = 0;
};

class ChannelSearch {
 public:
  ChannelSearch(std::vector<OrderedScores> matrices, std::span<const int64_t> sizes,
                const ChannelSearchOptions& options, const std::atomic<bool>* stop)
      : options_(options), stop_(stop) {
    for (const int64_t size : sizes) orders_.push_back(IdentityOrder(size));
    for (OrderedScores& matrix : matrices) {
      RequireFit(matrix, sizes);
      RequireFinite(matrix.scores, matrix.name);
      matrix.scores = Magnitudes(matrix.scores);
      const float* const data = matrix.scores.data<float>();
      const double sum = std::accumulate(data, data + matrix.scores.numel(), 0.0);
      const double kept = Kept(matrix);
      states_.push_back({std::move(matrix), sum > 0 ? 1 / sum : 0, kept, kept});
    }
  }

  ChannelSearchResult Run() {
    for (int64_t round = 0; round < options_.rounds; ++round) {
      bool changed = false;
      for (size_t order = 0; order < orders_.size(); ++order) changed = Sweep(order, round) || changed;
      if (!changed) break;
    }
    ChannelSearchResult result{.orders = orders_, .kept_before = {}, .kept_after = {}};
    for (const State& state : states_) {
      result.kept_before.push_back(state.kept_before);
      result.kept_after.push_back(state.kept);
    }
    return result;
  }

 private:
  double Kept(const OrderedScores& matrix) const {
    return RetainedL1(matrix.scores, FindPatternMask(matrix.scores, options_.pattern, matrix.name));
  }

  /// How many channels form a group; 0 if masks do not depend on the order.
  int64_t GroupSize(size_t order) const {
    int64_t size = 0;
    for (const State& state : states_) {
      if (state.matrix.column_order == order) return options_.pattern.m;
      if (state.matrix.row_order != order) continue;
      if (!IsPlain(options_.pattern)) size = options_.pattern.v;
      if (IsPlain(options_.pattern) && options_.pattern.inner == VnmInner::kTransposable) size = kTileSize;
    }
    return size;
  }

  /// The places of each group in the random order in which a sweep takes them out.
  std::vector<std::vector<int64_t>> Groups(size_t order, int64_t round, int64_t size) const {
    const auto channels = static_cast<int64_t>(orders_[order].size());
    RandomSequence random(
        {options_.seed, random_streams::kChannelOrder, static_cast<uint64_t>(round) * orders_.size() + order});
    std::vector<std::vector<int64_t>> groups;
    for (int64_t first = 0; first < channels; first += size) {
      std::vector<int64_t>& group = groups.emplace_back();
      for (int64_t place = first; place < std::min(first + size, channels); ++place) group.push_back(place);
      for (size_t left = group.size(); left > 1; --left) {
        std::swap(group[left - 1], group[random.Below(static_cast<uint32_t>(left))]);
      }
    }
    return groups;
  }

  /// Returns whether anything changed.
  bool Sweep(size_t order, int64_t round) {
    const int64_t size = GroupSize(order);
    if (size == 0) return false;
    bool changed = false;
    const std::vector<std::vector<int64_t>> groups = Groups(order, round, size);
    for (size_t step = 0; step < static_cast<size_t>(size); ++step) {
      if (stop_ != nullptr && *stop_) return false;
      std::vector<int64_t> holes;
      for (const std::vector<int64_t>& group : groups) {
        if (step < group.size()) holes.push_back(group[step]);
      }
      if (holes.size() > 1) changed = Step(order, holes) || changed;
    }
    return changed;
  }

  /// Puts the channels of `holes` where they add most. Returns whether that was better than what was there.
  bool Step(size_t order, const std::vector<int64_t>& holes) {
    std::vector<double> gains(holes.size() * holes.size());
    for (const auto& [matrix, factor, kept_before, kept] : states_) {
      const ScoreMatrix scores{matrix.scores.data<float>(), matrix.scores.dim(0), matrix.scores.dim(1)};
      if (matrix.column_order == order) AddColumnGains(scores, options_.pattern, holes, factor, gains);
      if (matrix.row_order == order) AddRowGains(scores, options_.pattern, holes, factor, gains);
    }
    const Assignment found = AssignForLargestGain(gains, static_cast<int64_t>(holes.size()));
    ChannelOrder move = IdentityOrder(static_cast<int64_t>(orders_[order].size()));
    for (size_t i = 0; i < holes.size(); ++i) {
      move[static_cast<size_t>(holes[i])] = holes[static_cast<size_t>(found.column_of_row[i])];
    }
    return TakeIfBetter(order, move);
  }

  bool TakeIfBetter(size_t order, const ChannelOrder& move) {
    if (std::ranges::is_sorted(move)) return false;
    std::vector<std::pair<State*, State>> moved;
    double growth = 0;
    for (State& state : states_) {
      const bool rows = state.matrix.row_order == order, columns = state.matrix.column_order == order;
      if (!rows && !columns) continue;
      State next = state;
      if (rows) next.matrix.scores = Reordered(next.matrix.scores, 0, move);
      if (columns) next.matrix.scores = Reordered(next.matrix.scores, 1, move);
      next.kept = Kept(next.matrix);
      if (next.kept < next.kept_before) return false;
      growth += next.kept - state.kept;
      moved.emplace_back(&state, std::move(next));
    }
    if (growth < kLeastGrowth) return false;
    for (auto& [state, next] : moved) *state = std::move(next);
    ChannelOrder reached(move.size());
    for (size_t place = 0; place < move.size(); ++place) {
      reached[place] = orders_[order][static_cast<size_t>(move[place])];
    }
    orders_[order] = std::move(reached);
    return true;
  }

  const ChannelSearchOptions& options_;
  const std::atomic<bool>* stop_;
  std::vector<State> states_;
  std::vector<ChannelOrder> orders_;
};

}  // namespace

void Check(const ChannelSearchOptions& options, const FieldPath& at, Faults& faults) {
  CheckPlainOrVnm(options.pattern, at.In("pattern"), faults);
  faults.InRange(at("rounds"), options.rounds, 1, ChannelSearchOptions::kMostRounds);
}

ChannelSearchResult FindChannelOrders(std::vector<OrderedScores> matrices, std::span<const int64_t> sizes,
                                      const ChannelSearchOptions& options, const std::atomic<bool>* stop) {
  Checked(options, "FindChannelOrders: ");
  return ChannelSearch(std::move(matrices), sizes, options, stop).Run();
}

}  // namespace twofour::sparse
