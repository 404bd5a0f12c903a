#include "twofour/train/step_pass.h"

#include <cmath>
#include <deque>

#include "twofour/core/ops/arithmetic.h"
#include "twofour/nn/forward_observer.h"
#include "twofour/train/parallel/agreement.h"

namespace twofour::train {

StepSums StepPass::Run(const nn::StepContext& step) {
  const size_t sums = task_.TakeSums().size();  // Those of a step that failed.
  Own own = RunShards(step);
  if (parallel_.is_trivial()) {
    if (own.failure) std::rethrow_exception(own.failure);
    return SumsOf(own.numbers.front());
  }
  const bool usable = own.finite && !own.failure;
  usable ? parallel_.gradients().Finish() : parallel_.gradients().GiveUp();

  // In one message: whether this rank has failed, and whether it was asked to stop.
  comm::Communicator& ranks = parallel_.ranks();
  const bool stop = stop_ != nullptr && *stop_;
  const std::vector<double> flags = AllNumbers(ranks, {own.failure ? 1.0 : 0.0, stop ? 1.0 : 0.0});
  bool failed = false, stopped = false;
  for (size_t i = 0; i < flags.size(); i += 2) {
    failed = failed || flags[i] != 0;
    stopped = stopped || flags[i + 1] != 0;
  }
  if (failed) {
    Together(ranks, [&own] {
      if (own.failure) std::rethrow_exception(own.failure);
    });
  }
  own.numbers.resize(static_cast<size_t>(parallel_.tree().shards_per_rank()));
  for (std::vector<double>& numbers : own.numbers) numbers.resize(1 + sums);
  StepSums result = SumsOf(parallel_.SumOverShards(own.numbers));
  result.stop = stopped;
  if (std::isfinite(result.loss)) {
    sparse_.SetInputSums(parallel_.SumOverShards(std::move(own.inputs), sparse_.InputSumsSizes()));
  }
  return result;
}

StepPass::Own StepPass::RunShards(const nn::StepContext& step) {
  Own own;
  std::deque<nn::ForwardObserverScope> observing;
  const int64_t first = parallel_.tree().first_shard(parallel_.ranks().rank());
  try {
    for (nn::StepHook* const hook : hooks_) {
      if (nn::ForwardObserver* const observer = hook->Observer(step)) observing.emplace_back(*observer);
    }
    for (int64_t i = 0; i < parallel_.tree().shards_per_rank() && own.finite; ++i) {
      std::vector<double> numbers{RunShard(step, first + i)};
      own.finite = std::isfinite(numbers.front());
      const std::vector<double> sums = task_.TakeSums();
      numbers.insert(numbers.end(), sums.begin(), sums.end());
      own.numbers.push_back(std::move(numbers));
      if (parallel_.is_trivial() || !own.finite) continue;
      parallel_.gradients().EndShard(first + i);
      own.inputs.push_back(sparse_.TakeInputSums());
    }
  } catch (const std::exception&) {
    own.failure = std::current_exception();
  }
  return own;
}

double StepPass::RunShard(const nn::StepContext& step, int64_t shard) {
  const ShardTree& tree = parallel_.tree();
  const int64_t passes = micro_batches_ / tree.shards();
  const bool is_last_shard = shard + 1 == tree.first_shard(parallel_.ranks().rank() + 1);
  double loss_sum = 0;
  for (int64_t pass = 0; pass < passes; ++pass) {
    const auto number = static_cast<uint64_t>(step.step * micro_batches_ + shard * passes + pass);
    task_.model().SetStep(number);
    Tensor loss = task_.Loss(number);
    loss_sum += loss.item();
    if (!std::isfinite(loss_sum)) return loss_sum;
    if (micro_batches_ > 1) loss = Scale(loss, 1.0 / static_cast<double>(micro_batches_));
    if (!parallel_.is_trivial() && is_last_shard && pass + 1 == passes) {
      parallel_.gradients().LastBackward(loss);
    } else {
      loss.Backward();
    }
  }
  return loss_sum;
}

StepSums StepPass::SumsOf(const std::vector<double>& numbers) const {
  return {.loss = numbers.front() / static_cast<double>(micro_batches_), .sums = {numbers.begin() + 1, numbers.end()}};
}

}  // namespace twofour::train
