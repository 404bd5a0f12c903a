#include "twofour/train/exchange/packed_tensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <set>
#include <string_view>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/quote_for_message.h"
#include "twofour/sparse/formats/bitmask24.h"
#include "twofour/sparse/formats/packed_groups.h"
#include "twofour/sparse/formats/packed_vnm.h"
#include "twofour/sparse/formats/semi_structured.h"
#include "twofour/sparse/row_packed_weight.h"
#include "twofour/sparse/vnm_packed_weight.h"
#include "twofour/train/exchange/quantized_weights.h"
#include "twofour/train/finite_check.h"

namespace twofour::train {
namespace {

constexpr std::string_view kWeight = ".weight";

using Parts = std::vector<Tensor>;

/// A form whose parts have names of their own.
struct PartedForm {
  WeightForm form;
  std::vector<std::string_view> endings;  ///< Of the parts' names, after X.
  Tensor (*unpack)(const Parts& parts, const std::string& name);
  /// Null if products cannot read the weight as it is.
  std::shared_ptr<const sparse::InferenceWeight> (*pack)(const Parts& parts, DType values, const std::string& name);
};

const std::array<PartedForm, 4>& PartedForms() {
  static const std::array<PartedForm, 4> forms = {
      {{WeightForm::kPacked,
        {".weight_values", ".weight_positions", ".weight_pattern"},
        [](const Parts& parts, const std::string& name) {
          return sparse::UnpackGroups({parts[0], parts[1], parts[2]}, name);
        },
        [](const Parts& parts, DType values,
           const std::string& name) -> std::shared_ptr<const sparse::InferenceWeight> {
          const sparse::PackedGroups packed{parts[0], parts[1], parts[2]};
          return std::make_shared<const sparse::RowPackedWeight>(packed, values, name);
        }},
       {WeightForm::kPackedVnm,
        {".weight_vnm_values", ".weight_vnm_positions", ".weight_vnm_columns", ".weight_vnm_pattern"},
        [](const Parts& parts, const std::string& name) {
          return sparse::UnpackVnm({parts[0], parts[1], parts[2], parts[3]}, name);
        },
        [](const Parts& parts, DType values,
           const std::string& name) -> std::shared_ptr<const sparse::InferenceWeight> {
          const sparse::PackedVnm packed{parts[0], parts[1], parts[2], parts[3]};
          return std::make_shared<const sparse::VnmPackedWeight>(packed, values, name);
        }},
       {WeightForm::kBitmask24,
        {".compressed", ".bitmask", ".shape"},
        [](const Parts& parts, const std::string& name) {
          return sparse::UnpackBitmask24({parts[0], parts[1], parts[2]}, name);
        },
        nullptr},
       {WeightForm::kSemiStructured,
        {".weight_packed", ".weight_meta"},
        [](const Parts& parts, const std::string& name) {
          return sparse::UnpackSemiStructured({parts[0], parts[1]}, name);
        },
        nullptr}}};
  return forms;
}

const PartedForm& PartsOf(WeightForm form) { return *std::ranges::find(PartedForms(), form, &PartedForm::form); }

/// The form and the weight's X that a tensor's name tells of, if it is that of a part.
std::pair<const PartedForm*, std::string> FormAndStem(const std::string& name) {
  for (const PartedForm& form : PartedForms()) {
    for (const std::string_view ending : form.endings) {
      if (name.size() > ending.size() && name.ends_with(ending)) {
        return {&form, name.substr(0, name.size() - ending.size())};
      }
    }
  }
  return {nullptr, ""};
}

std::string WeightName(const std::string& stem) { return stem + std::string(kWeight); }

/// How messages begin.
std::string InFile(const std::string& source, const std::string& stem) {
  return fmt::format("{}: tensor {}", source, QuoteForMessage(WeightName(stem)));
}

struct PartedWeight {
  const PartedForm* form;
  Parts parts;  ///< In the order of the form's endings.
};

/// The weights of a file that are in parts, by their X. Throws Error where parts are missing, and where there is more
/// than one form of a weight.
std::map<std::string, PartedWeight> FindPartedWeights(const SafetensorsFile& file, const std::string& source) {
  std::map<std::string, PartedWeight> found;
  std::map<std::string_view, Tensor> tensors;
  for (const NamedTensor& named : file.tensors) tensors.emplace(named.name, named.tensor);
  std::set<std::string_view> skipped;
  for (const SkippedTensor& one : file.skipped) skipped.insert(one.name);
  for (const NamedTensor& named : file.tensors) {
    const auto [form, stem] = FormAndStem(named.name);
    if (form == nullptr) continue;
    if (tensors.contains(WeightName(stem)) || skipped.contains(WeightName(stem))) {
      throw Error(fmt::format("{}: is there both dense and {}", InFile(source, stem), NameOf(form->form)));
    }
    const auto [weight, is_first] = found.try_emplace(stem, PartedWeight{form, {}});
    if (weight->second.form == form) continue;
    throw Error(fmt::format("{}: is there both {} and {}", InFile(source, stem), NameOf(weight->second.form->form),
                            NameOf(form->form)));
  }
  for (auto& [stem, weight] : found) {
    for (const std::string_view ending : weight.form->endings) {
      const auto part = tensors.find(stem + std::string(ending));
      if (part == tensors.end()) {
        if (tensors.contains(stem + ".weight_global_scale")) {
          throw Error(fmt::format(
              "{} is of NVFP4 as compressed-tensors stores it (weight_packed, weight_scale, weight_global_scale), "
              "expected ModelOpt's names (weight, weight_scale, weight_scale_2), or floats",
              InFile(source, stem)));
        }
        throw Error(fmt::format("{} is {}, but {} is missing", InFile(source, stem), NameOf(weight.form->form),
                                QuoteForMessage(stem + std::string(ending))));
      }
      weight.parts.push_back(part->second);
    }
  }
  return found;
}

/// Of parts that were unpacked.
PackedWeightInfo InfoOf(const PartedWeight& weight) {
  PackedWeightInfo info{.form = weight.form->form, .pattern = "2:4"};
  for (const Tensor& part : weight.parts) info.bytes += static_cast<uint64_t>(part.numel()) * SizeOf(part.dtype());
  if (weight.form->pack != nullptr) {  // Their last part holds rows, columns and the pattern.
    const Tensor& numbers = weight.parts.back();
    info.pattern =
        fmt::format("{}", fmt::join(numbers.data<int64_t>() + 2, numbers.data<int64_t>() + numbers.numel(), ":"));
  }
  return info;
}

}  // namespace

std::string_view NameOf(WeightForm form) {
  switch (form) {
    case WeightForm::kDense:
      return "dense";
    case WeightForm::kPacked:
      return "packed";
    case WeightForm::kPackedVnm:
      return "packed-vnm";
    case WeightForm::kBitmask24:
      return "sparse24-bitmask";
    case WeightForm::kSemiStructured:
      return "semi-structured";
  }
  return "?";
}

void AppendWeight(const NamedTensor& weight, WeightForm form, const sparse::MaskFormat& pattern,
                  std::vector<NamedTensor>& out) {
  if (form == WeightForm::kDense) return out.push_back(weight);
  const std::string name = fmt::format("tensor '{}'", weight.name);
  if (!weight.name.ends_with(kWeight)) throw Error(fmt::format("{}: expected a name that ends in {}", name, kWeight));
  Parts parts;
  if (form == WeightForm::kPacked) {
    const auto [values, positions, numbers] = sparse::PackGroups(weight.tensor, {pattern.n, pattern.m}, name);
    parts = {values, positions, numbers};
  } else if (form == WeightForm::kPackedVnm) {
    const auto [values, positions, columns, numbers] = sparse::PackVnm(weight.tensor, pattern.vnm(), name);
    parts = {values, positions, columns, numbers};
  } else if (form == WeightForm::kBitmask24) {
    const auto [compressed, bitmask, shape] = sparse::PackBitmask24(weight.tensor, name);
    parts = {compressed, bitmask, shape};
  } else {
    const auto [packed, meta] = sparse::PackSemiStructured(weight.tensor, name);
    parts = {packed, meta};
  }
  const std::string stem = weight.name.substr(0, weight.name.size() - kWeight.size());
  for (size_t i = 0; i < parts.size(); ++i) out.push_back({stem + std::string(PartsOf(form).endings[i]), parts[i]});
}

std::map<std::string, PackedWeightInfo> UnpackTensors(SafetensorsFile& file, const std::string& source) {
  SafetensorsFile floats = file;
  std::map<std::string, PackedWeightInfo> infos = DequantizeTensors(floats, source);
  std::map<std::string, PartedWeight> found = FindPartedWeights(floats, source);
  std::vector<NamedTensor> tensors;
  for (const NamedTensor& named : floats.tensors) {
    const std::string stem = FormAndStem(named.name).second;
    if (stem.empty()) {
      tensors.push_back(named);
      continue;
    }
    const auto weight = found.find(stem);
    if (weight == found.end()) continue;  // The first part stood for the weight's place in the file.
    tensors.push_back({WeightName(stem), weight->second.form->unpack(weight->second.parts, InFile(source, stem))});
    infos.emplace(WeightName(stem), InfoOf(weight->second));
    found.erase(weight);
  }
  file.tensors = std::move(tensors);
  return infos;
}

std::vector<nn::PackedLinear> TakePackedLinears(SafetensorsFile& file, const std::string& source, DType activations) {
  DequantizeTensors(file, source);
  std::map<std::string, PartedWeight> found = FindPartedWeights(file, source);
  std::erase_if(found, [](const auto& weight) { return weight.second.form->pack == nullptr; });
  std::map<std::string, Tensor> biases;
  std::erase_if(file.tensors, [&](const NamedTensor& named) {
    const size_t dot = named.name.rfind('.');
    if (dot == std::string::npos || !found.contains(named.name.substr(0, dot))) return false;
    const bool is_bias = named.name.substr(dot) == ".bias";
    if (is_bias) biases.emplace(named.name.substr(0, dot), named.tensor);
    return is_bias || FormAndStem(named.name).first != nullptr;
  });
  std::vector<nn::PackedLinear> linears;
  for (auto& [stem, weight] : found) {
    const DType stored = weight.parts.front().dtype();  // Of the values.
    const DType values = stored == DType::kBF16 || activations == DType::kBF16 ? DType::kBF16 : DType::kF32;
    nn::PackedLinear linear{.name = stem, .weight = weight.form->pack(weight.parts, values, InFile(source, stem))};
    RequireFiniteTensors(source, {{WeightName(stem), weight.parts.front().To(values).To(DType::kF32)}});
    if (const auto bias = biases.find(stem); bias != biases.end()) {
      linear.bias = IsFloating(bias->second.dtype()) ? bias->second.To(DType::kF32) : bias->second;
    }
    linears.push_back(std::move(linear));
    weight.parts.clear();  // A large model should not be in memory twice.
  }
  return linears;
}

}  // namespace twofour::train
