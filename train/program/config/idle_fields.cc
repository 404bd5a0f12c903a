#include "twofour/train/program/config/idle_fields.h"

#include <fmt/format.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/number_format.h"
#include "twofour/sparse/rounded_linear.h"
#include "twofour/train/program/config/build_low_precision.h"
#include "twofour/train/program/config/sparsity_parts.h"

namespace twofour::train {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::TextFormat;
using proto::Config;
using proto::LearningRate;
using proto::SparsitySchedule;

/// A field that has an effect only in some configs.
struct Condition {
  std::string field;       // Its path.
  const char* decided_by;  // The path of the field that decides. If that has a fault, nothing is known.
  bool (*has_effect)(const Config& config);
  const char* otherwise;  // Follows "expected 0" or what else the default is.
};

bool IsGpt(const Config& config) { return config.model().has_gpt(); }
bool IsRotary(const Config& config) { return config.model().gpt().positions() == proto::Gpt::ROTARY; }
bool IsScaled(const Config& config) { return config.model().gpt().rotary_scaling().factor() != 1; }
bool IsScaledByTurns(const Config& config) {
  return IsScaled(config) && config.model().gpt().rotary_scaling().original_length() != 0;
}
bool IsRegression(const Config& config) { return config.data().csv().target_size() > 0; }
bool IsNoRegression(const Config& config) { return !IsRegression(config); }
bool IsClassifier(const Config& config) { return !IsGpt(config) && !IsRegression(config); }
bool OfWeights(const Config& config) { return config.sparsity().target() == proto::Sparsity::WEIGHT; }
bool RateChanges(const Config& config) { return config.learning_rate().schedule() != LearningRate::CONSTANT; }
bool RateDecays(const Config& config) { return config.learning_rate().schedule() == LearningRate::WARMUP_STABLE_DECAY; }
bool RateFalls(const Config& config) {
  const LearningRate& rate = config.learning_rate();
  return !RateDecays(config) || rate.decay_steps() != 0 || rate.decay_fraction() != 0;
}
bool IsLow(const Config& config) {
  const auto precision = config.training().precision();
  return precision == proto::Training::FP8 || precision == proto::Training::NVFP4;
}
/// Whether an operand in FP8 or NVFP4 has scales of blocks whose size is free.
template <NumberFormat sparse::LinearFormats::*kOperand>
bool HasBlocks(const Config& config) {
  const auto low = BuildLowPrecision(config);
  if (!low) return true;  // Not worth a second fault.
  const NumberFormat& format = low->formats.*kOperand;
  const bool of_eight_bits = format.kind == NumberFormat::Kind::kE4M3 || format.kind == NumberFormat::Kind::kE5M2;
  return of_eight_bits && format.granularity == NumberFormat::Granularity::kBlock;
}
/// Whether an operand that comes as bf16 is rounded to something else, or rotated before, which makes it f32.
template <NumberFormat sparse::LinearFormats::*kOperand>
bool IsRounded(const Config& config) {
  const auto low = BuildLowPrecision(config);
  return !low || low->formats.hadamard || (low->formats.*kOperand).kind != NumberFormat::Kind::kBF16;
}
bool HasNoFinetune(const Config& config) { return !config.has_finetune(); }
bool HasNoOneShot(const Config& config) { return !config.has_one_shot(); }
bool IsMethod(const Config& config, std::string_view name) { return config.one_shot().method() == name; }
template <SparsitySchedule::Shape kShape>
bool HasShape(const Config& config) {
  return config.sparsity().schedule().shape() == kShape;
}
template <SparsitySchedule::Shape kShape>
bool HasOtherShape(const Config& config) {
  return !HasShape<kShape>(config);
}

std::vector<Condition> MakeConditions() {
  constexpr const char* kSchedule = "learning_rate.schedule";
  constexpr const char* kShape = "sparsity.schedule.shape";
  constexpr const char* kPositions = "model.gpt.positions";
  constexpr const char* kLearned = "for LEARNED positions, which do not turn";
  constexpr const char* kFactor = "model.gpt.rotary_scaling.factor";
  constexpr const char* kUnscaled = "without a factor above 1 and original_length";
  constexpr const char* kConstant = "with CONSTANT";
  constexpr const char* kNoDecay = "unless the schedule is WARMUP_STABLE_DECAY";
  constexpr const char* kNoTokens = "for a model that reads no tokens";
  constexpr const char* kNoClasses = "for a model that predicts no classes";
  constexpr const char* kNoTargets = "without data.csv.target";
  constexpr const char* kTargets = "beside data.csv.target, which says what is predicted";
  constexpr const char* kNoBlocks = "but for E4M3 and E5M2 with scales BLOCK";
  constexpr const char* kAsItComes = "for BF16 without hadamard: what would be rounded is BF16 already";
  constexpr const char* kStages = "beside finetune, whose stages take its place";
  constexpr const char* kOneShot = "beside one_shot, which takes its place";
  constexpr const char* kPoints = "for PIECEWISE, whose points say when";
  constexpr const char* kShares = "for PIECEWISE, whose points say how much";
  std::vector<Condition> conditions = {
      {"model.gpt.learned_positions", kPositions, [](const Config& config) { return !IsRotary(config); },
       "for ROTARY positions, which are not learned"},
      {"model.gpt.rotary_base", kPositions, IsRotary, kLearned},
      {"model.gpt.rotary_counterclockwise", kPositions, IsRotary, kLearned},
      {"model.gpt.rotary_scaling.factor", kPositions, IsRotary, kLearned},
      {"model.gpt.rotary_scaling.low_frequency_factor", kFactor, IsScaledByTurns, kUnscaled},
      {"model.gpt.rotary_scaling.high_frequency_factor", kFactor, IsScaledByTurns, kUnscaled},
      {"model.gpt.rotary_scaling.original_length", kFactor, IsScaled, "where the factor is 1, which scales nothing"},
      {"model.gpt.init.head_std", "model.gpt.tied_head",
       [](const Config& config) { return !config.model().gpt().tied_head(); },
       "for a tied head, whose weight is that of the embedding"},
      {"training.tokens_per_step", "model", IsGpt, kNoTokens},
      {"training.accumulate_steps", "training.tokens_per_step",
       [](const Config& config) { return config.training().tokens_per_step() <= 0; },
       "beside tokens_per_step, which decides it"},
      {"training.stop_after_evaluations_without_gain", "evaluation.every_steps",
       [](const Config& config) { return config.evaluation().every_steps() != 0; },
       "where evaluation.every_steps is 0: nothing is evaluated before the last step"},
      {"evaluation.max_batches", "model", IsGpt, kNoTokens},
      {"training.label_smoothing", "model", IsClassifier, kNoClasses},
      {"training.class_weights", "model", IsClassifier, kNoClasses},
      {"training.regression_loss", "data", IsRegression, kNoTargets},
      {"training.huber_delta", "training.regression_loss",
       [](const Config& config) { return config.training().regression_loss() == proto::Training::HUBER; },
       "unless regression_loss is HUBER"},
      {"training.low_precision", "training.precision", IsLow, "unless the precision is FP8 or NVFP4"},
      {"training.low_precision.weights.block", "training.low_precision.weights.scales",
       HasBlocks<&sparse::LinearFormats::weight>, kNoBlocks},
      {"training.low_precision.activations.block", "training.low_precision.activations.scales",
       HasBlocks<&sparse::LinearFormats::activation>, kNoBlocks},
      {"training.low_precision.gradients.block", "training.low_precision.gradients.scales",
       HasBlocks<&sparse::LinearFormats::gradient>, kNoBlocks},
      // Not that of weights, whose masters are f32.
      {"training.low_precision.activations.rounding", "training.low_precision.activations.format",
       IsRounded<&sparse::LinearFormats::activation>, kAsItComes},
      {"training.low_precision.gradients.rounding", "training.low_precision.gradients.format",
       IsRounded<&sparse::LinearFormats::gradient>, kAsItComes},
      {"data.csv.divide_by", "data.csv.standardize",
       [](const Config& config) { return !config.data().csv().standardize(); },
       "beside standardize, which scales each feature by itself"},
      {"data.csv.label", "data.csv.target", IsNoRegression, kTargets},
      {"data.csv.numeric_classes", "data.csv.target", IsNoRegression, kTargets},
      {"data.csv.standardize_targets", "data.csv.target", IsRegression, kNoTargets},
      {"data.text.vocabulary", "data.text.tokenizer",
       [](const Config& config) { return config.data().text().tokenizer().empty(); },
       "beside a tokenizer, whose tokens are taken"},
      {"one_shot.score", "one_shot.method", [](const Config& config) { return IsMethod(config, "dsnot"); },
       "unless the method is dsnot"},
      {"one_shot.dampening", "one_shot.method",
       [](const Config& config) {
         return IsMethod(config, "sparsegpt") || IsMethod(config, "alps") || IsMethod(config, "obs") ||
                (IsMethod(config, "dsnot") && config.one_shot().score() == "obs");
       },
       "unless the method is sparsegpt, alps or obs"},
      {"one_shot.block", "one_shot.method", [](const Config& config) { return IsMethod(config, "sparsegpt"); },
       "unless the method is sparsegpt"},
      {"one_shot.iterations", "one_shot.method", [](const Config& config) { return IsMethod(config, "alps"); },
       "unless the method is alps"},
      {"one_shot.round_steps", "one_shot.rounds", [](const Config& config) { return config.one_shot().rounds() != 1; },
       "for one round"},
      {"sparsity.score", "one_shot", HasNoOneShot, "beside one_shot, whose method says how weights are scored"},
      {"learning_rate.warmup_steps", kSchedule, RateChanges, kConstant},
      {"learning_rate.warmup_fraction", kSchedule, RateChanges, kConstant},
      {"learning_rate.min_lr", kSchedule, RateChanges, kConstant},
      {"learning_rate.min_lr", kSchedule, RateFalls, "without decay_steps or decay_fraction: the rate never falls"},
      {"learning_rate.decay_steps", kSchedule, RateDecays, kNoDecay},
      {"learning_rate.decay_fraction", kSchedule, RateDecays, kNoDecay},
  };
  // Where activations are pruned, weights have no masks.
  constexpr std::string_view kOfBothTargets[] = {"enabled", "include", "exclude", "multiple_of", "algorithm", "target"};
  const google::protobuf::Descriptor& sparsity = *proto::Sparsity::descriptor();
  for (int i = 0; i < sparsity.field_count(); ++i) {
    const std::string& name = sparsity.field(i)->name();
    if (PartOf(*sparsity.field(i)) != proto::MASK_CHOICE && name != "enabled") {
      conditions.push_back({"sparsity." + name, "finetune", HasNoFinetune, kStages});
      conditions.push_back({"sparsity." + name, "one_shot", HasNoOneShot, kOneShot});
    }
    if (std::ranges::find(kOfBothTargets, name) != std::end(kOfBothTargets)) continue;
    conditions.push_back(
        {"sparsity." + name, "sparsity.target", OfWeights, "for target ACTIVATION: it is for masks of weights"});
  }
  conditions.insert(
      conditions.end(),
      {{"sparsity.schedule.begin", kShape, HasOtherShape<SparsitySchedule::PIECEWISE>, kPoints},
       {"sparsity.schedule.end", kShape, HasOtherShape<SparsitySchedule::PIECEWISE>, kPoints},
       {"sparsity.schedule.end", kShape, HasOtherShape<SparsitySchedule::CONSTANT>,
        "for CONSTANT, which changes at once"},
       {"sparsity.schedule.from", kShape, HasOtherShape<SparsitySchedule::PIECEWISE>, kShares},
       {"sparsity.schedule.to", kShape, HasOtherShape<SparsitySchedule::PIECEWISE>, kShares},
       {"sparsity.schedule.rate", kShape, HasShape<SparsitySchedule::EXPONENTIAL>, "but for EXPONENTIAL"}});
  return conditions;
}

struct Field {
  const Message& message;
  const FieldDescriptor& field;
};

/// The field of `config` at a path.
Field Find(const Config& config, const std::string& path) {
  const Message* message = &config;
  const FieldDescriptor* field = nullptr;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('.', begin), path.size());
    if (field != nullptr) message = &message->GetReflection()->GetMessage(*message, field);
    field = message->GetDescriptor()->FindFieldByName(path.substr(begin, end - begin));
    if (field == nullptr) throw std::logic_error("config.proto: no field " + path);
    begin = end + 1;
  }
  return {*message, *field};
}

bool IsScalar(const FieldDescriptor& field) {
  return !field.is_repeated() && field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE;
}

/// The value of a scalar, as a config spells it.
std::string ValueOf(const Message& message, const FieldDescriptor& field) {
  std::string text;
  TextFormat::PrintFieldValueToString(message, &field, -1, &text);
  return text;
}

std::string DefaultOf(const Message& message, const FieldDescriptor& field) {
  return ValueOf(*std::unique_ptr<const Message>(message.New()), field);
}

/// Whether a field says anything that its absence would not say.
bool IsSet(const Message& message, const FieldDescriptor& field) {
  const Reflection& reflection = *message.GetReflection();
  if (field.is_repeated()) return reflection.FieldSize(message, &field) > 0;
  if (!reflection.HasField(message, &field)) return false;
  if (IsScalar(field)) return !field.has_default_value() || ValueOf(message, field) != DefaultOf(message, field);
  const Message& inner = reflection.GetMessage(message, &field);
  std::vector<const FieldDescriptor*> present;
  inner.GetReflection()->ListFields(inner, &present);
  return std::ranges::any_of(present, [&inner](const FieldDescriptor* part) { return IsSet(inner, *part); });
}

}  // namespace

void CheckIdleFields(const Config& config, const Config& stored, Faults& faults) {
  for (const Condition& condition : MakeConditions()) {
    if (condition.has_effect(config) || !faults.IsSound(condition.decided_by)) continue;
    const auto [message, field] = Find(config, condition.field);
    const bool scalar = IsScalar(field);
    const std::string none = scalar ? DefaultOf(message, field) : "none";
    // A fraction or a number of steps that is 0 counts as absent, although the field has no default.
    if (!IsSet(message, field) || (scalar && ValueOf(message, field) == none)) continue;
    const Field before = Find(stored, condition.field);
    const bool as_before = !condition.has_effect(stored) && IsSet(before.message, before.field) &&
                           (!scalar || ValueOf(before.message, before.field) == ValueOf(message, field));
    if (as_before) continue;
    faults.Expect(false, condition.field, scalar ? ValueOf(message, field) : "given",
                  fmt::format("{} {}", none, condition.otherwise));
  }
}

}  // namespace twofour::train
