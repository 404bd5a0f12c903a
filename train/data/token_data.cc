#include "twofour/train/data/token_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <span>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/faults.h"

namespace twofour::train {

TokenSpan WholeOf(std::shared_ptr<const TokenSource> source) {
  const int64_t size = source->size();
  return {std::move(source), 0, size};
}

void SetParts(std::shared_ptr<const TokenSource> train, std::shared_ptr<const TokenSource> eval, double eval_fraction,
              TokenData& data) {
  if (eval == nullptr) return SplitEnd(std::move(train), eval_fraction, data);
  data.train = WholeOf(std::move(train));
  data.eval = WholeOf(std::move(eval));
}

double BytesPerToken(const TokenSpan& span, const Vocabulary& vocabulary) {
  constexpr int64_t kBlock = 1 << 16;
  std::vector<int64_t> lengths;
  for (int32_t id = 0; id < vocabulary.size(); ++id) lengths.push_back(std::ssize(vocabulary.Decode({&id, 1})));
  std::vector<int32_t> ids(static_cast<size_t>(std::min(kBlock, span.size())));
  int64_t bytes = 0;
  for (int64_t at = span.begin; at < span.end; at += kBlock) {
    const std::span<int32_t> block(ids.data(), static_cast<size_t>(std::min(kBlock, span.end - at)));
    span.source->Read(at, block);
    for (const int32_t id : block) bytes += lengths[static_cast<size_t>(id)];
  }
  return static_cast<double>(bytes) / static_cast<double>(span.size());
}

void SplitEnd(std::shared_ptr<const TokenSource> source, double eval_fraction, TokenData& data) {
  Faults faults("", ": got ");
  faults.OpenFraction("eval_fraction", eval_fraction);
  faults.Throw();
  const int64_t size = source->size();
  const int64_t eval_size = std::llround(static_cast<double>(size) * eval_fraction);
  if (eval_size < 1 || eval_size >= size) {
    throw Error(fmt::format(
        "eval_fraction: {} of {} tokens leaves {} to train on and {} to evaluate, expected at least 1 of each",
        eval_fraction, size, size - eval_size, eval_size));
  }
  data.train = {source, 0, size - eval_size};
  data.eval = {std::move(source), size - eval_size, size};
}

}  // namespace twofour::train
