#include "twofour/train/program/config/workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/train/classification.h"
#include "twofour/train/data/idx.h"
#include "twofour/train/data/table_samples.h"
#include "twofour/train/language_model.h"
#include "twofour/train/program/config/build.h"
#include "twofour/train/program/config/config_notes.h"
#include "twofour/train/program/config/data_files.h"
#include "twofour/train/program/config/options.h"
#include "twofour/train/regression.h"

namespace twofour::train {
namespace {

void AddNotes(const std::vector<std::string>& notes, Workload& workload) {
  workload.notes.insert(workload.notes.end(), notes.begin(), notes.end());
}

/// Throws Error if the data is of another kind than that of `as_before`, whose values would then make no sense.
void RequireKind(const DataRecord* as_before, bool of_tokens) {
  if (as_before == nullptr || as_before->OfTokens() == of_tokens) return;
  throw Error(fmt::format("config: data: holds {}, but the model was made with {}", of_tokens ? "tokens" : "samples",
                          of_tokens ? "samples" : "tokens"));
}

/// Adds a note if the files to train on and to evaluate on have the same contents. Tables are not compared here: their
/// rows are compared when they are read.
void NoteSameFiles(const std::vector<DataFile>& files, std::vector<std::string>& notes) {
  constexpr std::pair<const char*, const char*> kFields[] = {
      {"idx.images", "idx.eval_images"}, {"text.path", "text.eval_path"}, {"tokens.path", "tokens.eval_path"}};
  for (const auto& [train_field, eval_field] : kFields) {
    const auto train = std::ranges::find(files, train_field, &DataFile::field);
    const auto eval = std::ranges::find(files, eval_field, &DataFile::field);
    if (train == files.end() || eval == files.end() || train->checksum != eval->checksum) continue;
    notes.push_back(fmt::format("data.{}: {} holds the same as data.{}: the evaluation says nothing about other data",
                                eval_field, eval->path, train_field));
  }
}

/// The task of a model that takes samples. With `evaluate_alone` it cannot train, and there may be few samples.
std::unique_ptr<Task> BuildSampleTask(const proto::Config& config, nn::Model& model, const DataSplit& samples,
                                      bool evaluate_alone) {
  const int64_t batch_size = evaluate_alone ? 1 : config.training().batch_size();
  if (samples.train->num_classes() == 0) {
    RegressionOptions options = BuildRegressionOptions(config);
    options.batch_size = batch_size;
    if (samples.table) options.target_scales = samples.table->target_scaling.stddev;
    return std::make_unique<RegressionTask>(model, *samples.train, *samples.eval, options);
  }
  ClassificationOptions options = BuildClassificationOptions(config);
  options.batch_size = batch_size;
  if (!evaluate_alone && config.training().class_weights() == proto::Training::BALANCED) {
    options.class_weights = BalancedClassWeights(*samples.train);
  }
  return std::make_unique<ClassificationTask>(model, *samples.train, *samples.eval, options);
}

SampleSizes SizesOf(const DataSplit& data) {
  return {data.train->features(), data.sample_shape, data.train->outputs()};
}

Workload BuildSamples(const proto::Config& config, std::vector<DataFile> files, const DataRecord* as_before,
                      bool earlier_rules) {
  RequireKind(as_before, false);
  Workload workload;
  workload.notes = NoteConfig(config);
  NoteSameFiles(files, workload.notes);
  workload.samples = BuildData(config.data(), as_before, earlier_rules);
  // Images may also be written as plain rows of pixels.
  if (as_before != nullptr && workload.samples.sample_shape.size() == 1) {
    workload.samples.sample_shape = as_before->ShapeOfSamples();
  }
  const Dataset& train = *workload.samples.train;
  const int64_t batch_size = config.training().batch_size();
  if (batch_size > train.size()) {
    throw Error(fmt::format("config: training.batch_size: {}, expected at most the {} samples to train on", batch_size,
                            train.size()));
  }
  workload.data_description = workload.samples.description;
  AddNotes(workload.samples.notes, workload);
  workload.data_record = DescribeData(workload.samples, std::move(files));
  workload.training_units = train.size();
  workload.model = BuildModel(config.model(), SizesOf(workload.samples), config.seed());
  workload.model->SetActivationDType(ToActivationDType(config.training().precision()));
  workload.task = BuildSampleTask(config, *workload.model, workload.samples, false);
  return workload;
}

Workload BuildLanguageModel(const proto::Config& config, std::vector<DataFile> files, const DataRecord* as_before) {
  RequireKind(as_before, true);
  const TokenData data = BuildTokenData(config.data(), as_before);
  Workload workload;
  workload.notes = NoteConfig(config);
  NoteSameFiles(files, workload.notes);
  workload.data_description = data.description;
  AddNotes(data.notes, workload);
  workload.data_record = DescribeData(data, std::move(files));
  workload.training_units = data.train.size();
  auto model = BuildGpt(config.model().gpt(), data.vocab_size, config.seed());
  model->SetActivationDType(ToActivationDType(config.training().precision()));
  workload.task = std::make_unique<LanguageModelTask>(*model, data, BuildLanguageModelOptions(config));
  workload.model = std::move(model);
  return workload;
}

/// All samples of other files, as the data to evaluate on.
DataSplit LoadOtherSamples(const proto::Data& data, const DataRecord& record, const OtherFiles& files) {
  if (!record.features || (record.class_names.size() < 2 && !record.OfNumbers())) {
    throw Error("data.json: names no features and classes or targets, so that no other data can be read for the model");
  }
  DataSplit split;
  split.class_names = record.class_names;
  if (data.has_csv()) {
    split.table = SchemaOf(record);
    TableSamples table =
        LoadTableSamples(files.data, *split.table, record.class_names, ToOptions(data.csv()),
                         {.ignore_extra = files.ignore_extra, .unknown_as_missing = files.unknown_as_missing});
    split.eval = table.samples;
    split.notes = std::move(table.notes);
  } else if (data.has_idx()) {
    if (files.labels.empty()) throw Error("--data: images need --labels, the file of their labels");
    split.sample_shape = record.sample_shape;
    split.eval = LoadIdxSamples(files.data, files.labels, record.ShapeOfSamples(), std::ssize(record.class_names));
  } else {
    throw Error("--data: the run's data is made up by the program, so that no file can take its place");
  }
  split.train = split.eval;
  split.description = fmt::format("{}: {} samples of {} features, {} {}", files.data, split.eval->size(),
                                  split.eval->features(), split.eval->outputs(),
                                  !record.OfNumbers()          ? "classes"
                                  : split.eval->outputs() == 1 ? "target"
                                                               : "targets");
  return split;
}

Workload EvaluateSamples(const proto::Config& config, const DataRecord& record, const OtherFiles& files) {
  RequireKind(&record, false);
  Workload workload;
  workload.samples = LoadOtherSamples(config.data(), record, files);
  workload.data_description = workload.samples.description;
  workload.notes = workload.samples.notes;
  workload.model = BuildModel(config.model(), SizesOf(workload.samples), config.seed());
  workload.task = BuildSampleTask(config, *workload.model, workload.samples, true);
  return workload;
}

Workload EvaluateTokens(const proto::Config& config, const DataRecord& record, const OtherFiles& files) {
  RequireKind(&record, true);
  proto::Data data = config.data();
  if (data.has_text()) {
    data.mutable_text()->set_path(files.data);
    data.mutable_text()->set_eval_path(files.data);
  } else {
    data.mutable_tokens()->set_path(files.data);
    data.mutable_tokens()->set_eval_path(files.data);
  }
  TokenData tokens = BuildTokenData(data, &record);
  tokens.train = {};
  Workload workload;
  workload.data_description = fmt::format("{}: {} tokens", files.data, tokens.eval.size());
  workload.notes = tokens.notes;
  auto model = BuildGpt(config.model().gpt(), tokens.vocab_size, config.seed());
  LanguageModelOptions options = BuildLanguageModelOptions(config);
  options.eval_max_batches = 0;
  workload.task = std::make_unique<LanguageModelTask>(*model, tokens, options);
  workload.model = std::move(model);
  return workload;
}

}  // namespace

Workload BuildEvaluation(const proto::Config& config, const DataRecord& record, const OtherFiles& files) {
  if (!files.labels.empty() && !config.data().has_idx()) {
    throw Error("--labels: only goes with images (data.idx); the labels of a table are one of its columns");
  }
  return config.model().has_gpt() ? EvaluateTokens(config, record, files) : EvaluateSamples(config, record, files);
}

Workload BuildWorkload(const proto::Config& config, std::vector<DataFile> files, const DataRecord* as_before) {
  Workload workload = config.model().has_gpt() ? BuildLanguageModel(config, std::move(files), as_before)
                                               : BuildSamples(config, std::move(files), as_before, false);
  workload.data_record.made_with_earlier_data = as_before != nullptr;
  return workload;
}

Workload BuildWorkloadByEarlierRules(const proto::Config& config, std::vector<DataFile> files) {
  if (config.model().has_gpt()) return BuildLanguageModel(config, std::move(files), nullptr);
  return BuildSamples(config, std::move(files), nullptr, true);
}

Workload BuildWorkload(const proto::Config& config) {
  return BuildWorkload(config, DataFingerprints().Of(config.data()));
}

}  // namespace twofour::train
