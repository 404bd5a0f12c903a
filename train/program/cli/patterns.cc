#include "twofour/train/program/cli/patterns.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/dtype.h"
#include "twofour/core/error.h"
#include "twofour/core/io/json.h"
#include "twofour/core/isa.h"
#include "twofour/core/parallel.h"
#include "twofour/core/processor_name.h"
#include "twofour/sparse/inference_packing.h"
#include "twofour/sparse/kernels/linear/linear_kernel.h"
#include "twofour/sparse/pruning_pattern.h"
#include "twofour/train/data/text.h"
#include "twofour/train/inference_speed.h"
#include "twofour/train/pattern_speed.h"
#include "twofour/train/program/cli/arguments.h"
#include "twofour/train/program/cli/output.h"
#include "twofour/train/program/cli/pattern_catalogue.h"
#include "twofour/train/program/cli/pattern_fit.h"
#include "twofour/train/program/start/start_computing.h"

namespace twofour::train {
namespace {

/// Bounds the memory of a call: of the weight, and of the activations on either side.
constexpr int64_t kMostElements = int64_t{1} << 28;
constexpr int64_t kMostRows = 1 << 20;
constexpr int kRounds = 5;

struct Request {
  std::string shape = "4096x4096";
  int64_t out_features = 0, in_features = 0;  ///< What `shape` says.
  int64_t rows = 256;
  std::optional<int> threads;
  bool json = false, skip_measurement = false;
};

/// A pattern of the catalogue, for one weight.
struct Entry {
  CataloguePattern known;
  sparse::PruningPattern pattern;
  std::string unfit = {};                                   ///< Why the weight cannot have it. Then all below is empty.
  std::optional<size_t> packed_f32 = {}, packed_bf16 = {};  ///< Bytes; nothing where there is no form.
  std::string forward = {}, input_grad = {};                ///< The kernels of training.
  bool masked_dense = false;                                ///< Whether both of them multiply the zeros, too.
  // Below: nothing where it was not measured.
  std::optional<Speedup> training = {};
  std::optional<Speedup> one_row = {}, many_rows = {};  ///< Of the packed weight.
};

/// Sets the sizes that the shape says. Throws Error on another text.
void ReadShape(Request& request) {
  const size_t cross = request.shape.find('x');
  if (cross != std::string::npos) {
    request.out_features = ParseInteger(std::string_view(request.shape).substr(0, cross)).value_or(0);
    request.in_features = ParseInteger(std::string_view(request.shape).substr(cross + 1)).value_or(0);
  }
  const auto is_size = [](int64_t size) { return size >= 1 && size <= kMostElements; };
  if (!is_size(request.out_features) || !is_size(request.in_features) ||
      request.out_features * request.in_features > kMostElements) {
    throw Error(fmt::format("--shape {}: expected OUTxIN, such as 4096x1024, with at most {} elements",
                            Quoted(request.shape), kMostElements));
  }
  if (request.rows * std::max(request.out_features, request.in_features) > kMostElements) {
    throw Error(fmt::format("--rows {}: expected at most {} with a weight of {}", request.rows,
                            kMostElements / std::max(request.out_features, request.in_features), request.shape));
  }
}

std::optional<Request> Parse(int argc, const char* const* argv, std::ostream& out) {
  Request request;
  Arguments arguments("patterns");
  arguments.Add("--shape", request.shape, "The weight's output and input features").Type("OUTxIN").ShowDefault();
  arguments.Add("--rows", request.rows, "Rows of activations, in training and, beside a single one, in inference")
      .Type("N")
      .Range(int64_t{1}, kMostRows)
      .ShowDefault();
  arguments.Add("--threads", request.threads, "Threads to compute with; 0: all processors it may use")
      .Type("N")
      .Range(int64_t{0}, kMaxThreads);
  arguments.AddFlag("--json", request.json, "Print a JSON object for each pattern, one in a line");
  arguments.AddFlag("--skip-measurement", request.skip_measurement, "Measure nothing: bytes and facts alone");
  if (!arguments.Parse(argc, argv, 1, out)) return std::nullopt;
  ReadShape(request);
  return request;
}

const sparse::LinearKernel& KernelOf(const Request& request, const sparse::MaskFormat& format,
                                     sparse::Direction direction) {
  return *sparse::ChooseLinearKernel({.out_features = request.out_features,
                                      .in_features = request.in_features,
                                      .batch = request.rows,
                                      .direction = direction,
                                      .format = format})
              .kernel;
}

/// Whether a kernel reads the weight as a dense one.
bool MultipliesZeros(const sparse::LinearKernel& kernel) {
  return kernel.layout == sparse::PackedLayout::kMaskedCopy || kernel.layout == sparse::PackedLayout::kInPlace;
}

std::vector<Entry> EntriesFor(const Request& request) {
  std::vector<Entry> entries;
  for (const CataloguePattern& known : PatternCatalogue()) {
    Entry entry{.known = known, .pattern = sparse::ParsePruningPattern(known.text, "patterns")};
    const sparse::MaskFormat& format = entry.pattern.format;
    entry.unfit = WhyShapeDoesNotFit(entry.pattern, request.out_features, request.in_features);
    if (!entry.unfit.empty()) {
      entries.push_back(std::move(entry));
      continue;
    }
    if (sparse::HasInferenceForm(format)) {
      const auto bytes = [&](DType values) {
        return sparse::InferenceBytes(request.out_features, request.in_features, format, values);
      };
      entry.packed_f32 = bytes(DType::kF32);
      entry.packed_bf16 = bytes(DType::kBF16);
    }
    const sparse::LinearKernel& forward = KernelOf(request, format, sparse::Direction::kForward);
    const sparse::LinearKernel& input_grad = KernelOf(request, format, sparse::Direction::kInputGrad);
    entry.forward = forward.name;
    entry.input_grad = input_grad.name;
    entry.masked_dense = MultipliesZeros(forward) && MultipliesZeros(input_grad);
    entries.push_back(std::move(entry));
  }
  return entries;
}

/// False if it was stopped.
bool Measure(const Request& request, const CommandContext& context, std::vector<Entry>& entries) {
  const auto stopped = [&] { return context.stop.stop.load(); };
  std::vector<sparse::PruningPattern> patterns;
  std::vector<sparse::MaskFormat> formats;
  std::vector<Entry*> fitting, packed;
  for (Entry& entry : entries) {
    if (!entry.unfit.empty()) continue;
    patterns.push_back(entry.pattern);
    fitting.push_back(&entry);
    if (!entry.packed_f32) continue;
    formats.push_back(entry.pattern.format);
    packed.push_back(&entry);
  }
  const auto training = MeasureSpeedups(
      {{.out_features = request.out_features, .in_features = request.in_features, .rows = request.rows}}, patterns,
      {.rounds = kRounds, .stopped = stopped});
  if (!training) return false;
  const auto inference = MeasureInference(request.out_features, request.in_features, formats, {1, request.rows},
                                          {.rounds = kRounds, .stopped = stopped});
  if (!inference) return false;
  for (size_t i = 0; i < fitting.size(); ++i) fitting[i]->training = (*training)[i];
  for (size_t i = 0; i < packed.size(); ++i) {
    packed[i]->one_row = (*inference)[0].formats[i].speedup;
    packed[i]->many_rows = (*inference)[1].formats[i].speedup;
  }
  return true;
}

int64_t DenseBytes(const Request& request, DType dtype) {
  return request.out_features * request.in_features * static_cast<int64_t>(SizeOf(dtype));
}

std::string DescribeBytes(const Entry& entry, const std::optional<size_t>& bytes, int64_t dense) {
  if (!entry.unfit.empty()) return "-";
  if (!bytes) return "dense with zeros";
  return fmt::format("{} ({:.3f})", *bytes, static_cast<double>(*bytes) / static_cast<double>(dense));
}

std::string DescribeSpeedup(const std::optional<Speedup>& speedup) {
  if (!speedup) return "-";
  return fmt::format("{:.2f}x ({:.2f} to {:.2f})", speedup->median, speedup->least, speedup->largest);
}

std::string DescribeTraining(const Entry& entry) {
  if (!entry.unfit.empty()) return "does not fit";
  return DescribeSpeedup(entry.training) + (entry.masked_dense ? " masked dense" : "");
}

void PrintHead(const Request& request, std::ostream& out) {
  out << fmt::format("weight [{}, {}]: dense it takes {} bytes in f32 and {} in bf16\n", request.out_features,
                     request.in_features, DenseBytes(request, DType::kF32), DenseBytes(request, DType::kBF16));
  out << fmt::format("{}, {} threads, {}\n", ProcessorName(), NumThreads(), NameOf(BestIsa()));
  if (request.skip_measurement) {
    out << "nothing is measured\n\n";
  } else {
    out << fmt::format(
        "measured now, in f32, against twofour's dense products; medians of {} rounds, and their range\n"
        "training: forward product and gradient of the input with {} rows, packing included\n"
        "inference: product of the packed weight with 1 row and with {}\n\n",
        kRounds, request.rows, request.rows);
  }
  out.flush();  // Measuring takes a while.
}

void PrintTable(const Request& request, const std::vector<Entry>& entries, std::ostream& out) {
  const std::string many = request.rows == 1 ? "1 row" : fmt::format("{} rows", request.rows);
  constexpr const char* kRow = "{:<16}  {:>8}  {:<20}  {:<20}  {:<33}  {:<20}  {:<20}  {}\n";
  out << fmt::format(kRow, "pattern", "sparsity", "packed f32", "packed bf16", "training", "1 row", many,
                     "NVIDIA GPUs");
  std::vector<std::string_view> notes;
  for (const Entry& entry : entries) {
    auto note = std::ranges::find(notes, entry.known.note);
    if (note == notes.end()) note = notes.insert(notes.end(), entry.known.note);
    out << fmt::format(kRow, entry.known.text, fmt::format("{:.4f}", entry.pattern.Sparsity()),
                       DescribeBytes(entry, entry.packed_f32, DenseBytes(request, DType::kF32)),
                       DescribeBytes(entry, entry.packed_bf16, DenseBytes(request, DType::kBF16)),
                       DescribeTraining(entry), DescribeSpeedup(entry.one_row), DescribeSpeedup(entry.many_rows),
                       fmt::format("{} [{}]", entry.known.gpu, note - notes.begin() + 1));
  }
  out << "\npacked: bytes in memory, and their share of the dense ones\n";
  if (std::ranges::any_of(entries, &Entry::masked_dense)) {
    out << "masked dense: no kernel for this pattern and size leaves out zeros, so products cannot be faster than "
           "dense "
           "ones\n";
  }
  for (const Entry& entry : entries) {
    if (!entry.unfit.empty()) out << fmt::format("{} does not fit: {}\n", entry.known.text, entry.unfit);
  }
  out << "NVIDIA GPUs: facts, not measured here\n";
  for (size_t i = 0; i < notes.size(); ++i) out << fmt::format("[{}] {}\n", i + 1, notes[i]);
}

JsonObject ToJson(const Request& request, const Entry& entry) {
  JsonObject line;
  line.Set("pattern", entry.known.text).Set("sparsity", entry.pattern.Sparsity());
  line.Set("shape", std::vector<int64_t>{request.out_features, request.in_features});
  line.Set("dense_bytes_f32", DenseBytes(request, DType::kF32));
  line.Set("dense_bytes_bf16", DenseBytes(request, DType::kBF16));
  if (!entry.unfit.empty()) line.Set("does_not_fit", entry.unfit);
  if (entry.packed_f32) line.Set("packed_bytes_f32", *entry.packed_f32).Set("packed_bytes_bf16", *entry.packed_bf16);
  if (entry.unfit.empty()) line.Set("forward_kernel", entry.forward).Set("input_grad_kernel", entry.input_grad);
  if (entry.training) {
    JsonObject measured;
    measured.Set("processor", ProcessorName()).Set("threads", NumThreads()).Set("isa", NameOf(BestIsa()));
    measured.Set("dtype", "f32").Set("rounds", kRounds).Set("rows", request.rows);
    const auto set = [&](const std::string& name, const Speedup& speedup) {
      measured.Set(name, speedup.median).Set(name + "_range", std::vector<double>{speedup.least, speedup.largest});
    };
    set("training_speedup", *entry.training);
    if (entry.one_row) {
      set("inference_speedup_1_row", *entry.one_row);
      set("inference_speedup_rows", *entry.many_rows);
    }
    line.Set("measured", measured);
  }
  line.Set("nvidia_gpus", entry.known.gpu).Set("nvidia_gpus_note", entry.known.note);
  return line;
}

}  // namespace

int RunPatterns(int argc, const char* const* argv, const CommandContext& context) {
  const std::optional<Request> request = Parse(argc, argv, context.out);
  if (!request) return 0;
  StartComputing(request->threads);
  std::vector<Entry> entries = EntriesFor(*request);
  if (!request->json) PrintHead(*request, context.out);
  if (!request->skip_measurement && !Measure(*request, context, entries)) {
    context.err << "stopped: nothing was measured\n";
    return 128 + context.stop.signal;
  }
  if (request->json) {
    for (const Entry& entry : entries) context.out << ToJson(*request, entry).ToText() << "\n";
  } else {
    PrintTable(*request, entries, context.out);
  }
  RequireWritten(context.out);
  return 0;
}

}  // namespace twofour::train
