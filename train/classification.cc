#include "twofour/train/classification.h"

#include <algorithm>
#include <numeric>

#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/ops/loss.h"

namespace twofour::train {
namespace {

int64_t CountCorrect(const Tensor& logits, const Tensor& targets) {
  ops::RequireDType("ClassificationTask", "logits", logits, DType::kF32);
  const float* row = logits.data<float>();
  const int32_t* target = targets.data<int32_t>();
  int64_t correct = 0;
  for (int64_t i = 0; i < logits.rows(); ++i, row += logits.cols()) {
    correct += std::max_element(row, row + logits.cols()) - row == target[i];
  }
  return correct;
}

}  // namespace

void Check(const ClassificationOptions& options, const FieldPath& at, Faults& faults) {
  faults.InRange(at("batch_size"), options.batch_size, 1, kMaxCount);
  faults.InRange(at("eval_batch_size"), options.eval_batch_size, 1, kMaxCount);
}

ClassificationTask::ClassificationTask(nn::Module& model, const Dataset& train_data, const Dataset& eval_data,
                                       const ClassificationOptions& options)
    : model_(model),
      train_data_(train_data),
      eval_data_(eval_data),
      eval_batch_size_(Checked(options, "").eval_batch_size),
      sampler_(train_data.size(), options.batch_size, options.seed, options.shuffle) {}

Tensor ClassificationTask::Loss(uint64_t number) {
  const Batch batch = train_data_.Get(sampler_.BatchIndices(number));
  return CrossEntropyLoss(model_.Forward(batch.inputs), batch.targets);
}

EvalMetrics ClassificationTask::Evaluate() {
  const int64_t size = eval_data_.size();
  double loss_sum = 0;
  int64_t correct = 0;
  for (int64_t begin = 0; begin < size; begin += eval_batch_size_) {
    BeforeEvaluationBatch();
    std::vector<int64_t> indices(static_cast<size_t>(std::min(eval_batch_size_, size - begin)));
    std::iota(indices.begin(), indices.end(), begin);
    const Batch batch = eval_data_.Get(indices);
    const Tensor logits = model_.Forward(batch.inputs);
    loss_sum += CrossEntropyLoss(logits, batch.targets).item() * static_cast<double>(indices.size());
    correct += CountCorrect(logits, batch.targets);
  }
  const auto count = static_cast<double>(size);
  return {.loss = loss_sum / count, .details = {{"accuracy", static_cast<double>(correct) / count}}};
}

}  // namespace twofour::train
