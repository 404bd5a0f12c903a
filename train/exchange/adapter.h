#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/core/tensor.h"
#include "twofour/train/exchange/adapter_targets.h"

namespace twofour::train {

/// The low-rank factors of one linear.
struct AdapterFactors {
  std::string linear;  ///< The full name of the linear, without ".weight".
  Tensor a;            ///< f32 [rank, in_features]
  Tensor b;            ///< f32 [out_features, rank]
};

/// Adapters of a model as PEFT saves them: a safetensors file with `base_model.model.LINEAR.lora_A.weight` and
/// `base_model.model.LINEAR.lora_B.weight` of each linear, and a JSON file beside it that says what they are to be
/// multiplied with.
struct Adapter {
  std::string source;  ///< For messages.
  int64_t rank = 0;
  double alpha = 0;
  std::vector<AdapterFactors> linears = {};  ///< In the order of names.
  AdapterTargets targets = {};               ///< Which linears the JSON file names.
};

/// The name of the JSON file.
inline constexpr char kAdapterConfigFile[] = "adapter_config.json";
/// Upper bound for that file, far above those that PEFT writes.
inline constexpr uint64_t kMaxAdapterConfigBytes = 1 << 20;

/// Takes the factors of every `<linear>.lora_A.weight` and `<linear>.lora_B.weight` out of the tensors of a model, such
/// as those of a checkpoint. Throws Error on factors that do not fit together.
Adapter TakeAdapter(std::vector<NamedTensor>& tensors, double alpha, const std::string& source);

/// Reads an adapter from the text of its JSON file and the tensors of its other file, which need not be trustworthy.
/// Factors may be f32, f16 or bf16 and must be finite. Throws Error on what is no such adapter, and on kinds of LoRA
/// that compute something else (see ParseAdapterConfig).
Adapter ParseAdapter(std::string_view config, const std::string& config_source, const SafetensorsFile& file,
                     const std::string& source);

/// Reads an adapter whose JSON file lies beside `path`. Throws Error as ParseAdapter does.
Adapter LoadAdapter(FileSystem& files, const std::filesystem::path& path);

/// Writes the two files into `folder`.
void SaveAdapter(FileSystem& files, const std::filesystem::path& path, const Adapter& adapter);

/// Adds alpha / rank * B A to the weights of its linears among `tensors`. Weights that do not change still share their
/// elements with the tensors that were given. Entries that `<linear>.weight_mask` drops, where there is such a tensor,
/// become 0; with `keep_zeros`, entries that are 0 stay 0. Throws Error, and changes nothing, if a linear is missing or
/// has another shape, or if the linears are not those of the targets (see AdapterTargets::Require).
void MergeAdapter(const Adapter& adapter, bool keep_zeros, std::vector<NamedTensor>& tensors);

}  // namespace twofour::train
