#include "twofour/train/program/cli/analyze.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "twofour/core/dtype.h"
#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/core/io/json.h"
#include "twofour/core/isa.h"
#include "twofour/core/parallel.h"
#include "twofour/core/processor_name.h"
#include "twofour/sparse/pruning_pattern.h"
#include "twofour/train/data/text.h"
#include "twofour/train/exchange/packed_tensors.h"
#include "twofour/train/inference_speed.h"
#include "twofour/train/linear_analysis.h"
#include "twofour/train/program/cli/arguments.h"
#include "twofour/train/program/cli/named_weights.h"
#include "twofour/train/program/cli/output.h"
#include "twofour/train/program/cli/packing_advice.h"
#include "twofour/train/program/cli/packing_trials.h"
#include "twofour/train/program/start/start_computing.h"

namespace twofour::train {
namespace {

using sparse::MaskFormat;

/// Bounds the memory of the activations.
constexpr int64_t kMostElements = int64_t{1} << 28;
constexpr int64_t kMostRows = 1 << 20;

struct Request {
  std::string path;
  int64_t rows = 256;
  std::optional<int> threads;
  bool json = false, skip_measurement = false;
};

std::string NameOf(const MaskFormat& format) { return sparse::PruningPattern{.format = format}.ToString(); }

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
  if (packed) text += fmt::format(", {:.2f}x", packed->speedup.median);
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
                                ShareOfBytes(best->form.bytes, linear.dense_bytes()))
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
  out << fmt::format("{}: {} linear{}; {} tensor{} left out (embeddings, norms, biases and what else is no linear)\n",
                     path, analysis.linears.size(), analysis.linears.size() == 1 ? "" : "s", analysis.left_out,
                     analysis.left_out == 1 ? "" : "s");
  out << fmt::format("{}, {} thread{}, {}\n", ProcessorName(), NumThreads(), NumThreads() == 1 ? "" : "s",
                     twofour::NameOf(BestIsa()));
  if (request.skip_measurement) {
    out << "nothing is measured; packed: the form of fewest bytes in memory, and its share of the dense bytes\n";
  } else {
    out << fmt::format(
        "measured now: the time of a dense product, and how many times as fast the packed weight is; medians of {} "
        "rounds\npacked: the form that is fastest with 1 row, its bytes in memory, and their share of the dense ones\n",
        kPackingRounds);
  }
  const auto is_rounded = [](const LinearAnalysis& linear) {
    return linear.tensor.packed && linear.tensor.packed->kind.has_value();
  };
  if (std::ranges::any_of(analysis.linears, is_rounded)) {
    out << "weights of few bits count as the floats that they stand for: in memory and in products they are better off "
           "as they are\n";
  }
  out.flush();  // Measuring takes a while.
}

void PrintTable(const Request& request, const FileAnalysis& analysis, const PackingTrials& trials, std::ostream& out) {
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
    measured.Set("packed_speedup_1_row", best->one_row->speedup.median);
    measured.Set("packed_speedup_rows", best->many_rows->speedup.median);
  }
  return line.Set("measured", measured);
}

JsonObject SummaryOf(const Request& request, const std::string& path, const FileAnalysis& analysis,
                     const std::vector<std::string>& advice) {
  JsonObject line;
  line.Set("file", path).Set("linears", analysis.linears.size()).Set("left_out", analysis.left_out);
  line.Set("processor", ProcessorName()).Set("threads", NumThreads()).Set("isa", twofour::NameOf(BestIsa()));
  if (!request.skip_measurement) line.Set("rounds", kPackingRounds).Set("rows", request.rows);
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
  PackingTrials trials = TrialsOf(analysis);
  if (!request->json) PrintHead(*request, path, analysis, context.out);
  std::vector<std::string> advice = {"none, because nothing was measured"};
  if (!request->skip_measurement) {
    if (!Measure(
            request->rows, [&] { return context.stop.stop.load(); }, trials)) {
      context.err << "stopped: nothing is recommended\n";
      return 128 + context.stop.signal;
    }
    advice = PackingAdvice(SpeedupsOf(request->rows, !weights.run.folder.empty(), analysis, trials));
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
