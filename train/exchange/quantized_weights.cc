#include "twofour/train/exchange/quantized_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/train/exchange/int8_tensors.h"
#include "twofour/train/exchange/low_bit_tensors.h"
#include "twofour/train/exchange/quantized_forms.h"

namespace twofour::train {
namespace {

QuantizedWeight Read(const StoredWeight& stored, const std::string& source, const std::string& name) {
  if (stored.form->kind == sparse::LowBitKind::kInt8) return ReadInt8Tensors(stored, source, name);
  return ReadLowBitTensors(stored, source, name);
}

}  // namespace

void AppendQuantizedWeight(const std::string& name, const QuantizedWeight& weight, std::vector<NamedTensor>& out) {
  if (const auto* const bytes = std::get_if<MaskedInt8Matrix>(&weight)) return AppendInt8Tensors(name, *bytes, out);
  AppendLowBitTensors(name, std::get<sparse::LowBitParts>(weight), out);
}

std::vector<QuantizedLinear> TakeQuantizedLinears(SafetensorsFile& file, const std::string& source) {
  std::map<std::string, StoredWeight> found = FindStoredWeights(file, source, /*strict=*/true);
  std::vector<QuantizedLinear> linears;
  for (const auto& [name, stored] : found) linears.push_back({.name = name, .weight = Read(stored, source, name)});
  std::erase_if(file.tensors, [&](const NamedTensor& named) {
    const std::string of_bias = StemOf(named.name, ".bias");
    if (of_bias.empty() || !found.contains(of_bias)) return !OwnerOf(named.name, found).empty();
    std::ranges::find(linears, of_bias, &QuantizedLinear::name)->bias = named.tensor;
    return true;
  });
  return linears;
}

void RequireNoQuantizedWeights(const SafetensorsFile& file, const std::string& source) {
  for (const NamedTensor& named : file.tensors) {
    for (const QuantizedForm& form : QuantizedForms()) {
      const std::string name = StemOf(named.name, form.parts.front());
      const auto has = [&](std::string_view ending) { return file.Find(name + std::string(ending)) != nullptr; };
      if (named.tensor.dtype() != form.values || name.empty() || !std::ranges::all_of(form.scales, has)) continue;
      throw Error(fmt::format("{}: is of a weight of {}, as only runs of trainer quantize have; expected floats",
                              NameIn(source, named.name), NameOf(form.kind)));
    }
  }
}

std::map<std::string, PackedWeightInfo> DequantizeTensors(SafetensorsFile& file, const std::string& source) {
  const std::map<std::string, StoredWeight> found = FindStoredWeights(file, source, /*strict=*/false);
  if (found.empty()) return {};
  std::map<std::string, PackedWeightInfo> infos;
  std::vector<NamedTensor> tensors;
  for (const NamedTensor& named : file.tensors) {
    const std::string owner = OwnerOf(named.name, found);
    const std::string name = owner + ".weight";
    if (owner.empty()) {
      tensors.push_back(named);
    } else if (!infos.contains(name)) {  // The first part stands for the weight's place in the file.
      const StoredWeight& stored = found.at(owner);
      const QuantizedWeight weight = Read(stored, source, owner);
      tensors.push_back({name, Dequantize(weight)});
      infos.emplace(name, PackedWeightInfo{.form = stored.form->form,
                                           .pattern = MaskFormatOf(weight).Ratio(),
                                           .bytes = stored.bytes(),
                                           .kind = stored.form->kind});
    }
  }
  file.tensors = std::move(tensors);
  return infos;
}

}  // namespace twofour::train
