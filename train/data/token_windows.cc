#include "twofour/train/data/token_windows.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/random.h"
#include "twofour/core/random_streams.h"

namespace twofour::train {
namespace {

void CheckSizes(int64_t batch_size, int64_t length) {
  if (batch_size < 1) throw Error(fmt::format("batch_size: got {}, expected at least 1", batch_size));
  if (length < 1) throw Error(fmt::format("sequence_length: got {}, expected at least 1", length));
}

/// A window of `length` at each of `begins`.
TokenBatch ReadWindows(const TokenSource& source, const std::vector<int64_t>& begins, int64_t length) {
  const Shape shape{static_cast<int64_t>(begins.size()), length};
  TokenBatch batch{Tensor::Empty(shape, DType::kI32), Tensor::Empty(shape, DType::kI32)};
  int32_t* input = batch.inputs.mutable_data<int32_t>();
  int32_t* target = batch.targets.mutable_data<int32_t>();
  std::vector<int32_t> window(static_cast<size_t>(length) + 1);
  for (const int64_t begin : begins) {
    source.Read(begin, window);
    input = std::copy(window.begin(), window.end() - 1, input);
    target = std::copy(window.begin() + 1, window.end(), target);
  }
  source.CheckUnchanged();
  return batch;
}

}  // namespace

RandomWindows::RandomWindows(TokenSpan span, int64_t batch_size, int64_t length, uint64_t seed)
    : span_(std::move(span)), batch_size_(batch_size), length_(length), seed_(seed) {
  CheckSizes(batch_size, length);
  if (span_.size() <= length) {
    throw Error(
        fmt::format("data: the training split has {} tokens, expected at least {} (sequence_length {} and one more)",
                    span_.size(), length + 1, length));
  }
}

TokenBatch RandomWindows::Get(uint64_t number) const {
  RandomSequence random({seed_, random_streams::kTokenWindow, number});
  const auto places = static_cast<uint64_t>(span_.size() - length_);
  std::vector<int64_t> begins(static_cast<size_t>(batch_size_));
  for (int64_t& begin : begins) begin = span_.begin + static_cast<int64_t>(random.Below64(places));
  return ReadWindows(*span_.source, begins, length_);
}

SequentialWindows::SequentialWindows(TokenSpan span, int64_t batch_size, int64_t length)
    : span_(std::move(span)), batch_size_(batch_size), length_(length) {
  CheckSizes(batch_size, length);
  if (span_.size() < 2) {
    throw Error(fmt::format(
        "data: the evaluation split has {} tokens, expected at least 2 (one to predict from another)", span_.size()));
  }
}

TokenBatch SequentialWindows::Get(int64_t i) const {
  if (i < 0 || i >= num_batches()) {
    throw Error(fmt::format("batch {} of the evaluation split, expected 0 to {}", i, num_batches() - 1));
  }
  if (i == full_batches()) {
    return ReadWindows(*span_.source, {span_.begin + full_windows() * length_}, num_tokens() % length_);
  }
  const int64_t first = i * batch_size_;
  std::vector<int64_t> begins(static_cast<size_t>(std::min(batch_size_, full_windows() - first)));
  for (size_t row = 0; row < begins.size(); ++row) {
    begins[row] = span_.begin + (first + static_cast<int64_t>(row)) * length_;
  }
  return ReadWindows(*span_.source, begins, length_);
}

}  // namespace twofour::train
