#include "twofour/train/program/cli/predict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/core/parallel.h"
#include "twofour/train/confusion_matrix.h"
#include "twofour/train/data/csv_cell.h"
#include "twofour/train/data/csv_stream.h"
#include "twofour/train/data/idx.h"
#include "twofour/train/data/table_inputs.h"
#include "twofour/train/data/text.h"
#include "twofour/train/data/utf8.h"
#include "twofour/train/program/cli/arguments.h"
#include "twofour/train/program/cli/model_arguments.h"
#include "twofour/train/program/cli/output.h"
#include "twofour/train/program/cli/result_output.h"
#include "twofour/train/program/config/data_files.h"
#include "twofour/train/program/config/load_model.h"
#include "twofour/train/program/config/options.h"
#include "twofour/train/program/config/trained_run.h"
#include "twofour/train/program/start/start_computing.h"

namespace twofour::train {
namespace {

constexpr int64_t kBatch = 512;
constexpr uint64_t kMaxImageBytes = (uint64_t{1} << 30) + 64;
constexpr const char* kStandard = "-";

struct Request {
  std::string run;
  std::optional<std::string> checkpoint;
  std::string input, output = kStandard;
  bool probabilities = false;
  TableWishes wishes;
  std::optional<int> threads;
  std::optional<DType> activations;  // Nothing: as in training.
};

std::optional<Request> Parse(int argc, const char* const* argv, std::ostream& out) {
  Request request;
  Arguments arguments("predict");
  ModelArguments model(arguments);
  model.AddCheckpoint(arguments);
  arguments
      .Add("--input", request.input,
           "A table (CSV) or images (IDX), as the run's data was, with or without labels; - for the standard input")
      .Type("FILE")
      .Required();
  arguments.Add("--output", request.output, "The table of predictions (CSV); - for the standard output")
      .Type("FILE")
      .ShowDefault();
  arguments.AddFlag("--probabilities", request.probabilities, "Add a column for each class, with its probability");
  arguments.Add("--keep", request.wishes.keep, "Copy a column of the input to the output, such as an id; may repeat")
      .Type("COLUMN")
      .Repeatable();
  arguments.AddFlag("--ignore-extra", request.wishes.ignore_extra,
                    "Leave out columns that the model was not made with");
  arguments.AddFlag("--unknown-as-missing", request.wishes.unknown_as_missing,
                    "Take words that the model was not made with for missing ones");
  if (!arguments.Parse(argc, argv, 1, out)) return std::nullopt;
  request.run = model.run();
  request.checkpoint = model.checkpoint();
  request.threads = model.threads();
  request.activations = model.activations();
  return request;
}

/// Turns batches of inputs into rows of the result.
class Predictor {
 public:
  Predictor(LoadedSampleModel& loaded, const CsvOptions& csv, bool probabilities, ResultOutput& output)
      : loaded_(loaded), schema_(SchemaOf(loaded.data)), csv_(csv), probabilities_(probabilities), output_(output) {}

  /// Prepares the header. It is written with the first rows, or by Finish(), so that an early failure prints nothing.
  /// Throws Error if two columns would have one name.
  void SetHeader(const std::vector<std::string>& kept_names) {
    std::vector<std::string> names = kept_names;
    if (loaded_.data.OfNumbers()) {
      const std::vector<std::string> targets = schema_.TargetNames();
      for (const std::string& target : targets) {
        names.push_back(targets.size() == 1 ? "prediction" : "prediction_" + target);
      }
    } else {
      names.emplace_back("prediction");
    }
    if (probabilities_) {
      for (const std::string& name : loaded_.data.class_names) names.push_back("probability_" + name);
    }
    std::set<std::string> known;
    for (const std::string& name : names) {
      if (known.insert(name).second) continue;
      throw Error(fmt::format("--keep: the output would have two columns named {}", Quoted(name)));
    }
    for (const std::string& name : names) AppendCell(name, header_);
    header_ += "\n";
  }
  void Finish() { output_.Write(std::exchange(header_, "")); }

  /// `kept`: the kept cells of each row, in order.
  void Write(const Tensor& inputs, const std::vector<std::vector<std::string>>& kept) {
    const Tensor logits = loaded_.model->Forward(inputs);
    const auto classes = static_cast<size_t>(logits.dim(1));
    std::string rows = std::exchange(header_, "");
    for (int64_t i = 0; i < logits.dim(0); ++i) {
      const std::span<const float> row(logits.data<float>() + i * logits.dim(1), classes);
      if (!std::ranges::all_of(row, [](float logit) { return std::isfinite(logit); })) {
        throw Error(
            fmt::format("sample {}: the model's outputs are not finite: are its inputs far from those of training?",
                        rows_ + i + 1),
            ErrorKind::kRuntimeFailure);
      }
      std::string line;
      if (!kept.empty()) {
        for (const std::string& cell : kept[static_cast<size_t>(i)]) AppendCell(cell, line);
      }
      if (loaded_.data.OfNumbers()) {
        AppendTargets(row, line);
      } else {
        AppendCell(loaded_.data.class_names[static_cast<size_t>(LargestLogit(row))], line);
      }
      if (probabilities_) AppendProbabilities(row, line);
      rows += line + "\n";
    }
    output_.Write(rows);
    rows_ += logits.dim(0);
  }

  int64_t rows() const { return rows_; }

 private:
  void AppendCell(std::string_view text, std::string& line) const {
    if (!line.empty()) line += csv_.delimiter;
    line += AsCsvCell(text, csv_.delimiter);
  }

  void AppendNumber(std::string number, std::string& line) const {
    if (csv_.decimal != '.') std::ranges::replace(number, '.', csv_.decimal);
    AppendCell(number, line);
  }

  /// The targets in their own units, computed and written as float64.
  void AppendTargets(std::span<const float> outputs, std::string& line) const {
    for (size_t t = 0; t < outputs.size(); ++t) {
      const double value = schema_.target_scaling.Unscale(t, outputs[t]);
      if (!std::isfinite(value)) {
        throw Error(fmt::format("sample {}: the prediction is too large for a 64-bit float", rows_ + 1),
                    ErrorKind::kRuntimeFailure);
      }
      AppendNumber(fmt::format("{}", value), line);
    }
  }

  /// The softmax of the logits, computed in float64 and written as float32.
  void AppendProbabilities(std::span<const float> logits, std::string& line) const {
    const double largest = std::ranges::max(logits);
    std::vector<double> terms;
    double sum = 0;
    for (const float logit : logits) sum += terms.emplace_back(std::exp(logit - largest));
    for (const double term : terms) AppendNumber(fmt::format("{}", static_cast<float>(term / sum)), line);
  }

  LoadedSampleModel& loaded_;
  TableSchema schema_;
  const CsvOptions& csv_;
  bool probabilities_;
  ResultOutput& output_;
  std::string header_;  // Not yet written.
  int64_t rows_ = 0;
};

/// The inputs as a batch.
Tensor AsBatch(const std::vector<float>& inputs, int64_t features) {
  Tensor batch = Tensor::Empty({std::ssize(inputs) / features, features});
  std::ranges::copy(inputs, batch.mutable_data<float>());
  return batch;
}

/// Without names, a column more than the features is taken for the label or target. Throws Error if it holds something
/// else.
void RequireLabel(const TableInputs& table, const CsvRow& row, const std::set<std::string>& classes,
                  const std::string& source) {
  if (table.has_header()) return;
  if (classes.empty()) return table.CheckTargets(row);
  const std::string* const label = table.TargetIfThere(row);
  if (label == nullptr || label->empty() || classes.contains(AsUtf8(*label))) return;
  throw Error(
      fmt::format("{}: line {}: {} is in the place of the label, but is none of the model's classes: does the "
                  "table have another column more, or another order?",
                  source, row.line, Quoted(*label)));
}

void PredictTable(const Request& request, const DataRecord& data, const CsvOptions& csv, Predictor& predictor,
                  const CommandContext& context) {
  const std::string source = request.input == kStandard ? "standard input" : request.input;
  const std::unique_ptr<std::istream> file =
      request.input == kStandard ? OpenTable(std::cin, source) : OpenTable(request.input);
  CsvStream rows(file ? *file : std::cin, csv.delimiter, source);
  CsvRow row;
  if (!rows.Next(row)) {
    if (context.stop.stop) return;
    throw Error(fmt::format("{}: is empty, expected a table", source));
  }
  const TableInputs table(row, SchemaOf(data), csv, request.wishes, source);
  PrintNotes(table.notes(), context.err);
  predictor.SetHeader(table.kept_names());
  const std::set<std::string> classes(data.class_names.begin(), data.class_names.end());
  const auto features = static_cast<size_t>(*data.features);
  std::vector<float> inputs;
  std::vector<std::vector<std::string>> kept;
  const auto flush = [&] {
    if (!inputs.empty()) predictor.Write(AsBatch(inputs, *data.features), kept);
    inputs.clear();
    kept.clear();
  };
  for (bool more = !table.has_header() || rows.Next(row); more && !context.stop.stop; more = rows.Next(row)) {
    inputs.resize(inputs.size() + features);
    table.Encode(row, std::span(inputs).last(features));
    RequireLabel(table, row, classes, source);
    if (!table.kept_names().empty()) kept.push_back(table.Kept(row));
    if (std::ssize(inputs) == kBatch * *data.features) flush();
  }
  flush();
}

void PredictImages(const Request& request, const DataRecord& data, Predictor& predictor, const StopRequest& stop) {
  std::vector<std::byte> bytes;
  const bool standard = request.input == kStandard;
  if (standard) {
    std::vector<char> block(1 << 20);
    while (std::cin && bytes.size() <= kMaxImageBytes) {
      std::cin.read(block.data(), std::ssize(block));
      const auto read = std::as_bytes(std::span(block).first(static_cast<size_t>(std::cin.gcount())));
      bytes.insert(bytes.end(), read.begin(), read.end());
    }
  } else {
    bytes = FileSystem::Default().ReadFile(request.input, kMaxImageBytes);
  }
  if (stop.stop) return;
  const Tensor images = ReadImages(bytes, data.ShapeOfSamples(), standard ? "standard input" : request.input);
  predictor.SetHeader({});
  const float* const pixels = images.data<float>();
  for (int64_t begin = 0; begin < images.dim(0) && !stop.stop; begin += kBatch) {
    const int64_t count = std::min(kBatch, images.dim(0) - begin);
    Tensor batch = Tensor::Empty({count, *data.features});
    std::copy_n(pixels + begin * *data.features, count * *data.features, batch.mutable_data<float>());
    predictor.Write(batch, {});
  }
}

}  // namespace

int RunPredict(int argc, const char* const* argv, const CommandContext& context) {
  const std::optional<Request> request = Parse(argc, argv, context.out);
  if (!request) return 0;
  TrainedRun run = LoadTrainedRun(request->run, request->checkpoint);
  const proto::Data& kind = run.config.data();
  if (run.config.model().has_gpt()) {
    throw Error(
        fmt::format("--run {}: the run's model is a language model; trainer sample lets it write", request->run));
  }
  if (!kind.has_csv() && !kind.has_idx()) {
    throw Error(fmt::format(
        "--run {}: the run's data is made up by the program, expected a run on data.csv or data.idx", request->run));
  }
  const TableWishes& wishes = request->wishes;
  if (!kind.has_csv() && (!wishes.keep.empty() || wishes.ignore_extra || wishes.unknown_as_missing)) {
    throw Error(
        "--keep, --ignore-extra, --unknown-as-missing: are for the columns of a table, but the run's data is images");
  }
  StartComputing(request->threads ? request->threads : run.config.threads());
  LoadedSampleModel loaded = LoadSampleModel(run, request->activations);
  if (request->probabilities && loaded.data.OfNumbers()) {
    throw Error("--probabilities: are of classes, but the run's model predicts numbers (data.csv.target)");
  }
  const CsvOptions csv = kind.has_csv() ? ToOptions(kind.csv()) : CsvOptions{};
  std::vector<std::string> needed = {request->input};
  for (const DataPath& file : DataPaths(kind)) needed.push_back(file.path);
  ResultOutput output(FileSystem::Default(), request->output, needed, context.out);
  Predictor predictor(loaded, csv, request->probabilities, output);
  const NoGradGuard no_grad;
  if (kind.has_csv()) {
    PredictTable(*request, loaded.data, csv, predictor, context);
  } else {
    PredictImages(*request, loaded.data, predictor, context.stop);
  }
  if (context.stop.stop) return 128 + context.stop.signal;
  predictor.Finish();
  output.Finish();
  if (request->output != kStandard) {
    context.out << fmt::format("{}: {} predictions, weights from {}\n", request->output, predictor.rows(),
                               run.source.string());
    RequireWritten(context.out);
  }
  return 0;
}

}  // namespace twofour::train
