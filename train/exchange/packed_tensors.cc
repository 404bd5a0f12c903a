#include "twofour/train/exchange/packed_tensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/quote_for_message.h"
#include "twofour/sparse/formats/bitmask24.h"
#include "twofour/sparse/formats/packed_groups.h"
#include "twofour/sparse/formats/semi_structured.h"

namespace twofour::train {
namespace {

constexpr std::string_view kWeight = ".weight";

/// A form whose parts have names of their own.
struct PartedForm {
  WeightForm form;
  std::vector<std::string_view> endings;  ///< Of the parts' names, after X.
  Tensor (*unpack)(const std::vector<Tensor>& parts, const std::string& name);
};

const std::array<PartedForm, 3>& PartedForms() {
  static const std::array<PartedForm, 3> forms = {
      {{WeightForm::kPacked,
        {".weight_values", ".weight_positions", ".weight_pattern"},
        [](const std::vector<Tensor>& parts, const std::string& name) {
          return sparse::UnpackGroups({parts[0], parts[1], parts[2]}, name);
        }},
       {WeightForm::kBitmask24,
        {".compressed", ".bitmask", ".shape"},
        [](const std::vector<Tensor>& parts, const std::string& name) {
          return sparse::UnpackBitmask24({parts[0], parts[1], parts[2]}, name);
        }},
       {WeightForm::kSemiStructured,
        {".weight_packed", ".weight_meta"},
        [](const std::vector<Tensor>& parts, const std::string& name) {
          return sparse::UnpackSemiStructured({parts[0], parts[1]}, name);
        }}}};
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

}  // namespace

std::string_view NameOf(WeightForm form) {
  switch (form) {
    case WeightForm::kDense:
      return "dense";
    case WeightForm::kPacked:
      return "packed";
    case WeightForm::kBitmask24:
      return "sparse24-bitmask";
    case WeightForm::kSemiStructured:
      return "semi-structured";
  }
  return "?";
}

void AppendWeight(const NamedTensor& weight, WeightForm form, const sparse::GroupPattern& pattern,
                  std::vector<NamedTensor>& out) {
  if (form == WeightForm::kDense) return out.push_back(weight);
  const std::string name = fmt::format("tensor '{}'", weight.name);
  if (!weight.name.ends_with(kWeight)) throw Error(fmt::format("{}: expected a name that ends in {}", name, kWeight));
  std::vector<Tensor> parts;
  if (form == WeightForm::kPacked) {
    const auto [values, positions, numbers] = sparse::PackGroups(weight.tensor, pattern, name);
    parts = {values, positions, numbers};
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

std::map<std::string, WeightForm> UnpackTensors(SafetensorsFile& file, const std::string& source) {
  std::map<std::string, std::pair<const PartedForm*, std::map<std::string, Tensor>>> found;  // By X.
  std::set<std::string> names;
  for (const NamedTensor& named : file.tensors) names.insert(named.name);
  for (const SkippedTensor& skipped : file.skipped) names.insert(skipped.name);
  std::vector<NamedTensor> tensors;
  for (const NamedTensor& named : file.tensors) {
    const PartedForm* form = nullptr;
    std::string stem;
    std::tie(form, stem) = FormAndStem(named.name);
    if (form == nullptr) {
      tensors.push_back(named);
      continue;
    }
    const auto fail = [&](const std::string& what) {
      throw Error(fmt::format("{}: tensor {}: {}", source, QuoteForMessage(stem + std::string(kWeight)), what));
    };
    auto& [form_before, parts] = found[stem];
    if (parts.empty()) {  // The first part stands for the weight's place in the file.
      if (names.contains(stem + std::string(kWeight)))
        fail(fmt::format("is there both dense and {}", NameOf(form->form)));
      tensors.push_back({stem, {}});
      form_before = form;
    }
    if (form_before != form)
      fail(fmt::format("is there both {} and {}", NameOf(form_before->form), NameOf(form->form)));
    parts.emplace(named.name, named.tensor);
  }
  std::map<std::string, WeightForm> forms;
  for (NamedTensor& named : tensors) {
    if (named.tensor.defined()) continue;
    const auto& [form, parts] = found.at(named.name);
    std::vector<Tensor> in_order;
    for (const std::string_view ending : form->endings) {
      const auto part = parts.find(named.name + std::string(ending));
      if (part == parts.end()) {
        throw Error(fmt::format("{}: tensor {} is {}, but {} is missing", source,
                                QuoteForMessage(named.name + std::string(kWeight)), NameOf(form->form),
                                QuoteForMessage(named.name + std::string(ending))));
      }
      in_order.push_back(part->second);
    }
    const std::string name = named.name + std::string(kWeight);
    forms.emplace(name, form->form);
    named = {name, form->unpack(in_order, fmt::format("{}: tensor {}", source, QuoteForMessage(name)))};
  }
  file.tensors = std::move(tensors);
  return forms;
}

}  // namespace twofour::train
