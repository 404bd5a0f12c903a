#include "twofour/train/program/config/workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/train/classification.h"
#include "twofour/train/language_model.h"
#include "twofour/train/program/config/build.h"
#include "twofour/train/program/config/config_notes.h"
#include "twofour/train/program/config/data_files.h"
#include "twofour/train/program/config/options.h"

namespace twofour::train {
namespace {

void AddNotes(const std::vector<std::string>& notes, Workload& workload) {
  workload.notes.insert(workload.notes.end(), notes.begin(), notes.end());
}

/// Throws Error if the data is of another kind than that of `as_before`, whose values would then make no sense.
void RequireKind(const DataRecord* as_before, bool of_tokens) {
  if (as_before == nullptr || as_before->OfTokens() == of_tokens) return;
  throw Error(fmt::format("config: data: holds {}, but the model was made with {}",
                          of_tokens ? "tokens" : "samples with classes",
                          of_tokens ? "samples with classes" : "tokens"));
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

Workload BuildClassification(const proto::Config& config, std::vector<DataFile> files, const DataRecord* as_before,
                             bool earlier_rules) {
  RequireKind(as_before, false);
  Workload workload;
  workload.notes = NoteConfig(config);
  NoteSameFiles(files, workload.notes);
  workload.samples = BuildData(config.data(), as_before, earlier_rules);
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
  workload.model = BuildModel(config.model(), train, config.seed());
  workload.model->SetActivationDType(ToActivationDType(config.training().precision()));
  workload.task = std::make_unique<ClassificationTask>(*workload.model, train, *workload.samples.eval,
                                                       BuildClassificationOptions(config));
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

}  // namespace

Workload BuildWorkload(const proto::Config& config, std::vector<DataFile> files, const DataRecord* as_before) {
  Workload workload = config.model().has_gpt() ? BuildLanguageModel(config, std::move(files), as_before)
                                               : BuildClassification(config, std::move(files), as_before, false);
  workload.data_record.made_with_earlier_data = as_before != nullptr;
  return workload;
}

Workload BuildWorkloadByEarlierRules(const proto::Config& config, std::vector<DataFile> files) {
  if (config.model().has_gpt()) return BuildLanguageModel(config, std::move(files), nullptr);
  return BuildClassification(config, std::move(files), nullptr, true);
}

Workload BuildWorkload(const proto::Config& config) {
  return BuildWorkload(config, DataFingerprints().Of(config.data()));
}

}  // namespace twofour::train
