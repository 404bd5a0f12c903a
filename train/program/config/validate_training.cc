#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>

#include "twofour/core/number_format.h"
#include "twofour/nn/low_precision.h"
#include "twofour/train/program/config/build_low_precision.h"
#include "twofour/train/program/config/options.h"
#include "twofour/train/program/config/validate_parts.h"

namespace twofour::train {
namespace {

/// Checks the number of tokens in one forward pass of sequences of a length that is in range. The limit is more than
/// fits into memory, and keeps the product from overflowing.
void CheckTokensPerPass(const std::string& path, int64_t batch_size, int64_t length, Faults& faults) {
  constexpr int64_t kMaxTokens = 1 << 27;
  faults.Expect(batch_size <= kMaxTokens / length, path, batch_size,
                fmt::format("at most {} tokens in a forward pass, that is {} sequences of {}", kMaxTokens,
                            kMaxTokens / length, length));
}

void CheckTokensPerStep(const proto::Config& config, Faults& faults) {
  const proto::Training& training = config.training();
  const std::string path = "training.tokens_per_step";
  faults.InRange(path, training.tokens_per_step(), 0, kMaxCount);
  if (!config.model().has_gpt()) return;
  if (!faults.IsSound("training.batch_size") || !faults.IsSound("model.gpt.sequence_length")) return;
  const int64_t batch_size = training.batch_size(), length = config.model().gpt().sequence_length();
  faults.Expect(training.tokens_per_step() / (batch_size * length) <= kMaxAccumulation, path,
                training.tokens_per_step(),
                fmt::format("at most {} times batch_size * sequence_length", kMaxAccumulation));
  faults.Expect(training.tokens_per_step() % (batch_size * length) == 0, path, training.tokens_per_step(),
                fmt::format("a multiple of batch_size * sequence_length, which is {} * {} = {}", batch_size, length,
                            batch_size * length));
}

/// NumberFormat's rule about scales in the config's words.
void CheckScales(const std::string& path, const proto::LowPrecision::Operand& operand, const NumberFormat& format,
                 Faults& faults) {
  const bool of_eight_bits = format.kind == NumberFormat::Kind::kE4M3 || format.kind == NumberFormat::Kind::kE5M2;
  faults.Expect(of_eight_bits || operand.scales() == proto::LowPrecision::Operand::TENSOR, path + ".scales",
                proto::LowPrecision::Operand::Scales_Name(operand.scales()),
                fmt::format("TENSOR for {}", faults.Word(NameOf(format.kind))));
}

}  // namespace

void CheckTraining(const proto::Config& config, Faults& faults) {
  const proto::Training& training = config.training();
  // A Trainer accepts 0 steps, but a run must have some.
  faults.InRange("training.steps", training.steps(), 1, kMaxCount);
  const FieldPath at("training", {{"eval_batch_size", "evaluation.batch_size"},
                                  {"eval_max_batches", "evaluation.max_batches"},
                                  {"eval_every_steps", "evaluation.every_steps"},
                                  {"checkpoint_every_steps", "checkpoint.every_steps"},
                                  {"log_every_steps", "logging.every_steps"},
                                  {"histogram_every_steps", "logging.histogram_every_steps"}});
  if (config.model().has_gpt() && faults.IsSound("model.gpt.sequence_length")) {
    const int64_t length = config.model().gpt().sequence_length();
    CheckTokensPerPass("training.batch_size", training.batch_size(), length, faults);
    CheckTokensPerPass("evaluation.batch_size", config.evaluation().batch_size(), length, faults);
  }
  // 0 means the default.
  faults.InRange("evaluation.batch_size", config.evaluation().batch_size(), 0, kMaxCount);
  faults.Close("evaluation.batch_size");
  Check(BuildClassificationOptions(config), at, faults);
  Check(BuildRegressionOptions(config), at, faults);
  Check(BuildLanguageModelOptions(config), at, faults);
  CheckTokensPerStep(config, faults);
  TrainerOptions options = BuildTrainerOptions(config);
  // Check the values as the config gives them, even if they have no effect.
  const int64_t micro_batches = std::exchange(options.accumulate_steps, training.accumulate_steps());
  const int64_t shards = std::exchange(options.shards, 1);
  options.histogram_every_steps = config.logging().histogram_every_steps();
  Check(options, at, faults);
  if (const std::optional<nn::LowPrecisionOptions> low = BuildLowPrecision(config)) {
    const std::string path = "training.low_precision";
    const proto::LowPrecision& given = training.low_precision();
    CheckScales(path + ".weights", given.weights(), low->formats.weight, faults);
    CheckScales(path + ".activations", given.activations(), low->formats.activation, faults);
    CheckScales(path + ".gradients", given.gradients(), low->formats.gradient, faults);
    Check(*low,
          FieldPath(path, {{"formats", ""},
                           {"weight", "weights"},
                           {"activation", "activations"},
                           {"gradient", "gradients"},
                           {"granularity", "scales"}}),
          faults);
  }
  if (faults.IsSound("training.accumulate_steps") && faults.IsSound("training.tokens_per_step")) {
    CheckShards(shards, micro_batches, "training.shards", faults);
  }
  faults.InRange("checkpoint.keep", config.checkpoint().keep(), 1, kMaxCount);
  faults.Expect(config.checkpoint().final() != proto::Checkpoint::BEST || config.checkpoint().save_best(),
                "checkpoint.final", "BEST", "LAST where checkpoint.save_best is false: the best step is not saved");
}

}  // namespace twofour::train
