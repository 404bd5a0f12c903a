#pragma once

#include <cstdint>

#include "twofour/core/tensor.h"
#include "twofour/train/data/token_source.h"

namespace twofour::train {

/// Windows of a token sequence that are trained on, or evaluated, together.
struct TokenBatch {
  Tensor inputs;   ///< i32 [batch, length]
  Tensor targets;  ///< i32 [batch, length]: the token after each input.
};

/// Windows at random places of the training split, each place as likely as any other. A batch is a pure function of
/// the constructor's arguments and its number, so a run resumed at batch 1000 sees the batches that the uninterrupted
/// run would have seen. Const functions may be called from several threads at once.
class RandomWindows {
 public:
  /// Throws Error when batch_size or length is below 1, or the span is shorter than a window and the token after it.
  RandomWindows(TokenSpan span, int64_t batch_size, int64_t length, uint64_t seed);

  /// [batch_size, length]
  TokenBatch Get(uint64_t number) const;

 private:
  TokenSpan span_;
  int64_t batch_size_;
  int64_t length_;
  uint64_t seed_;
};

/// All of the evaluation split in order, so that each token but the first is a target exactly once: consecutive windows
/// of `length`, `batch_size` of them in a batch. The last full windows may make a smaller batch. The rest of the span
/// after them is a batch of one shorter window. Const functions may be called from several threads at once.
class SequentialWindows {
 public:
  /// Throws Error when batch_size or length is below 1, or the span has less than 2 tokens.
  SequentialWindows(TokenSpan span, int64_t batch_size, int64_t length);

  int64_t num_batches() const { return full_batches() + (num_tokens() % length_ != 0 ? 1 : 0); }
  /// Batch i. Throws Error when there is none.
  TokenBatch Get(int64_t i) const;
  /// Targets in all batches together.
  int64_t num_tokens() const { return span_.size() - 1; }

 private:
  int64_t full_windows() const { return num_tokens() / length_; }
  /// Batches of windows of the full length.
  int64_t full_batches() const { return full_windows() / batch_size_ + (full_windows() % batch_size_ != 0 ? 1 : 0); }

  TokenSpan span_;
  int64_t batch_size_;
  int64_t length_;
};

}  // namespace twofour::train
