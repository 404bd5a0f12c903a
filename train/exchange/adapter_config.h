#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "twofour/train/exchange/adapter_targets.h"

namespace twofour::train {

/// What the JSON file of an adapter says of it.
struct AdapterConfig {
  int64_t rank = 0;
  double alpha = 0;
  AdapterTargets targets = {};
};

/// Reads the config of a LoRA adapter as PEFT writes it, which need not be trustworthy. Throws Error on what is no such
/// config, and where a linear may compute something else than with W + alpha / rank * B A for the W that the model has
/// without the adapter. Fields that are not known to leave that as it is must be null, false or empty: those of
/// variants such as DoRA, and any that a later PEFT may have. Of the ways in which adapters begin (init_lora_weights),
/// those that change W are refused, because the adapter is then relative to another weight.
AdapterConfig ParseAdapterConfig(std::string_view text, const std::string& source);

}  // namespace twofour::train
