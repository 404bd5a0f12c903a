#include "twofour/sparse/linear_planner.h"

namespace twofour::sparse {
namespace {

/// Limits the memory, because in generation each prompt has another number of rows.
constexpr size_t kMostEntries = 32;

}  // namespace

LinearPlan LinearPlanner::For(Direction direction, int64_t batch, const MaskFormat& format, DType activation) {
  const std::lock_guard lock(choosing_);
  for (const Entry& entry : entries_) {
    if (entry.batch == batch && entry.direction == direction && entry.format == format &&
        entry.activation == activation) {
      return entry.plan;
    }
  }
  const LinearPlan plan = ChooseLinearKernel({.out_features = out_features_,
                                              .in_features = in_features_,
                                              .batch = batch,
                                              .direction = direction,
                                              .format = format,
                                              .input = activation,
                                              .output = activation});
  if (entries_.size() < kMostEntries) {
    entries_.push_back({direction, batch, format, activation, plan});
  } else {
    entries_[next_] = {direction, batch, format, activation, plan};
    next_ = (next_ + 1) % kMostEntries;
  }
  return plan;
}

}  // namespace twofour::sparse
