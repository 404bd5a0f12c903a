#include "twofour/train/program/cli/suggest_pattern.h"

#include <fmt/format.h>
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <optional>
#include <ostream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/faults.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/mask_diversity.h"
#include "twofour/sparse/pruning_pattern.h"
#include "twofour/sparse/vnm_pattern.h"
#include "twofour/train/pattern_choice.h"
#include "twofour/train/pattern_speed.h"
#include "twofour/train/program/cli/arguments.h"
#include "twofour/train/program/cli/output.h"
#include "twofour/train/program/cli/startup_table.h"
#include "twofour/train/program/config/build_sparsity.h"
#include "twofour/train/program/config/options.h"
#include "twofour/train/program/config/quantized_run.h"
#include "twofour/train/program/config/sparsity_parts.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/config/validate.h"
#include "twofour/train/program/config/workload.h"
#include "twofour/train/program/start/config_changes.h"
#include "twofour/train/program/start/start_computing.h"

namespace twofour::train {
namespace {

constexpr int64_t kMostOfAny = 1'000'000;  // The patterns have narrower rules.

struct Request {
  std::string config;
  ConfigChanges changes;
  double speedup = 2;
  std::vector<int64_t> v = {4, 16, 64, 128, 256}, m = {5, 6, 8, 10, 12, 16, 24, 32};
  int64_t rounds = 5;
};

std::optional<Request> Parse(int argc, const char* const* argv, std::ostream& out) {
  Request request;
  Arguments arguments("suggest-pattern");
  arguments.Add("--config", request.config, "Config file (protobuf text)").Type("FILE").Required();
  arguments.Add("--set", request.changes.set, "Set a config field; may repeat").Type("PATH=VALUE").Repeatable();
  arguments.Add("--speedup", request.speedup, "How many times as fast as dense products the sparse ones should be")
      .Type("FACTOR")
      .Range(0.0, 1000.0)
      .ShowDefault();
  arguments.Add("--v", request.v, "Rows of a block to try, separated by commas")
      .Type("V,V,...")
      .Commas()
      .Range(int64_t{0}, kMostOfAny)
      .ShowDefault();
  arguments.Add("--m", request.m, "Columns of a block to try, separated by commas")
      .Type("M,M,...")
      .Commas()
      .Range(int64_t{0}, kMostOfAny)
      .ShowDefault();
  arguments.Add("--rounds", request.rounds, "Rounds in which all patterns are timed in turn")
      .Type("N")
      .Range(int64_t{1}, int64_t{1000})
      .ShowDefault();
  arguments.Add("--threads", request.changes.threads, "Threads to compute with; 0: all processors it may use")
      .Type("N")
      .Range(int64_t{0}, kMaxThreads);
  if (!arguments.Parse(argc, argv, 1, out)) return std::nullopt;
  return request;
}

/// 2:4, and V:2:M for each of the numbers. Throws Error on a number that no pattern can have.
std::vector<PatternTrial> Candidates(const Request& request) {
  std::vector<PatternTrial> trials = {{.format = sparse::MaskFormat::TwoOfFour()}};
  for (const int64_t m : request.m) {
    for (const int64_t v : request.v) {
      const sparse::VnmPattern pattern =
          Checked(sparse::VnmPattern{.v = static_cast<int>(v), .m = static_cast<int>(m)}, "suggest-pattern: ");
      trials.push_back({.format = sparse::MaskFormat::Vnm(pattern)});
    }
  }
  return trials;
}

/// The products of the linears that a config makes sparse, in a step of `batch` samples or tokens. Equal ones stand
/// together.
std::vector<ProductShape> ProductsOf(const nn::SwapReport& report, const nn::Model& model, int64_t batch) {
  std::vector<ProductShape> shapes;
  for (const nn::SwapEntry& entry : report.converted) {
    const nn::LinearProducts products = model.ProductsOf(entry.name, batch);
    const auto same = [&](const ProductShape& shape) {
      return std::tie(shape.out_features, shape.in_features, shape.rows) ==
             std::tie(entry.out_features, entry.in_features, products.rows);
    };
    const auto found = std::ranges::find_if(shapes, same);
    if (found == shapes.end()) {
      shapes.push_back({entry.out_features, entry.in_features, products.rows, products.count});
    } else {
      found->count += products.count;
    }
  }
  return shapes;
}

/// The diversity of masks over all weights that a config makes sparse.
double DiversityOf(const sparse::MaskFormat& format, const nn::SwapReport& report) {
  double masks = 0, weights = 0;
  for (const nn::SwapEntry& entry : report.converted) {
    const auto size = static_cast<double>(entry.out_features) * static_cast<double>(entry.in_features);
    masks += size * sparse::MaskDiversity(format, entry.out_features, entry.in_features);
    weights += size;
  }
  return masks / weights;
}

/// A recipe with masks of a pattern from the first step on, 2:4 or V:N:M, without what it does not take.
proto::Sparsity WithPattern(proto::Sparsity sparsity, const sparse::MaskFormat& format) {
  ClearParts(sparsity, {proto::TIMETABLE});
  sparsity.set_enabled(true);
  sparsity.set_algorithm(format.is_vnm() ? proto::Sparsity::VNM : proto::Sparsity::EXACT);
  sparsity.clear_vnm();
  if (format.is_vnm()) {
    sparsity.mutable_vnm()->set_v(format.v);
    sparsity.mutable_vnm()->set_m(format.m);
  }
  sparsity.clear_rows();
  sparsity.clear_soft_threshold();
  return sparsity;
}

/// Clears fields that are set to their defaults.
proto::Sparsity WithoutDefaults(proto::Sparsity sparsity) {
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  sparsity.GetReflection()->ListFields(sparsity, &fields);
  for (const google::protobuf::FieldDescriptor* const field : fields) {
    proto::Sparsity without = sparsity;
    without.GetReflection()->ClearField(&without, field);
    if (google::protobuf::util::MessageDifferencer::Equivalent(without, sparsity)) sparsity = without;
  }
  return sparsity;
}

/// The config with a recipe that the suggestion may be for.
proto::Config WithVnm(proto::Config config) {
  if (config.sparsity().target() == proto::Sparsity::ACTIVATION) {
    throw Error("config: sparsity.target: ACTIVATION, expected WEIGHT: V:N:M is a pattern of weights");
  }
  *config.mutable_sparsity() = WithPattern(config.sparsity(), sparse::MaskFormat::Vnm({}));
  config.clear_adaptation();
  config.clear_initial_weights();
  config.clear_initial_masks();
  return WithDefaults(config);
}

std::string DescribeShapes(const std::vector<ProductShape>& shapes) {
  std::string text;
  for (const ProductShape& shape : shapes) {
    text += fmt::format("{}{} x [{}, {}] with {} rows", text.empty() ? "" : ", ", shape.count, shape.out_features,
                        shape.in_features, shape.rows);
  }
  return text;
}

void PrintTable(const std::vector<PatternTrial>& trials, const nn::SwapReport& report, std::ostream& out) {
  const std::vector<size_t> front = ParetoFront(trials);
  out << fmt::format("{:<10}  {:>6}  {:>7}  {:>9}  {:>10}\n", "pattern", "kept", "speed", "diversity", "along rows");
  for (size_t i = 0; i < trials.size(); ++i) {
    const sparse::MaskFormat& format = trials[i].format;
    std::string along_rows = "-";
    if (format.is_vnm()) {
      sparse::VnmPattern rows = format.vnm();
      rows.inner = sparse::VnmInner::kRows;
      along_rows = fmt::format("{:.4f}", DiversityOf(sparse::MaskFormat::Vnm(rows), report));
    }
    out << fmt::format("{:<10}  {:>4.1f} %  {:>6.2f}x  {:>9.4f}  {:>10}{}\n", format.Ratio(),
                       100.0 * format.n / format.m, trials[i].speedup, trials[i].diversity, along_rows,
                       std::ranges::find(front, i) != front.end() ? "  *" : "");
  }
  out << "diversity: log of the number of masks, for each weight; along rows: that of inner ROWS\n"
         "* no other one is faster and as diverse, or more diverse and as fast\n";
}

/// The recipe of the config with the pattern that is chosen, as --set takes it. It replaces all of the config's own,
/// which may have fields that this pattern does not take.
void PrintChoice(const std::vector<PatternTrial>& trials, const proto::Sparsity& recipe, double speedup,
                 std::ostream& out) {
  if (const std::optional<size_t> chosen = ChoosePattern(trials, speedup)) {
    out << fmt::format("suggested: --set 'sparsity={{{}}}'  (the most diverse of those that are {:g} times as fast)\n",
                       WithPattern(WithoutDefaults(recipe), trials[*chosen].format).ShortDebugString(), speedup);
    return;
  }
  const auto fastest = std::ranges::max_element(trials, {}, &PatternTrial::speedup);
  out << fmt::format("none is {:g} times as fast as dense products here: the fastest is {}, {:.2f} times\n", speedup,
                     fastest->format.Ratio(), fastest->speedup);
}

}  // namespace

int RunSuggestPattern(int argc, const char* const* argv, const CommandContext& context) {
  std::ostream& out = context.out;
  const std::optional<Request> request = Parse(argc, argv, out);
  if (!request) return 0;
  std::vector<PatternTrial> trials = Candidates(*request);
  const proto::Config file = LoadTextConfig(request->config);
  RequireNotQuantized(file, request->config);
  const proto::Config asked = Changed(file, request->changes);
  const proto::Config config = WithVnm(asked);
  ValidateConfig(config, file);  // The file may be that of an earlier version's run.
  StartComputing(config.threads());
  Workload workload = BuildWorkload(config);
  PrintNotes(NotesOf(request->changes), context.err);
  PrintNotes(workload.notes, context.err);
  const nn::SwapReport swapped = SwapLayers(config, *workload.model);
  const std::vector<ProductShape> shapes = ProductsOf(swapped, *workload.model, workload.task->units_per_batch());
  const PatternSpeedOptions options{.activations = workload.model->activation_dtype(),
                                    .rounds = static_cast<int>(request->rounds),
                                    .stopped = [&] { return context.stop.stop.load(); }};
  out << fmt::format(
      "{} of {}, {} threads\nspeed: forward products and gradients of inputs, packing included, against dense "
      "products; medians of {} rounds\n",
      DescribeShapes(shapes), NameOf(options.activations), NumThreads(), options.rounds);
  out.flush();
  std::vector<sparse::PruningPattern> patterns;
  for (const PatternTrial& trial : trials) patterns.push_back({.format = trial.format});
  const std::optional<std::vector<Speedup>> speedups = MeasureSpeedups(shapes, patterns, options);
  if (!speedups) {
    out << "stopped: nothing is suggested\n";
    return 128 + context.stop.signal;
  }
  for (size_t i = 0; i < trials.size(); ++i) {
    trials[i].speedup = (*speedups)[i].median;
    trials[i].diversity = DiversityOf(trials[i].format, swapped);
  }
  PrintTable(trials, swapped, out);
  PrintChoice(trials, asked.sparsity(), request->speedup, out);
  RequireWritten(out);
  return 0;
}

}  // namespace twofour::train
