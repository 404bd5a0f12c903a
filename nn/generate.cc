#include "twofour/nn/generate.h"

#include <fmt/format.h>

#include <algorithm>

#include "twofour/core/error.h"
#include "twofour/core/random.h"
#include "twofour/core/random_streams.h"

namespace twofour::nn {
namespace {

Tensor RowOf(std::span<const int32_t> tokens) {
  Tensor row = Tensor::Empty({1, static_cast<int64_t>(tokens.size())}, DType::kI32);
  std::copy(tokens.begin(), tokens.end(), row.mutable_data<int32_t>());
  return row;
}

/// Reads a prompt in portions, because the activations of a long one would not fit into memory. Returns the logits
/// after it.
Tensor Read(Gpt& gpt, std::span<const int32_t> prompt, int64_t portion, KeyValueCache& cache) {
  Tensor logits;
  while (!prompt.empty()) {
    const size_t count = std::min(prompt.size(), static_cast<size_t>(portion));
    logits = gpt.Decode(RowOf(prompt.first(count)), cache);
    prompt = prompt.subspan(count);
  }
  return logits;
}

}  // namespace

void Check(const GenerateOptions& options, const FieldPath& at, Faults& faults) {
  faults.Expect(options.tokens >= 0, at("tokens"), options.tokens, "at least 0",
                fmt::format("{} tokens, expected at least 0", options.tokens));
  Check(options.sampling, at.In("sampling"), faults);
}

std::vector<int32_t> Generate(Gpt& gpt, std::span<const int32_t> prompt, const GenerateOptions& options,
                              const std::function<bool(int32_t)>& on_token) {
  if (prompt.empty()) throw Error("Generate: the prompt is empty, expected at least one token");
  Checked(options, "Generate: ");
  // Twice what attention sees, so that rows are moved only once for that many tokens.
  constexpr int64_t kPortion = 256;
  const int64_t most = 2 * gpt.options().attention_window + kPortion;
  KeyValueCache cache = gpt.MakeCache(1, std::min(static_cast<int64_t>(prompt.size()) + options.tokens, most));
  RandomSequence random({options.seed, random_streams::kGenerate, 0});
  std::vector<int32_t> drawn;
  Tensor logits = Read(gpt, prompt, kPortion, cache);
  while (static_cast<int64_t>(drawn.size()) < options.tokens) {
    if (!drawn.empty()) logits = gpt.Decode(RowOf({&drawn.back(), 1}), cache);
    logits = logits.To(DType::kF32);
    drawn.push_back(SampleToken({logits.data<float>(), static_cast<size_t>(logits.numel())}, options.sampling,
                                static_cast<double>(random.Uniform())));
    if (on_token && !on_token(drawn.back())) break;
  }
  return drawn;
}

}  // namespace twofour::nn
