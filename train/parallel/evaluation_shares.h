#pragma once

#include "twofour/comm/communicator.h"
#include "twofour/train/task.h"

namespace twofour::train {

/// Gives each rank a part of an evaluation's batches, as many as the others have or one more.
class RankShares : public EvaluationShares {
 public:
  explicit RankShares(comm::Communicator& ranks) : ranks_(ranks) {}
  std::optional<std::vector<BatchOutcome>> Evaluate(
      int64_t batches, const std::function<std::optional<BatchOutcome>(int64_t batch)>& evaluate) override;

 private:
  comm::Communicator& ranks_;
};

}  // namespace twofour::train
