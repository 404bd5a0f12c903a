#include "twofour/train/parallel/evaluation_shares.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "twofour/train/parallel/agreement.h"

namespace twofour::train {
namespace {

/// All outcomes as one row of numbers: how many numbers each has, then these.
std::vector<double> ToNumbers(const std::vector<BatchOutcome>& outcomes) {
  std::vector<double> numbers;
  for (const BatchOutcome& outcome : outcomes) {
    numbers.push_back(static_cast<double>(outcome.size()));
    numbers.insert(numbers.end(), outcome.begin(), outcome.end());
  }
  return numbers;
}

void AppendOutcomes(std::span<const std::byte> bytes, std::vector<BatchOutcome>& outcomes) {
  if (bytes.empty()) return;  // A rank without a batch. memcpy wants memory even for nothing.
  std::vector<double> numbers(bytes.size() / sizeof(double));
  std::memcpy(numbers.data(), bytes.data(), numbers.size() * sizeof(double));
  for (auto next = numbers.begin(); next != numbers.end();) {
    const auto count = static_cast<ptrdiff_t>(*next++);
    outcomes.emplace_back(next, next + count);
    next += count;
  }
}

}  // namespace

std::optional<std::vector<BatchOutcome>> RankShares::Evaluate(
    int64_t batches, const std::function<std::optional<BatchOutcome>(int64_t batch)>& evaluate) {
  const int64_t begin = batches * ranks_.rank() / ranks_.size(), end = batches * (ranks_.rank() + 1) / ranks_.size();
  std::vector<BatchOutcome> mine;
  bool stopped = false;
  Together(ranks_, [&] {
    for (int64_t batch = begin; batch < end && !stopped; ++batch) {
      std::optional<BatchOutcome> outcome = evaluate(batch);
      stopped = !outcome;
      if (outcome) mine.push_back(std::move(*outcome));
    }
  });
  if (IsTrueAnywhere(ranks_, stopped)) return std::nullopt;
  std::vector<BatchOutcome> all;
  const std::vector<double> numbers = ToNumbers(mine);
  for (const auto& bytes : ranks_.AllGatherAnySize(std::as_bytes(std::span(numbers)))) AppendOutcomes(bytes, all);
  return all;
}

}  // namespace twofour::train
