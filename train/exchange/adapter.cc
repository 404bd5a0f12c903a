#include "twofour/train/exchange/adapter.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/io/json.h"
#include "twofour/core/io/text.h"
#include "twofour/core/kernels/elements/reduce.h"
#include "twofour/sparse/low_rank.h"
#include "twofour/train/exchange/adapter_config.h"
#include "twofour/train/finite_check.h"

namespace twofour::train {
namespace {

constexpr std::string_view kPrefix = "base_model.model.", kA = ".lora_A.weight", kB = ".lora_B.weight";

/// Pairs of factors by the names of their linears.
using Pairs = std::map<std::string, AdapterFactors>;

/// If `name` is that of a factor, its linear and the place for it.
std::optional<std::pair<std::string, Tensor AdapterFactors::*>> PlaceOf(std::string_view name) {
  for (const auto& [ending, place] : {std::pair(kA, &AdapterFactors::a), std::pair(kB, &AdapterFactors::b)}) {
    if (name.size() > ending.size() && name.ends_with(ending)) {
      return std::pair(std::string(name.substr(0, name.size() - ending.size())), place);
    }
  }
  return std::nullopt;
}

/// Checks the pairs and puts them in order. All have one rank: `rank`, if it is given.
Adapter Collect(Pairs pairs, std::optional<int64_t> rank, double alpha, const std::string& source) {
  Adapter adapter{.source = source, .alpha = alpha};
  if (pairs.empty()) throw Error(fmt::format("{}: holds no adapter, expected tensors named *{}", source, kA));
  for (auto& [linear, factors] : pairs) {
    factors.linear = linear;
    for (const auto& [tensor, ending] : {std::pair(&factors.a, kA), std::pair(&factors.b, kB)}) {
      if (!tensor->defined()) throw Error(fmt::format("{}: tensor '{}{}': missing", source, linear, ending));
      if (tensor->rank() != 2 || !GoesWith(tensor->dtype(), DType::kF32) || tensor->numel() == 0) {
        throw Error(fmt::format("{}: tensor '{}{}': {}, expected f32, f16 or bf16 of two dimensions", source, linear,
                                ending, Describe(*tensor)));
      }
      *tensor = tensor->To(DType::kF32);
      RequireFiniteTensors(source, {{fmt::format("{}{}", linear, ending), *tensor}});
    }
    if (!rank) rank = factors.a.dim(0);
    if (factors.a.dim(0) != *rank || factors.b.dim(1) != *rank) {
      throw Error(fmt::format("{}: the factors of '{}' are {} and {}, expected rank {}", source, linear,
                              ToString(factors.a.shape()), ToString(factors.b.shape()), *rank));
    }
    adapter.linears.push_back(std::move(factors));
  }
  adapter.rank = *rank;
  return adapter;
}

/// The tensor of a linear's weight among `tensors`. Throws Error unless it takes the factors.
Tensor& WeightFor(const AdapterFactors& factors, const std::string& source, std::vector<NamedTensor>& tensors) {
  const std::string name = factors.linear + ".weight";
  const auto found = std::ranges::find(tensors, name, &NamedTensor::name);
  if (found == tensors.end()) throw Error(fmt::format("{}: '{}': the model has no such weight", source, name));
  const Shape expected{factors.b.dim(0), factors.a.dim(1)};
  if (found->tensor.dtype() != DType::kF32 || found->tensor.shape() != expected) {
    throw Error(fmt::format("{}: is for '{}' of shape {}, but the model's is {}", source, name, ToString(expected),
                            Describe(found->tensor)));
  }
  return found->tensor;
}

/// Throws Error unless the adapter has factors for all linears of the model that its config names, and no others.
void RequireTargets(const Adapter& adapter, const std::vector<NamedTensor>& tensors) {
  constexpr std::string_view kWeight = ".weight";
  std::set<std::string> adapted, linears;
  for (const AdapterFactors& factors : adapter.linears) adapted.insert(factors.linear);
  for (const NamedTensor& named : tensors) {
    if (!named.name.ends_with(kWeight) || named.tensor.rank() < 2) continue;
    linears.insert(named.name.substr(0, named.name.size() - kWeight.size()));
  }
  adapter.targets.Require(adapted, linears, adapter.source);
}

/// Throws Error if the adapter makes a weight of finite numbers one of others, as a very large alpha does.
void RequireStaysFinite(const AdapterFactors& factors, const std::string& source, const Tensor& weight,
                        const Tensor& merged) {
  if (kernels::FindNonFinite(merged.numel(), merged.data<float>()) < 0) return;
  if (kernels::FindNonFinite(weight.numel(), weight.data<float>()) >= 0) return;  // Not the adapter's fault.
  throw Error(
      fmt::format("{}: added to '{}.weight', it gives numbers that no 32-bit float can hold", source, factors.linear));
}

/// Which entries of the merged weight are not 0 by rule; nothing where all may be anything.
std::optional<sparse::Mask> KeptOf(const std::string& linear, const Tensor& weight, bool keep_zeros,
                                   const std::vector<NamedTensor>& tensors, const std::string& source) {
  const std::string name = linear + ".weight_mask";
  const auto found = std::ranges::find(tensors, name, &NamedTensor::name);
  if (found != tensors.end()) {
    if (found->tensor.dtype() != DType::kBool || found->tensor.shape() != weight.shape()) {
      throw Error(fmt::format("{}: beside '{}' of the model, which is {}", source, name, Describe(found->tensor)));
    }
    return sparse::Mask::FromTensor(found->tensor);
  }
  if (!keep_zeros) return std::nullopt;
  Tensor kept = Tensor::Empty(weight.shape(), DType::kBool);
  std::transform(weight.data<float>(), weight.data<float>() + weight.numel(), kept.mutable_data<bool>(),
                 [](float value) { return value != 0; });
  return sparse::Mask::FromTensor(kept);
}

}  // namespace

Adapter TakeAdapter(std::vector<NamedTensor>& tensors, double alpha, const std::string& source) {
  Pairs pairs;
  std::erase_if(tensors, [&](const NamedTensor& named) {
    const auto place = PlaceOf(named.name);
    if (place) pairs[place->first].*place->second = named.tensor;
    return place.has_value();
  });
  return Collect(std::move(pairs), std::nullopt, alpha, source);
}

Adapter ParseAdapter(std::string_view config, const std::string& config_source, const SafetensorsFile& file,
                     const std::string& source) {
  const AdapterConfig parsed = ParseAdapterConfig(config, config_source);
  if (!file.skipped.empty()) {
    throw Error(fmt::format("{}: tensor '{}': {}, expected f32, f16 or bf16", source, file.skipped[0].name,
                            Describe(file.skipped[0])));
  }
  Pairs pairs;
  for (const NamedTensor& named : file.tensors) {
    const auto place =
        named.name.starts_with(kPrefix) ? PlaceOf(std::string_view(named.name).substr(kPrefix.size())) : std::nullopt;
    if (!place) {
      throw Error(fmt::format("{}: tensor '{}': expected {}<linear>{} or {}", source, named.name, kPrefix, kA, kB));
    }
    pairs[place->first].*place->second = named.tensor;
  }
  Adapter adapter = Collect(std::move(pairs), parsed.rank, parsed.alpha, source);
  adapter.targets = parsed.targets;
  return adapter;
}

Adapter LoadAdapter(FileSystem& files, const std::filesystem::path& path) {
  const SafetensorsFile file = LoadSafetensors(files, path);
  const std::filesystem::path config = path.parent_path() / kAdapterConfigFile;
  return ParseAdapter(ReadText(files, config, kMaxAdapterConfigBytes), config.string(), file, path.string());
}

void SaveAdapter(FileSystem& files, const std::filesystem::path& path, const Adapter& adapter) {
  std::vector<NamedTensor> tensors;
  std::vector<std::string> linears;
  for (const AdapterFactors& factors : adapter.linears) {
    const std::string prefix = fmt::format("{}{}", kPrefix, factors.linear);
    tensors.push_back({fmt::format("{}{}", prefix, kA), factors.a});
    tensors.push_back({fmt::format("{}{}", prefix, kB), factors.b});
    linears.push_back(factors.linear);
  }
  const JsonObject config = JsonObject()
                                .Set("peft_type", "LORA")
                                .Set("r", adapter.rank)
                                .Set("lora_alpha", adapter.alpha)
                                .Set("lora_dropout", 0.0)
                                .Set("target_modules", linears)
                                .Set("bias", "none")
                                .Set("fan_in_fan_out", false)
                                .Set("use_rslora", false)
                                .Set("use_dora", false)
                                .Set("inference_mode", true);
  SaveSafetensors(files, path, tensors, {{"format", "pt"}});
  WriteTextAtomically(files, path.parent_path() / kAdapterConfigFile, config.ToText(2) + "\n");
}

void MergeAdapter(const Adapter& adapter, bool keep_zeros, std::vector<NamedTensor>& tensors) {
  std::vector<std::pair<Tensor*, Tensor>> merged;  // Weights and what they become.
  for (const AdapterFactors& factors : adapter.linears) {
    Tensor& weight = WeightFor(factors, adapter.source, tensors);
    const auto kept = KeptOf(factors.linear, weight, keep_zeros, tensors, adapter.source);
    const sparse::LowRank low_rank{factors.a, factors.b, adapter.alpha / static_cast<double>(adapter.rank)};
    merged.emplace_back(&weight, sparse::AddLowRank(weight, low_rank, kept ? &*kept : nullptr).Detach());
    RequireStaysFinite(factors, adapter.source, weight, merged.back().second);
  }
  RequireTargets(adapter, tensors);
  for (auto& [weight, value] : merged) *weight = value;
}

}  // namespace twofour::train
