#include "twofour/train/config/workload.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/train/classification.h"
#include "twofour/train/config/build.h"
#include "twofour/train/config/config_notes.h"
#include "twofour/train/export.h"
#include "twofour/train/language_model.h"

namespace twofour::train {
namespace {

void AddNotes(const std::vector<std::string>& notes, Workload& workload) {
  workload.notes.insert(workload.notes.end(), notes.begin(), notes.end());
}

Workload BuildClassification(const proto::Config& config) {
  Workload workload;
  workload.notes = NoteConfig(config);
  workload.samples = BuildData(config.data());
  const Dataset& train = *workload.samples.train;
  const int64_t batch_size = config.training().batch_size();
  if (batch_size > train.size()) {
    throw Error(fmt::format("config: training.batch_size: {}, expected at most the {} samples to train on", batch_size,
                            train.size()));
  }
  workload.data_description = workload.samples.description;
  AddNotes(workload.samples.notes, workload);
  workload.data_json = DescribeDataAsJson(workload.samples);
  workload.training_units = train.size();
  workload.model = BuildModel(config.model(), train, config.seed());
  workload.task = std::make_unique<ClassificationTask>(*workload.model, train, *workload.samples.eval,
                                                       BuildClassificationOptions(config));
  return workload;
}

Workload BuildLanguageModel(const proto::Config& config) {
  const TokenData data = BuildTokenData(config.data());
  Workload workload;
  workload.notes = NoteConfig(config);
  workload.data_description = data.description;
  AddNotes(data.notes, workload);
  workload.data_json = DescribeDataAsJson(data);
  if (data.vocabulary) workload.vocabulary_json = data.vocabulary->ToJson();
  workload.training_units = data.train.size();
  auto model = BuildGpt(config.model().gpt(), data.vocab_size, config.seed());
  workload.task = std::make_unique<LanguageModelTask>(*model, data, BuildLanguageModelOptions(config));
  workload.model = std::move(model);
  return workload;
}

}  // namespace

Workload BuildWorkload(const proto::Config& config) {
  return config.model().has_gpt() ? BuildLanguageModel(config) : BuildClassification(config);
}

}  // namespace twofour::train
