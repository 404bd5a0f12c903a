#include "twofour/train/program/cli/analyze.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "twofour/core/dtype.h"
#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/core/io/json.h"
#include "twofour/core/isa.h"
#include "twofour/core/parallel.h"
#include "twofour/core/processor_name.h"
#include "twofour/sparse/inference_packing.h"
#include "twofour/sparse/pruning_pattern.h"
#include "twofour/train/data/text.h"
#include "twofour/train/exchange/packed_tensors.h"
#include "twofour/train/inference_speed.h"
#include "twofour/train/linear_analysis.h"
#include "twofour/train/pattern_speed.h"
#include "twofour/train/program/cli/arguments.h"
#include "twofour/train/program/cli/named_weights.h"
#include "twofour/train/program/cli/output.h"
#include "twofour/train/program/cli/packing_advice.h"
#include "twofour/train/program/start/start_computing.h"

namespace twofour::train {
namespace {

using sparse::MaskFormat;

/// A weight with fewer zeros is dense: some may be zero by chance.
constexpr double kSparse = 0.25;
/// Of so many shapes of dense weights, the largest, 2:4 is measured, if all weights of the shape together have this
/// share of a file's entries. Others decide nothing.
constexpr size_t kDenseTrials = 2;
constexpr double kDenseShare = 0.1;
constexpr int kRounds = 7;
/// Bounds the memory of the activations.
constexpr int64_t kMostElements = int64_t{1} << 28;
constexpr int64_t kMostRows = 1 << 20;

struct Request {
  std::string path;
  int64_t rows = 256;
  std::optional<int> threads;
  bool json = false, skip_measurement = false;
};

/// What products depend on.
struct ShapeKey {
  int64_t out_features, in_features;
  DType values;
  auto operator<=>(const ShapeKey&) const = default;
};

/// What is measured of a shape.
struct ShapeTrial {
  std::vector<MaskFormat> formats;
  int64_t dense_linears = 0;  ///< Weights of this shape without zeros to speak of.
  bool tries_dense = false;   ///< Whether 2:4 is measured for them.
  // Below: nothing where it was not measured.
  std::vector<InferenceTimes> times = {};  ///< With one row, and with more.
  std::optional<double> training = {};
};

using Trials = std::map<ShapeKey, ShapeTrial>;

constexpr MaskFormat kTwoOfFour = MaskFormat::Rows(2, 4);

ShapeKey KeyOf(const LinearAnalysis& linear) { return {linear.out_features(), linear.in_features(), linear.values}; }

double EntriesOf(const ShapeKey& key) {
  return static_cast<double>(key.out_features) * static_cast<double>(key.in_features);
}

bool IsDense(const LinearAnalysis& linear) { return linear.forms.empty() && *linear.tensor.sparsity < kSparse; }

std::string NameOf(const MaskFormat& format) { return sparse::PruningPattern{.format = format}.ToString(); }

/// Which products to time, each once.
Trials TrialsOf(const FileAnalysis& analysis) {
  Trials trials;
  const auto add = [](ShapeTrial& trial, const MaskFormat& format) {
    if (std::ranges::find(trial.formats, format) == trial.formats.end()) trial.formats.push_back(format);
  };
  std::vector<ShapeKey> dense;
  double entries = 0;
  for (const LinearAnalysis& linear : analysis.linears) {
    ShapeTrial& trial = trials[KeyOf(linear)];
    entries += EntriesOf(KeyOf(linear));
    for (const PackedChoice& form : linear.forms) add(trial, form.format);
    if (IsDense(linear) && ++trial.dense_linears == 1) dense.push_back(KeyOf(linear));
  }
  std::ranges::stable_sort(dense, std::ranges::greater(), EntriesOf);
  std::erase_if(dense, [&](const ShapeKey& key) {
    return EntriesOf(key) * static_cast<double>(trials[key].dense_linears) < kDenseShare * entries;
  });
  for (size_t i = 0; i < std::min(kDenseTrials, dense.size()); ++i) {
    ShapeTrial& trial = trials[dense[i]];
    trial.tries_dense = true;
    add(trial, kTwoOfFour);
  }
  return trials;
}

/// False if it was stopped.
bool Measure(const Request& request, const CommandContext& context, Trials& trials) {
  const auto stopped = [&] { return context.stop.stop.load(); };
  for (auto& [key, trial] : trials) {
    auto times = MeasureInference(key.out_features, key.in_features, trial.formats, {1, request.rows},
                                  {.values = key.values, .rounds = kRounds, .stopped = stopped});
    if (!times) return false;
    trial.times = std::move(*times);
    if (!trial.tries_dense) continue;
    const auto training = MeasureSpeedups(
        {{.out_features = key.out_features, .in_features = key.in_features, .rows = request.rows}},
        {{.format = MaskFormat::TwoOfFour()}}, {.activations = key.values, .rounds = kRounds, .stopped = stopped});
    if (!training) return false;
    trial.training = training->front();
  }
  return true;
}

/// The form of a linear that is fastest with one row or, where nothing was measured, that takes fewest bytes.
struct BestForm {
  PackedChoice form;
  std::optional<InferenceTimes::Packed> one_row, many_rows;
};

std::optional<BestForm> BestFormOf(const LinearAnalysis& linear, const ShapeTrial& trial) {
  std::optional<BestForm> best;
  for (const PackedChoice& form : linear.forms) {
    BestForm candidate{.form = form, .one_row = {}, .many_rows = {}};
    if (!trial.times.empty()) {
      const auto at = std::ranges::find(trial.formats, form.format) - trial.formats.begin();
      candidate.one_row = trial.times[0].formats[static_cast<size_t>(at)];
      candidate.many_rows = trial.times[1].formats[static_cast<size_t>(at)];
    }
    if (!best || (candidate.one_row && candidate.one_row->speedup > best->one_row->speedup)) best = candidate;
  }
  return best;
}

double ShareOf(size_t bytes, size_t dense) { return static_cast<double>(bytes) / static_cast<double>(dense); }

/// Whether a file holds the weight in this form, as products read it.
bool IsPackedAs(const LinearAnalysis& linear, const MaskFormat& format) {
  const auto& packed = linear.tensor.packed;
  return packed && (packed->form == WeightForm::kPacked || packed->form == WeightForm::kPackedVnm) &&
         packed->pattern == format.Ratio();
}

FileSpeedups SpeedupsOf(const Request& request, bool in_run, const FileAnalysis& analysis, const Trials& trials) {
  FileSpeedups speedups{.rows = request.rows, .in_run = in_run, .sparse = {}, .dense = {}};
  for (const LinearAnalysis& linear : analysis.linears) {
    const std::optional<BestForm> best = BestFormOf(linear, trials.at(KeyOf(linear)));
    if (!best) {
      speedups.without_form += !IsDense(linear);
      continue;
    }
    LinearSpeedups one{.out_features = linear.out_features(),
                       .in_features = linear.in_features(),
                       .linears = 1,
                       .pattern = best->form.format.Ratio(),
                       .one_row = best->one_row->speedup,
                       .many_rows = best->many_rows->speedup,
                       .share_of_bytes = ShareOf(best->form.bytes, linear.dense_bytes()),
                       .is_packed = IsPackedAs(linear, best->form.format)};
    const auto same = std::ranges::find_if(speedups.sparse, [&](const LinearSpeedups& other) {
      const auto key = [](const LinearSpeedups& l) {
        return std::tie(l.out_features, l.in_features, l.pattern, l.share_of_bytes, l.is_packed);
      };
      return key(other) == key(one);
    });
    if (same == speedups.sparse.end()) {
      speedups.sparse.push_back(std::move(one));
    } else {
      ++same->linears;
    }
  }
  for (const auto& [key, trial] : trials) {
    if (!trial.tries_dense) continue;
    const auto at = std::ranges::find(trial.formats, kTwoOfFour) - trial.formats.begin();
    const auto dense = static_cast<size_t>(key.out_features * key.in_features) * SizeOf(key.values);
    speedups.dense.push_back(
        {.out_features = key.out_features,
         .in_features = key.in_features,
         .linears = trial.dense_linears,
         .pattern = kTwoOfFour.Ratio(),
         .one_row = trial.times[0].formats[static_cast<size_t>(at)].speedup,
         .many_rows = trial.times[1].formats[static_cast<size_t>(at)].speedup,
         .share_of_bytes =
             ShareOf(sparse::InferenceBytes(key.out_features, key.in_features, kTwoOfFour, key.values), dense),
         .training = *trial.training});
  }
  return speedups;
}

/// As a pattern of pruning, with a share of four digits.
std::string NameOf(const sparse::ZeroBlocks& blocks) {
  return sparse::PruningPattern::Blocks(blocks.size, blocks.size, std::round(blocks.share * 1e4) / 1e4).ToString();
}

std::vector<std::string> NamesOf(const std::vector<sparse::GroupPattern>& patterns) {
  std::vector<std::string> names;
  for (const sparse::GroupPattern& pattern : patterns) names.push_back(pattern.ToString());
  return names;
}

/// "transposable:2:4; 2:4 along rows; 2:4 along columns; 64:2:8; block:16x16:0.5".
std::string DescribePatterns(const LinearAnalysis& linear) {
  std::vector<std::string> parts;
  if (linear.transposable) parts.push_back(NameOf(MaskFormat::TwoOfFour()));
  const auto add = [&](const std::vector<sparse::GroupPattern>& patterns, const char* where) {
    if (!patterns.empty()) parts.push_back(fmt::format("{} along {}", fmt::join(NamesOf(patterns), " and "), where));
  };
  add(linear.tensor.along_rows, "rows");
  add(linear.tensor.along_columns, "columns");
  if (linear.vnm) parts.push_back(NameOf(MaskFormat::Vnm(*linear.vnm)));
  if (linear.blocks) parts.push_back(NameOf(*linear.blocks));
  return fmt::format("{}", fmt::join(parts, "; "));
}

/// "0.012 ms" and, where it can be packed, "0.012 ms, 1.40x".
std::string DescribeTimes(double dense_seconds, const std::optional<InferenceTimes::Packed>& packed) {
  std::string text = fmt::format("{:.3g} ms", 1000 * dense_seconds);
  if (packed) text += fmt::format(", {:.2f}x", packed->speedup);
  return text;
}

using Row = std::vector<std::string>;

Row RowOf(const LinearAnalysis& linear, const ShapeTrial& trial) {
  const TensorInspection& tensor = linear.tensor;
  const std::optional<BestForm> best = BestFormOf(linear, trial);
  std::string held = tensor.dtype;
  if (tensor.masked) held += " masked";
  if (tensor.packed) held += fmt::format(" {}", train::NameOf(tensor.packed->form));
  Row row = {Quoted(tensor.name),
             held,
             fmt::format("[{}]", fmt::join(tensor.shape, ", ")),
             fmt::format("{:.4f}", *tensor.sparsity),
             fmt::format("{}", linear.dense_bytes()),
             best ? fmt::format("{}: {} ({:.3f})", NameOf(best->form.format), best->form.bytes,
                                ShareOf(best->form.bytes, linear.dense_bytes()))
                  : "-"};
  if (!trial.times.empty()) {
    row.push_back(DescribeTimes(trial.times[0].dense_seconds, best ? best->one_row : std::nullopt));
    row.push_back(DescribeTimes(trial.times[1].dense_seconds, best ? best->many_rows : std::nullopt));
  }
  row.push_back(DescribePatterns(linear));
  return row;
}

void PrintAligned(const std::vector<Row>& rows, std::ostream& out) {
  std::vector<size_t> widths(rows.front().size());
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const Row& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) line += fmt::format("  {:{}}", row[i], widths[i]);
    out << line.substr(0, line.find_last_not_of(' ') + 1) << '\n';
  }
}

void PrintHead(const Request& request, const std::string& path, const FileAnalysis& analysis, std::ostream& out) {
  out << fmt::format("{}: {} linears; {} tensors left out (embeddings, norms, biases and what else is no linear)\n",
                     path, analysis.linears.size(), analysis.left_out);
  out << fmt::format("{}, {} threads, {}\n", ProcessorName(), NumThreads(), twofour::NameOf(BestIsa()));
  if (request.skip_measurement) {
    out << "nothing is measured; packed: the form of fewest bytes in memory, and its share of the dense bytes\n";
  } else {
    out << fmt::format(
        "measured now: the time of a dense product, and how many times as fast the packed weight is; medians of {} "
        "rounds\npacked: the form that is fastest with 1 row, its bytes in memory, and their share of the dense ones\n",
        kRounds);
  }
  out.flush();  // Measuring takes a while.
}

void PrintTable(const Request& request, const FileAnalysis& analysis, const Trials& trials, std::ostream& out) {
  Row head = {"weight", "dtype", "shape", "sparsity", "dense bytes", "packed"};
  if (!request.skip_measurement) {
    head.push_back("1 row");
    head.push_back(fmt::format("{} rows", request.rows));
  }
  head.push_back("patterns");
  std::vector<Row> rows = {std::move(head)};
  for (const LinearAnalysis& linear : analysis.linears) rows.push_back(RowOf(linear, trials.at(KeyOf(linear))));
  PrintAligned(rows, out);
}

JsonObject ToJson(const LinearAnalysis& linear, const ShapeTrial& trial) {
  const TensorInspection& tensor = linear.tensor;
  JsonObject line;
  line.Set("name", tensor.name).Set("dtype", tensor.dtype);
  line.Set("shape", std::vector<int64_t>{linear.out_features(), linear.in_features()});
  line.Set("sparsity", *tensor.sparsity).Set("masked", tensor.masked);
  if (tensor.packed) line.Set("form", train::NameOf(tensor.packed->form)).Set("pattern", tensor.packed->pattern);
  line.Set("transposable_2_4", linear.transposable);
  line.Set("along_rows", NamesOf(tensor.along_rows)).Set("along_columns", NamesOf(tensor.along_columns));
  if (linear.vnm) line.Set("vnm", NameOf(MaskFormat::Vnm(*linear.vnm)));
  if (linear.blocks) line.Set("blocks", NameOf(*linear.blocks));
  line.Set("values", twofour::NameOf(linear.values)).Set("dense_bytes", linear.dense_bytes());
  const std::optional<BestForm> best = BestFormOf(linear, trial);
  if (best) line.Set("packed_as", NameOf(best->form.format)).Set("packed_bytes", best->form.bytes);
  if (trial.times.empty()) return line;
  JsonObject measured;
  measured.Set("dense_seconds_1_row", trial.times[0].dense_seconds);
  measured.Set("dense_seconds_rows", trial.times[1].dense_seconds);
  if (best) {
    measured.Set("packed_speedup_1_row", best->one_row->speedup);
    measured.Set("packed_speedup_rows", best->many_rows->speedup);
  }
  return line.Set("measured", measured);
}

JsonObject SummaryOf(const Request& request, const std::string& path, const FileAnalysis& analysis,
                     const std::vector<std::string>& advice) {
  JsonObject line;
  line.Set("file", path).Set("linears", analysis.linears.size()).Set("left_out", analysis.left_out);
  line.Set("processor", ProcessorName()).Set("threads", NumThreads()).Set("isa", twofour::NameOf(BestIsa()));
  if (!request.skip_measurement) line.Set("rounds", kRounds).Set("rows", request.rows);
  return line.Set("recommendations", advice);
}

std::optional<Request> Parse(int argc, const char* const* argv, std::ostream& out) {
  Request request;
  Arguments arguments("analyze");
  arguments
      .Add("PATH", request.path,
           "A safetensors file or an index of shards; or a run's folder, a checkpoint or another folder with weights")
      .Required();
  arguments.Add("--rows", request.rows, "Rows of activations that are measured, besides a single one")
      .Type("N")
      .Range(int64_t{1}, kMostRows)
      .ShowDefault();
  arguments.Add("--threads", request.threads, "Threads to compute with; 0: all processors it may use")
      .Type("N")
      .Range(int64_t{0}, kMaxThreads);
  arguments.AddFlag("--json", request.json, "Print a JSON object for each linear, one in a line, and one of them all");
  arguments.AddFlag("--skip-measurement", request.skip_measurement, "Measure nothing: patterns and bytes alone");
  if (!arguments.Parse(argc, argv, 1, out)) return std::nullopt;
  return request;
}

void CheckRows(const Request& request, const FileAnalysis& analysis) {
  int64_t widest = 1;
  for (const LinearAnalysis& linear : analysis.linears) {
    widest = std::max({widest, linear.out_features(), linear.in_features()});
  }
  if (request.rows == 1 || request.rows <= kMostElements / widest) return;
  throw Error(fmt::format("--rows {}: expected at most {} with these weights", request.rows, kMostElements / widest));
}

}  // namespace

int RunAnalyze(int argc, const char* const* argv, const CommandContext& context) {
  const std::optional<Request> request = Parse(argc, argv, context.out);
  if (!request) return 0;
  StartComputing(request->threads);
  NamedWeights weights = LoadNamedWeights(FileSystem::Default(), "analyze", request->path);
  const std::string path = weights.path.string();
  const FileAnalysis analysis = AnalyzeLinears(std::move(weights.file), path);
  CheckRows(*request, analysis);
  if (!analysis.not_unpacked.empty()) {
    context.err << fmt::format("note: packed weights are taken in parts: {}\n", analysis.not_unpacked);
  }
  Trials trials = TrialsOf(analysis);
  if (!request->json) PrintHead(*request, path, analysis, context.out);
  std::vector<std::string> advice = {"none, because nothing was measured"};
  if (!request->skip_measurement) {
    if (!Measure(*request, context, trials)) {
      context.err << "stopped: nothing is recommended\n";
      return 128 + context.stop.signal;
    }
    advice = PackingAdvice(SpeedupsOf(*request, !weights.run.folder.empty(), analysis, trials));
  }
  if (request->json) {
    for (const LinearAnalysis& linear : analysis.linears) {
      context.out << ToJson(linear, trials.at(KeyOf(linear))).ToTextReplacing() << "\n";
    }
    context.out << SummaryOf(*request, path, analysis, advice).ToTextReplacing() << "\n";
  } else {
    PrintTable(*request, analysis, trials, context.out);
    for (const std::string& sentence : advice) context.out << fmt::format("recommendation: {}\n", sentence);
  }
  RequireWritten(context.out);
  return 0;
}

}  // namespace twofour::train
