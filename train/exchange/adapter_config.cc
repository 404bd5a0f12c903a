#include "twofour/train/exchange/adapter_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "twofour/core/error.h"
#include "twofour/core/faults.h"
#include "twofour/core/io/json.h"
#include "twofour/core/quote_for_message.h"
#include "twofour/train/exchange/config_fields.h"

namespace twofour::train {
namespace {

/// Fields that are read: by the functions below, and by AdapterTargets.
constexpr std::string_view kRead[] = {
    "bias", "exclude_modules", "init_lora_weights", "layers_pattern", "layers_to_transform", "lora_alpha", "peft_type",
    "r",    "target_modules"};

/// Fields that leave a trained adapter as it is, whatever they say.
constexpr std::string_view kHarmless[] = {
    // Where it comes from.
    "auto_mapping", "base_model_name_or_path", "peft_version", "revision", "task_type",
    // How it was trained, or is to be run.
    "inference_mode", "lora_dropout", "merge_weights", "runtime_config", "velora_config",
    // How it began. Each is only used with a value of init_lora_weights.
    "corda_config", "eva_config", "loftq_config", "lora_ga_config",
    // Details of use_qalora and megatron_config, which are refused.
    "megatron_core", "qalora_group_size"};

/// How adapters may begin without a change of W.
constexpr std::string_view kPlainBeginnings[] = {"eva", "gaussian", "mica", "orthogonal"};

bool Contains(const auto& names, std::string_view name) { return std::ranges::find(names, name) != std::end(names); }

bool IsUnset(const JsonValue& value) {
  if (value.is_boolean()) return !value.boolean();
  if (value.is_string()) return value.string().empty();
  if (value.is_object()) return value.members().empty();
  return value.is_null() || (value.is_array() && value.elements().empty());
}

/// The beginning of a value, for a message.
std::string Shown(const JsonValue& value) { return value.ToText().substr(0, 80); }

void RequirePlain(const JsonValue& config, const std::string& source) {
  for (const auto& [name, value] : config.members()) {
    if (Contains(kRead, name) || Contains(kHarmless, name) || IsUnset(value)) continue;
    throw Error(fmt::format("{}: field {}: {}, expected none: it is not known to leave W + alpha / r * B A as it is",
                            source, QuoteForMessage(name), Shown(value)));
  }
}

/// PEFT 0.21: pissa, pissa_niter_N, olora, corda, loftq and lora_ga take something off W.
void RequirePlainBeginning(const JsonValue& config, const std::string& source) {
  const auto value = config.Find("init_lora_weights");
  if (!value || value->is_null() || value->is_boolean()) return;
  if (value->is_string() && Contains(kPlainBeginnings, value->string())) return;
  throw Error(
      fmt::format("{}: init_lora_weights: {}, expected true, false, {}: others may change the weights that the "
                  "adapter is added to",
                  source, Shown(*value), R"("eva", "gaussian", "mica" or "orthogonal")"));
}

}  // namespace

AdapterConfig ParseAdapterConfig(std::string_view text, const std::string& source) {
  const JsonDocument document = ParseConfigObject(text, source);
  const JsonValue config = document.root();
  const auto type = config.Find("peft_type"), rank = config.Find("r"), alpha = config.Find("lora_alpha");
  if (!type || !type->is_string() || type->string() != "LORA") {
    throw Error(fmt::format("{}: expected the config of a LoRA adapter, with peft_type \"LORA\"", source));
  }
  RequirePlain(config, source);
  RequirePlainBeginning(config, source);
  if (const auto bias = config.Find("bias"); bias && (!bias->is_string() || bias->string() != "none")) {
    throw Error(fmt::format("{}: bias: {}, expected \"none\"", source, Shown(*bias)));
  }
  if (!rank || !rank->is_integer() || rank->integer() < 1 || rank->integer() > kMaxFeatures) {
    throw Error(
        fmt::format("{}: r: {}, expected the rank, 1 to {}", source, rank ? Shown(*rank) : "missing", kMaxFeatures));
  }
  const double most = std::numeric_limits<float>::max();
  if (!alpha || !alpha->is_number() || !(alpha->number() > 0) || !(alpha->number() <= most)) {
    throw Error(fmt::format("{}: lora_alpha: {}, expected a number above 0, at most {:g}", source,
                            alpha ? Shown(*alpha) : "missing", most));
  }
  return {.rank = rank->integer(), .alpha = alpha->number(), .targets = AdapterTargets::Parse(config, source)};
}

}  // namespace twofour::train
