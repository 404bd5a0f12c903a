#include "twofour/train/program/prune/sensitivity_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <limits>
#include <map>
#include <system_error>
#include <utility>

#include "twofour/core/io/file_checksum.h"
#include "twofour/core/io/file_system.h"
#include "twofour/core/io/json.h"
#include "twofour/core/io/text.h"
#include "twofour/nn/prunable_linears.h"
#include "twofour/nn/weight_pruner.h"
#include "twofour/train/finite_check.h"
#include "twofour/train/program/prune/as_input.h"
#include "twofour/train/program/prune/linears_of_run.h"
#include "twofour/train/program/prune/pattern_kind.h"
#include "twofour/train/program/prune/prunable_run.h"
#include "twofour/train/program/prune/sensitivity_file.h"
#include "twofour/train/program/prune/sensitivity_log.h"
#include "twofour/train/program/prune/sensitivity_page.h"
#include "twofour/train/run_path.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using Extent = sparse::InputStatistics::Extent;

void RequireSound(const SensitivityRequest& request) {
  nn::OneShotOptions options = request.options;
  options.order = nn::PruningOrder::kOnePass;
  for (const sparse::PruningPattern& pattern : request.patterns) {
    options.pattern = pattern;
    RequireSoundArguments(options, request.linears);
  }
}

nn::OneShotOptions OptionsOf(const SensitivityRequest& request, const proto::Config& config) {
  nn::OneShotOptions options = request.options;
  options.pattern = request.kind;
  options.output_errors = false;
  return OptionsFor(config, options, request.linears, request.seed);
}

std::string TextOf(const FileChecksum& checksum) {
  return fmt::format("{} bytes, crc32c {:08x}", checksum.bytes, checksum.crc32c);
}

/// The same path by whatever name, so that a run is known again.
std::string Resolved(const fs::path& path) {
  std::error_code failed;
  const fs::path resolved = fs::canonical(path, failed);
  return failed ? path.string() : resolved.string();
}

/// Puts a weight back, to the bit, and how it is rounded, when it goes.
class Restoring {
 public:
  Restoring(const PrunableRun& run, const nn::PrunableLinear& linear, Tensor dense)
      : run_(run), name_(linear.name), weight_(linear.weight), dense_(std::move(dense)) {}
  ~Restoring() {
    weight_.CopyFrom(dense_);
    run_.RoundUnder(name_, nullptr);
  }
  Restoring(const Restoring&) = delete;
  Restoring& operator=(const Restoring&) = delete;

 private:
  const PrunableRun& run_;
  std::string name_;
  Tensor weight_, dense_;
};

double ShareOfZeros(const Tensor& weight) {
  const float* const values = weight.data<float>();
  return static_cast<double>(std::count(values, values + weight.numel(), 0.0F)) / static_cast<double>(weight.numel());
}

class Measurement {
 public:
  Measurement(const SensitivityRequest& request, const std::atomic<bool>& stop, const std::function<void()>& done)
      : request_(request),
        stop_(stop),
        done_(done),
        run_({.run = request.run,
              .checkpoint = request.checkpoint,
              .needs_data = "to find losses on",
              .accept_changed_data = request.accept_changed_data,
              .threads = request.threads}),
        options_(OptionsOf(request, run_.config())),
        linears_(nn::FindPrunableLinears(run_.model(), ChoiceOf(options_), &result_.kept_dense)) {
    progress_.notes = run_.notes();
    if (!run_.kept().empty()) {
      progress_.notes.emplace_back("the run is sparse already: losses are compared with that of its own masks");
    }
    if (nn::NeedsCalibration(options_)) {
      calibration_ = run_.CalibrationOf({request.samples, request.seed, request.or_all_samples});
      result_.samples = calibration_.batches * run_.samples_per_batch();
    }
    progress_.losses = linears_.size() * request.patterns.size();
    BeginResult();
  }

  SensitivityProgress Run(FileSystem& files, const fs::path& folder) {
    SensitivityLog log(files, folder, Header());
    if (!log.locked()) {
      progress_.notes.push_back(
          fmt::format("{}: its file system has no locks, so nothing keeps a second trainer out "
                      "of this folder: no two may share it",
                      folder.string()));
    }
    TakeOver(log);
    if (!MeasureDense(log) || !AsInput([this] { return Collect(); }) || !MeasureAll(log)) return std::move(progress_);
    WriteTextAtomically(files, folder / kSensitivityFile, ToJson(result_));
    WriteTextAtomically(files, folder / "sensitivity.html", SensitivityPage(result_));
    progress_.result = std::move(result_);
    return std::move(progress_);
  }

 private:
  void BeginResult() {
    result_.run = Resolved(run_.folder());
    result_.weights = Resolved(run_.weights());
    result_.weights_checksum = ChecksumOf(FileSystem::Default(), run_.weights());
    result_.method = NameOf(options_);
    result_.kind = request_.kind;
    result_.patterns = request_.patterns;
    result_.seed = request_.seed;
    result_.include = options_.include;
    result_.exclude = options_.exclude;
    result_.multiple_of = options_.multiple_of;
    for (const nn::PrunableLinear& linear : linears_) {
      result_.linears.push_back({linear.name, linear.weight.dim(0), linear.weight.dim(1)});
      for (const sparse::PruningPattern& pattern : request_.patterns) {
        result_.linears.back().levels.push_back({.pattern = pattern});
      }
    }
    missing_.assign(linears_.size(), {});
  }

  /// Everything that losses depend on.
  JsonObject Header() const {
    std::vector<double> levels;
    for (const sparse::PruningPattern& pattern : result_.patterns) levels.push_back(pattern.Sparsity());
    std::vector<std::string> data;
    for (const DataFile& file : run_.data_files()) {
      data.push_back(fmt::format("{}: {}", file.field, TextOf(file.checksum)));
    }
    JsonObject header;
    header.Set("format", "twofour sensitivity 1").Set("run", result_.run).Set("weights", result_.weights);
    header.Set("weights_checksum", TextOf(result_.weights_checksum)).Set("data", data);
    header.Set("method", result_.method).Set("pattern", KindText(result_.kind)).Set("levels", levels);
    header.Set("samples", result_.samples).Set("seed", result_.seed);
    header.Set("include", result_.include).Set("exclude", result_.exclude);
    return header.Set("multiple_of", result_.multiple_of);
  }

  /// What was measured before.
  void TakeOver(const SensitivityLog& log) {
    for (size_t i = 0; i < linears_.size(); ++i) {
      for (LossOfLevel& level : result_.linears[i].levels) {
        if (const auto entry = log.Find(linears_[i].name, level.pattern.Sparsity())) {
          level.sparsity = entry->sparsity;
          level.loss = entry->loss;
          ++progress_.measured;
        } else {
          missing_[i].push_back(&level);
        }
      }
    }
  }

  bool MeasureDense(SensitivityLog& log) {
    std::optional<double> loss = log.dense_loss();
    if (!loss) {
      loss = run_.Loss(stop_);
      if (!loss) return false;
      if (!std::isfinite(*loss)) {
        AsInput([&] { ThrowNotFinite("the evaluation loss", *loss, run_.model().NamedParameters()); });
      }
      log.AddDenseLoss(*loss);
    }
    result_.dense_loss = *loss;
    return true;
  }

  /// What the method needs to know of the linears that are not measured yet. Returns false if it was stopped.
  bool Collect() {
    const sparse::ScoreNeeds needs = NeedsOf(options_);
    const auto stopped = [this] { return stop_.load(); };
    std::map<const nn::Module*, std::string> names;
    std::map<std::string, Tensor> weights;
    for (size_t i = 0; i < linears_.size(); ++i) {
      if (missing_[i].empty()) continue;
      names[linears_[i].module] = linears_[i].name;
      weights[linears_[i].name] = linears_[i].weight;
    }
    if (names.empty()) return true;
    if (needs.gradients && !CollectGradients(run_.model(), calibration_, weights, gradients_, stopped)) return false;
    inputs_.emplace(std::move(names), needs.gram ? Extent::kGram : Extent::kFeatures);
    return !needs.inputs || RunCalibration(run_.model(), calibration_, *inputs_, stopped);
  }

  bool MeasureAll(SensitivityLog& log) {
    for (size_t i = 0; i < linears_.size(); ++i) {
      if (!missing_[i].empty() && !Measure(linears_[i], missing_[i], log)) return false;
    }
    return true;
  }

  /// Returns false if it was stopped.
  bool Measure(const nn::PrunableLinear& linear, const std::vector<LossOfLevel*>& levels, SensitivityLog& log) {
    Tensor weight = linear.weight;
    const Tensor dense = weight.Detach().Clone();
    const auto gradients = gradients_.find(linear.name);
    nn::WeightPruner pruner(options_, linear.name, dense,
                            {.inputs = NeedsOf(options_).inputs ? &inputs_->Require(*linear.module) : nullptr,
                             .gradients = gradients == gradients_.end() ? nullptr : &gradients->second});
    const Restoring restoring(run_, linear, dense);
    for (LossOfLevel* const level : levels) {
      if (stop_) return false;
      const sparse::PrunedWeight pruned = AsInput([&] { return pruner.Prune(level->pattern); });
      std::ranges::copy(pruned.notes, std::back_inserter(progress_.notes));
      weight.CopyFrom(pruned.weight);
      run_.RoundUnder(linear.name, &pruned.mask);  // As in a run of this mask.
      const std::optional<double> loss = run_.Loss(stop_);
      if (!loss) return false;
      level->sparsity = ShareOfZeros(pruned.weight);
      level->loss = std::isfinite(*loss) ? *loss : std::numeric_limits<double>::quiet_NaN();
      log.Add(linear.name, level->pattern.Sparsity(), {.sparsity = level->sparsity, .loss = level->loss});
      ++progress_.measured;
      if (done_) done_();
    }
    std::ranges::copy(pruner.notes(), std::back_inserter(progress_.notes));
    return true;
  }

  const SensitivityRequest& request_;
  const std::atomic<bool>& stop_;
  const std::function<void()>& done_;
  Sensitivity result_;
  SensitivityProgress progress_;
  const PrunableRun run_;
  const nn::OneShotOptions options_;
  const std::vector<nn::PrunableLinear> linears_;
  std::vector<std::vector<LossOfLevel*>> missing_;  // Levels of each linear.
  nn::Calibration calibration_;
  std::optional<nn::InputCollector> inputs_;
  std::map<std::string, sparse::GradientStatistics> gradients_;
};

}  // namespace

SensitivityProgress MeasureSensitivity(const SensitivityRequest& request, const std::atomic<bool>& stop,
                                       const std::function<void()>& done) {
  FileSystem& files = FileSystem::Default();
  const fs::path folder = FolderPath(request.out);
  SensitivityLog::RequireFolder(files, folder);
  RequireSound(request);
  return Measurement(request, stop, done).Run(files, folder);
}

}  // namespace twofour::train
