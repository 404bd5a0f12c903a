#include "twofour/nn/generate.h"

#include <fmt/format.h>

#include <algorithm>

#include "twofour/core/error.h"
#include "twofour/core/random.h"

namespace twofour::nn {
namespace {

/// Far from the streams that initial weights and data draw from.
constexpr uint32_t kGenerateStream = 0x90000001;

Tensor RowOf(std::span<const int32_t> tokens) {
  Tensor row = Tensor::Empty({1, static_cast<int64_t>(tokens.size())}, DType::kI32);
  std::copy(tokens.begin(), tokens.end(), row.mutable_data<int32_t>());
  return row;
}

}  // namespace

std::vector<int32_t> Generate(Gpt& gpt, std::span<const int32_t> prompt, const GenerateOptions& options,
                              const std::function<void(int32_t)>& on_token) {
  if (prompt.empty()) throw Error("Generate: the prompt is empty, expected at least one token");
  if (options.tokens < 0) throw Error(fmt::format("Generate: {} tokens, expected at least 0", options.tokens));
  KeyValueCache cache = gpt.MakeCache(1, static_cast<int64_t>(prompt.size()) + options.tokens);
  RandomSequence random({options.seed, kGenerateStream, 0});
  std::vector<int32_t> drawn;
  while (static_cast<int64_t>(drawn.size()) < options.tokens) {
    const Tensor logits = gpt.Decode(drawn.empty() ? RowOf(prompt) : RowOf({&drawn.back(), 1}), cache);
    drawn.push_back(SampleToken({logits.data<float>(), static_cast<size_t>(logits.numel())}, options.sampling,
                                static_cast<double>(random.Uniform())));
    if (on_token) on_token(drawn.back());
  }
  return drawn;
}

}  // namespace twofour::nn
