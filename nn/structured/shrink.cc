#include "twofour/nn/structured/shrink.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>
#include <type_traits>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/nn/init.h"
#include "twofour/nn/state_dict.h"
#include "twofour/nn/structured/silent_parts.h"

namespace twofour::nn {
namespace {

int64_t KeepOf(const ShrinkOptions& options, PartKind kind) {
  switch (kind) {
    case PartKind::kHeads:
      return options.keep_heads;
    case PartKind::kNeurons:
      return options.keep_neurons;
    case PartKind::kBlocks:
      return options.keep_blocks;
  }
  return 0;
}

/// The largest number of a kind in one set, in the units that options count; 0 if there is none.
int64_t MostOf(const std::vector<PartSet>& parts, PartKind kind) {
  int64_t most = 0;
  for (const PartSet& set : parts) {
    if (set.kind == kind) most = std::max(most, set.count * set.unit);
  }
  return most;
}

/// The indexes of the largest numbers, in ascending order. Of equal ones, the first are taken.
std::vector<int64_t> Best(const std::vector<double>& importance, int64_t count) {
  std::vector<int64_t> order(importance.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::ranges::greater(),
                           [&](int64_t i) { return importance[static_cast<size_t>(i)]; });
  order.resize(static_cast<size_t>(count));
  std::ranges::sort(order);
  return order;
}

/// The entries of `kept` along an axis, each `span` long.
Tensor Entries(const Tensor& whole, int axis, int64_t span, std::span<const int64_t> kept) {
  Shape shape = whole.shape();
  shape[static_cast<size_t>(axis)] = span * std::ssize(kept);
  Tensor part = Tensor::Empty(shape);
  // A row of the copy is what one index of the axes before this one has.
  const int64_t rows = axis == 0 ? 1 : whole.dim(0), row = whole.numel() / rows;
  const int64_t run = span * (axis == 0 ? row / whole.dim(0) : 1);
  const float* from = whole.data<float>();
  float* to = part.mutable_data<float>();
  for (int64_t i = 0; i < rows; ++i, from += row) {
    for (const int64_t entry : kept) to = std::copy_n(from + entry * run, run, to);
  }
  return part;
}

class Shrinker {
 public:
  Shrinker(Model& model, const ShrinkOptions& options, const Calibration& calibration,
           const std::function<bool()>& stopped)
      : model_(model), options_(options), calibration_(calibration), stopped_(stopped), parts_(FindParts(model)) {
    Faults faults("Shrink: ");
    CheckFits(options, parts_, {}, faults);
    faults.Throw();
    if (NeedsCalibration(options.importance) && calibration.batches < 1) {
      throw Error(fmt::format("Shrink: importance by {} needs calibration data, expected at least one batch",
                              NameOf(options.importance)));
    }
  }

  std::optional<ShrunkModel> Run() {
    // Blocks first, so that no time is spent on what is in those that go.
    const auto is_block = [](const PartSet& set) { return set.kind == PartKind::kBlocks; };
    if (!Choose(is_block)) return std::nullopt;
    if (!Choose([&](const PartSet& set) { return !is_block(set) && Stays(set.block); })) return std::nullopt;
    if (calibration_.batches > 0 && !MeasureLosses()) return std::nullopt;
    shrunk_.options = Options();
    TakeParameters();
    shrunk_.report.parameters_before = model_.NumParameters();
    return std::move(shrunk_);
  }

 private:
  std::vector<KeptParts>& sets() { return shrunk_.report.sets; }
  const std::vector<KeptParts>& sets() const { return shrunk_.report.sets; }

  /// How many parts of a set stay.
  int64_t CountFor(const PartSet& set) const {
    const int64_t keep = KeepOf(options_, set.kind), most = MostOf(parts_, set.kind);
    if (set.count * set.unit == most) return keep / set.unit;
    return std::max<int64_t>((2 * set.count * keep + most) / (2 * most), 1);  // Rounds set.count * keep / most.
  }

  /// Chooses from all sets that `wanted` names and of which not all stay by default.
  template <typename Wanted>
  bool Choose(const Wanted& wanted) {
    std::vector<PartSet> chosen_from;
    for (const PartSet& set : parts_) {
      if (KeepOf(options_, set.kind) != 0 && wanted(set)) chosen_from.push_back(set);
    }
    if (chosen_from.empty()) return true;
    auto importances = ImportanceOf(model_, chosen_from, options_.importance, calibration_, stopped_);
    if (!importances) return false;
    for (size_t i = 0; i < chosen_from.size(); ++i) {
      std::vector<int64_t> kept = Best((*importances)[i], CountFor(chosen_from[i]));
      sets().push_back({std::move(chosen_from[i]), std::move((*importances)[i]), std::move(kept)});
    }
    return true;
  }

  /// Null if all blocks stay.
  const KeptParts* Blocks() const {
    const auto found =
        std::ranges::find(sets(), PartKind::kBlocks, [](const KeptParts& kept) { return kept.set.kind; });
    return found == sets().end() ? nullptr : &*found;
  }

  bool Stays(int64_t block) const {
    const KeptParts* const blocks = Blocks();
    return blocks == nullptr || std::ranges::find(blocks->kept, block) != blocks->kept.end();
  }

  bool MeasureLosses() {
    shrunk_.report.loss_before = MeanLoss(model_, calibration_, stopped_);
    if (!shrunk_.report.loss_before) return false;
    SilentParts silent(model_);
    for (const KeptParts& parts : sets()) {
      for (int64_t part = 0; part < parts.set.count; ++part) {
        if (!std::ranges::binary_search(parts.kept, part)) silent.Add(parts.set, part);
      }
    }
    shrunk_.report.loss_after = MeanLoss(model_, calibration_, stopped_);
    return shrunk_.report.loss_after.has_value();
  }

  ShrunkModel::Options Options() const {
    if (const auto* const gpt = dynamic_cast<const Gpt*>(&model_)) {
      GptOptions options = gpt->options();
      if (options_.keep_heads != 0) {
        // Zero stays zero: as many as heads.
        options.kv_heads = options.kv_heads * options_.keep_heads / options.heads;
        options.heads = options_.keep_heads;
      }
      if (options_.keep_neurons != 0) options.hidden_features = options_.keep_neurons;
      if (options_.keep_blocks != 0) options.depth = options_.keep_blocks;
      return options;
    }
    if (const auto* const mlp = dynamic_cast<const ResidualMlp*>(&model_)) {
      ResidualMlpOptions options = mlp->options();
      if (options_.keep_neurons != 0) options.hidden_features = options_.keep_neurons;
      if (options_.keep_blocks != 0) options.num_blocks = options_.keep_blocks;
      return options;
    }
    MlpStackOptions options = static_cast<const MlpStack&>(model_).options();
    for (size_t i = 0; i < sets().size(); ++i) options.hidden_features[i] = std::ssize(sets()[i].kept);
    return options;
  }

  /// The name that a parameter gets in the smaller model; empty if its block goes.
  std::string NewName(const std::string& name) const {
    const KeptParts* const blocks = Blocks();
    const std::string prefix = blocks == nullptr ? "" : blocks->set.name + ".";
    if (blocks == nullptr || !name.starts_with(prefix)) return name;
    const size_t dot = name.find('.', prefix.size());
    const int64_t block = std::stoll(name.substr(prefix.size(), dot - prefix.size()));
    const auto found = std::ranges::find(blocks->kept, block);
    if (found == blocks->kept.end()) return {};
    return fmt::format("{}{}{}", prefix, found - blocks->kept.begin(), name.substr(dot));
  }

  void TakeParameters() {
    std::vector<std::pair<Tensor, Tensor>> taken;  // Of the two models. A weight may have several names.
    for (const NamedTensor& parameter : model_.NamedParameters()) {
      std::string name = NewName(parameter.name);
      if (name.empty()) continue;
      const auto same =
          std::ranges::find_if(taken, [&](const auto& pair) { return pair.first.IsSameStorage(parameter.tensor); });
      if (same != taken.end()) {
        shrunk_.parameters.push_back({std::move(name), same->second});
        continue;
      }
      Tensor part = parameter.tensor.Detach().Clone();
      for (const KeptParts& parts : sets()) {
        for (const PartAxis& axis : parts.set.axes) {
          if (axis.parameter == parameter.name) part = Entries(part, axis.axis, axis.span, parts.kept);
        }
      }
      shrunk_.report.parameters_after += part.numel();
      taken.emplace_back(parameter.tensor, part);
      shrunk_.parameters.push_back({std::move(name), std::move(part)});
    }
  }

  Model& model_;
  const ShrinkOptions& options_;
  const Calibration& calibration_;
  const std::function<bool()>& stopped_;
  std::vector<PartSet> parts_;
  ShrunkModel shrunk_;
};

}  // namespace

void Check(const ShrinkOptions& options, const FieldPath& at, Faults& faults) {
  faults.Expect(options.keep_heads >= 0, at("keep_heads"), options.keep_heads, "at least 0");
  faults.Expect(options.keep_neurons >= 0, at("keep_neurons"), options.keep_neurons, "at least 0");
  faults.Expect(options.keep_blocks >= 0, at("keep_blocks"), options.keep_blocks, "at least 0");
  if (options.keep_heads == 0 && options.keep_neurons == 0 && options.keep_blocks == 0) {
    faults.Missing(at("keep_neurons"), "a number of neurons, heads or blocks to keep",
                   "no number of heads, neurons or blocks to keep, expected at least one");
  }
  faults.Expect(options.importance != PartImportance::kLoss || options.keep_neurons == 0, at("importance"),
                faults.Word(NameOf(options.importance)),
                "another one for neurons: it would take an evaluation for each of them");
}

void CheckFits(const ShrinkOptions& options, const std::vector<PartSet>& parts, const FieldPath& at, Faults& faults) {
  const auto check = [&](const char* field, PartKind kind) {
    const int64_t keep = KeepOf(options, kind), most = MostOf(parts, kind);
    if (keep == 0) return;
    if (most == 0) {
      return faults.Expect(false, at(field), keep, fmt::format("0: the model has no {}", NameOf(kind)));
    }
    faults.InRange(at(field), keep, 1, most);
  };
  check("keep_heads", PartKind::kHeads);
  check("keep_neurons", PartKind::kNeurons);
  check("keep_blocks", PartKind::kBlocks);
  const auto heads = std::ranges::find(parts, PartKind::kHeads, &PartSet::kind);
  if (heads == parts.end()) return;
  faults.Expect(options.keep_heads % heads->unit == 0, at("keep_heads"), options.keep_heads,
                fmt::format("a multiple of {}, which is how many heads share a key head", heads->unit));
}

std::optional<ShrunkModel> Shrink(Model& model, const ShrinkOptions& options, const Calibration& calibration,
                                  const std::function<bool()>& stopped) {
  Checked(options, "Shrink: ");
  return Shrinker(model, options, calibration, stopped).Run();
}

std::unique_ptr<Model> Build(const ShrunkModel& shrunk, Generator& generator) {
  const auto make = [&](const auto& options) -> std::unique_ptr<Model> {
    const UnsetWeightsScope unset;
    if constexpr (std::is_same_v<decltype(options), const GptOptions&>) {
      return std::make_unique<Gpt>(options, generator);
    } else if constexpr (std::is_same_v<decltype(options), const ResidualMlpOptions&>) {
      return std::make_unique<ResidualMlp>(options, generator);
    } else {
      return std::make_unique<MlpStack>(options, generator);
    }
  };
  std::unique_ptr<Model> model = std::visit(make, shrunk.options);
  LoadStateDict(*model, shrunk.parameters, "Build");
  return model;
}

}  // namespace twofour::nn
