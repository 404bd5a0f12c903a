// Structured pruning: a language model with fewer blocks, heads and hidden units, which then trains on.
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>

#include "twofour/twofour.h"

using namespace twofour;

constexpr int64_t kBatch = 16, kLength = 24, kVocabulary = 24;

/// Sequences of six random tokens, again and again: after the first six, the next token can be known.
Tensor Repeats(Generator& gen) {
  Tensor once = Tensor::Empty({kBatch, 6});
  FillUniform(once, 0, kVocabulary, gen.NextKey());
  Tensor tokens = Tensor::Empty({kBatch, kLength + 1}, DType::kI32);
  for (int64_t i = 0; i < tokens.numel(); ++i) {
    const int64_t row = i / (kLength + 1), column = i % (kLength + 1) % 6;
    tokens.mutable_data<int32_t>()[i] = static_cast<int32_t>(once.data<float>()[row * 6 + column]) % kVocabulary;
  }
  return tokens;
}

Tensor LossOn(nn::Gpt& gpt, const Tensor& tokens) {
  return gpt.Loss(Slice(tokens, 1, 0, kLength), Slice(tokens, 1, 1, kLength + 1));
}

void Train(nn::Gpt& gpt, int steps, Generator& gen) {
  optim::AdamW adamw(gpt.Parameters(), {.lr = 3e-3f});
  for (int step = 0; step < steps; ++step) {
    const Tensor loss = LossOn(gpt, Repeats(gen));
    adamw.ZeroGrad();
    loss.Backward();
    adamw.Step();
  }
  adamw.ZeroGrad();
}

int Run() {
  Generator gen(5);
  nn::Gpt gpt({.vocab_size = kVocabulary, .sequence_length = kLength, .depth = 4, .width = 64, .heads = 4}, gen);
  Train(gpt, 200, gen);

  // The data that parts are measured on. Any function that runs the model on a batch will do.
  const Tensor batches[] = {Repeats(gen), Repeats(gen), Repeats(gen), Repeats(gen)};
  const nn::Calibration data{.batches = 4, .loss = [&](int64_t batch) { return LossOn(gpt, batches[batch]); }};
  const nn::ShrinkOptions options{
      .importance = nn::PartImportance::kActivation, .keep_heads = 2, .keep_neurons = 128, .keep_blocks = 3};
  const std::optional<nn::ShrunkModel> shrunk = nn::Shrink(gpt, options, data);
  const nn::ShrinkReport& report = shrunk->report;
  std::printf("whole     %6lld weights, loss %.4f\n", static_cast<long long>(report.parameters_before),
              *report.loss_before);
  std::printf("smaller   %6lld weights, loss %.4f\n", static_cast<long long>(report.parameters_after),
              *report.loss_after);
  for (const nn::KeptParts& parts : report.sets) {
    if (parts.set.kind != nn::PartKind::kBlocks) continue;
    for (const int64_t block : parts.kept) std::printf("          block %lld stays\n", static_cast<long long>(block));
  }

  const std::unique_ptr<nn::Model> model = nn::Build(*shrunk, gen);
  auto& small = dynamic_cast<nn::Gpt&>(*model);
  Train(small, 100, gen);
  const nn::Calibration retrained{.batches = 4, .loss = [&](int64_t i) { return LossOn(small, batches[i]); }};
  const std::optional<double> loss = nn::MeanLoss(small, retrained, {});
  std::printf("retrained %6lld weights, loss %.4f\n", static_cast<long long>(small.NumParameters()), *loss);
  return *loss < *report.loss_after ? 0 : 1;
}

int main() {
  try {
    return Run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "shrink_model: %s\n", error.what());
    return 1;
  }
}
