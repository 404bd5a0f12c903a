#include "twofour/nn/structured/part_importance.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "twofour/core/error.h"
#include "twofour/core/ops/cast.h"
#include "twofour/nn/structured/silent_parts.h"

namespace twofour::nn {
namespace {

using Importances = std::vector<std::vector<double>>;

/// Parameters of a set and the part that each of their entries belongs to.
class PartWeights {
 public:
  PartWeights(const PartSet& set, const std::vector<NamedTensor>& named) : count_(set.count) {
    for (const PartAxis& axis : set.axes) {
      const Tensor& tensor = std::ranges::find(named, axis.parameter, &NamedTensor::name)->tensor;
      weights_.push_back({axis.parameter, tensor, axis.axis, axis.span, 0});
    }
    if (set.kind != PartKind::kBlocks) return;
    for (int64_t block = 0; block < set.count; ++block) {
      const std::string prefix = fmt::format("{}.{}.", set.name, block);
      for (const NamedTensor& parameter : named) {
        if (!parameter.name.starts_with(prefix)) continue;
        weights_.push_back({parameter.name, parameter.tensor, 0, parameter.tensor.dim(0), block});
      }
    }
  }

  /// Adds up term(weight, place of the element) for each part, in the order of the elements.
  template <typename Term>
  std::vector<double> Sum(const Term& term) const {
    std::vector<double> sums(static_cast<size_t>(count_));
    for (const Weight& weight : weights_) {
      const int64_t rows = weight.tensor.dim(0), columns = weight.tensor.numel() / std::max<int64_t>(rows, 1);
      const auto terms = term(weight.name, weight.tensor);
      for (int64_t row = 0; row < rows; ++row) {
        for (int64_t column = 0; column < columns; ++column) {
          const int64_t part = weight.first + (weight.axis == 0 ? row : column) / weight.span;
          sums[static_cast<size_t>(part)] += terms(row * columns + column);
        }
      }
    }
    return sums;
  }

 private:
  struct Weight {
    std::string name;
    Tensor tensor;
    int axis;
    int64_t span;
    int64_t first;  // The part of its first entry.
  };
  int64_t count_;
  std::vector<Weight> weights_;
};

std::vector<PartWeights> WeightsOf(const Model& model, const std::vector<PartSet>& sets) {
  const std::vector<NamedTensor> named = model.NamedParameters();
  std::vector<PartWeights> weights;
  for (const PartSet& set : sets) weights.emplace_back(set, named);
  return weights;
}

Importances Magnitudes(const Model& model, const std::vector<PartSet>& sets) {
  Importances importances;
  for (const PartWeights& weights : WeightsOf(model, sets)) {
    std::vector<double> sums = weights.Sum([](const std::string&, const Tensor& weight) {
      return [w = weight.data<float>()](int64_t i) { return static_cast<double>(w[i]) * static_cast<double>(w[i]); };
    });
    for (double& sum : sums) sum = std::sqrt(sum);
    importances.push_back(std::move(sums));
  }
  return importances;
}

bool AddGradients(Model& model, const std::vector<PartSet>& sets, const Calibration& calibration,
                  const std::function<bool()>& stopped, Importances& importances) {
  const std::vector<PartWeights> all = WeightsOf(model, sets);
  const auto product = [](const std::string& name, const Tensor& weight) {
    if (!weight.requires_grad()) throw Error(fmt::format("{} requires no gradient, expected one to measure", name));
    const Tensor gradient = weight.grad();
    const float* const g = gradient.defined() ? gradient.data<float>() : nullptr;
    return [w = weight.data<float>(), g](int64_t i) {
      return g == nullptr ? 0.0 : static_cast<double>(w[i]) * static_cast<double>(g[i]);
    };
  };
  const auto visit = [&] {
    for (size_t i = 0; i < all.size(); ++i) {
      const std::vector<double> sums = all[i].Sum(product);
      for (size_t part = 0; part < sums.size(); ++part) importances[i][part] += std::fabs(sums[part]);
    }
  };
  return VisitGradients(model, calibration, visit, stopped);
}

/// Adds up what linears read from parts, and how much blocks change what passes.
class ActivationCollector : public ForwardObserver {
 public:
  ActivationCollector(Model& model, const std::vector<PartSet>& sets) : sums_(sets.size()) {
    std::map<std::string, Place> readers, blocks;
    for (size_t i = 0; i < sets.size(); ++i) {
      sums_[i].resize(static_cast<size_t>(sets[i].count));
      if (sets[i].kind != PartKind::kBlocks) {
        readers[sets[i].reader] = {i, 0};
        continue;
      }
      for (int64_t block = 0; block < sets[i].count; ++block) {
        blocks[fmt::format("{}.{}", sets[i].name, block)] = {i, static_cast<size_t>(block)};
      }
    }
    model.VisitModules([&](const std::string& name, const Module& module) {
      if (const auto found = readers.find(name); found != readers.end()) readers_[&module] = found->second;
      if (const auto found = blocks.find(name); found != blocks.end()) blocks_[&module] = found->second;
    });
  }

  void OnLinear(const Module& linear, const LinearInput& input) override {
    const auto reader = readers_.find(&linear);
    if (reader == readers_.end()) return;
    const Tensor x = input.Values();
    std::vector<Sum>& sums = sums_[reader->second.set];
    const int64_t rows = x.rows(), columns = x.cols(), count = std::ssize(sums), span = columns / count;
    const float* value = x.data<float>();
    for (int64_t row = 0; row < rows; ++row) {
      for (Sum& sum : sums) {
        double squares = 0;
        for (int64_t i = 0; i < span; ++i, ++value)
          squares += static_cast<double>(*value) * static_cast<double>(*value);
        sum.total += std::sqrt(squares);
        ++sum.rows;
      }
    }
  }

  void OnBlock(const Module& block, const Tensor& input, const Tensor& output) override {
    const auto place = blocks_.find(&block);
    if (place == blocks_.end()) return;
    const Tensor x = input.To(DType::kF32), y = output.To(DType::kF32);
    Sum& sum = sums_[place->second.set][place->second.part];
    const int64_t rows = x.rows(), columns = x.cols();
    for (int64_t row = 0; row < rows; ++row) {
      sum.total += 1 - Cosine(x.data<float>() + row * columns, y.data<float>() + row * columns, columns);
      ++sum.rows;
    }
  }

  Importances Means(const std::vector<PartSet>& sets) const {
    Importances means;
    for (size_t i = 0; i < sets.size(); ++i) {
      std::vector<double>& of_set = means.emplace_back();
      for (const Sum& sum : sums_[i]) {
        if (sum.rows == 0) {
          throw Error(
              fmt::format("{}: no batch of the calibration data comes to it, so that its activations are not "
                          "known",
                          sets[i].name));
        }
        of_set.push_back(sum.total / static_cast<double>(sum.rows));
      }
    }
    return means;
  }

 private:
  struct Place {
    size_t set, part;
  };
  struct Sum {
    double total = 0;
    int64_t rows = 0;
  };

  static double Cosine(const float* x, const float* y, int64_t count) {
    double product = 0, x_squares = 0, y_squares = 0;
    for (int64_t i = 0; i < count; ++i) {
      const auto a = static_cast<double>(x[i]), b = static_cast<double>(y[i]);
      product += a * b;
      x_squares += a * a;
      y_squares += b * b;
    }
    // Where both are zero, the block changes nothing.
    if (x_squares == 0 || y_squares == 0) return x_squares == y_squares ? 1 : 0;
    return product / std::sqrt(x_squares) / std::sqrt(y_squares);
  }

  std::map<const Module*, Place> readers_, blocks_;
  std::vector<std::vector<Sum>> sums_;
};

bool AddLosses(Model& model, const std::vector<PartSet>& sets, const Calibration& calibration,
               const std::function<bool()>& stopped, Importances& importances) {
  const std::optional<double> whole = MeanLoss(model, calibration, stopped);
  if (!whole) return false;
  for (size_t i = 0; i < sets.size(); ++i) {
    for (int64_t part = 0; part < sets[i].count; ++part) {
      SilentParts silent(model);
      silent.Add(sets[i], part);
      const std::optional<double> loss = MeanLoss(model, calibration, stopped);
      if (!loss) return false;
      importances[i][static_cast<size_t>(part)] = *loss - *whole;
    }
  }
  return true;
}

void RequireFinite(const Importances& importances, const std::vector<PartSet>& sets, PartImportance importance) {
  for (size_t i = 0; i < sets.size(); ++i) {
    const auto bad = std::ranges::find_if(importances[i], [](double value) { return !std::isfinite(value); });
    if (bad == importances[i].end()) continue;
    throw Error(fmt::format("{}: the importance by {} of number {} of its {} is {}", sets[i].name, NameOf(importance),
                            bad - importances[i].begin(), NameOf(sets[i].kind), *bad),
                ErrorKind::kRuntimeFailure);
  }
}

}  // namespace

std::string_view NameOf(PartImportance importance) {
  switch (importance) {
    case PartImportance::kMagnitude:
      return "magnitude";
    case PartImportance::kActivation:
      return "activation";
    case PartImportance::kGradient:
      return "gradient";
    case PartImportance::kLoss:
      return "loss";
  }
  return "?";
}

bool NeedsCalibration(PartImportance importance) { return importance != PartImportance::kMagnitude; }

std::optional<std::vector<std::vector<double>>> ImportanceOf(Model& model, const std::vector<PartSet>& sets,
                                                             PartImportance importance, const Calibration& calibration,
                                                             const std::function<bool()>& stopped) {
  if (NeedsCalibration(importance) && calibration.batches < 1) {
    throw Error(
        fmt::format("importance by {} needs calibration data, expected at least one batch", NameOf(importance)));
  }
  Importances importances;
  for (const PartSet& set : sets) importances.emplace_back(static_cast<size_t>(set.count));
  switch (importance) {
    case PartImportance::kMagnitude:
      importances = Magnitudes(model, sets);
      break;
    case PartImportance::kActivation: {
      ActivationCollector collector(model, sets);
      if (!RunCalibration(model, calibration, collector, stopped)) return std::nullopt;
      importances = collector.Means(sets);
      break;
    }
    case PartImportance::kGradient:
      if (!AddGradients(model, sets, calibration, stopped, importances)) return std::nullopt;
      break;
    case PartImportance::kLoss:
      for (const PartSet& set : sets) {
        if (set.kind != PartKind::kNeurons) continue;
        throw Error(
            fmt::format("{}: importance by loss would take an evaluation for each of {} neurons, expected "
                        "another importance",
                        set.name, set.count));
      }
      if (!AddLosses(model, sets, calibration, stopped, importances)) return std::nullopt;
      break;
  }
  RequireFinite(importances, sets, importance);
  return importances;
}

}  // namespace twofour::nn
