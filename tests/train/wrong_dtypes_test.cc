// Calls every function of train/ that takes tensors, except those of the program, with every dtype in each of its
// arguments.
#include "tests/support/wrong_dtypes.h"

#include <gtest/gtest.h>

#include <span>
#include <string_view>

#include "twofour/train/classification.h"
#include "twofour/train/data/dataset.h"
#include "twofour/train/finite_check.h"

namespace twofour::train {
namespace {

using test::Argument;
using test::kOnlyF32;
using test::kOnlyI32;

Tensor Inputs() { return Tensor::Full({2, 4}, 1); }
Tensor Labels() { return Tensor::Full({2}, 1, DType::kI32); }

/// Two samples with the given targets, of any dtype.
class Samples : public Dataset {
 public:
  explicit Samples(const Tensor& targets) : targets_(targets) {}
  int64_t size() const override { return 2; }
  int64_t features() const override { return 4; }
  int64_t num_classes() const override { return 2; }
  Batch Get(std::span<const int64_t>) const override { return {Inputs(), targets_}; }

 private:
  Tensor targets_;
};

/// A model that always returns the given logits.
class Constant : public nn::Module {
 public:
  explicit Constant(const Tensor& logits) : logits_(logits) {}
  std::string_view type_name() const override { return "Constant"; }
  Tensor Forward(const Tensor&) override { return logits_; }

 private:
  Tensor logits_;
};

void Evaluate(const Tensor& logits, const Tensor& targets) {
  Constant model(logits);
  const Samples samples(targets);
  ClassificationTask(model, samples, samples, {.batch_size = 2}).Evaluate();
}

const Argument kArguments[] = {
    {"dataset", "inputs", {2, 4}, kOnlyF32, [](const Tensor& t) { InMemoryDataset(t, Labels(), 2); }},
    {"dataset", "labels", {2}, kOnlyI32, [](const Tensor& t) { InMemoryDataset(Inputs(), t, 2); }},
    {"dataset", "targets", {2}, kOnlyI32, [](const Tensor& t) { Samples(t).ClassCounts(); }},
    {"ClassificationTask|CrossEntropyLoss", "logits", {2, 4}, kOnlyF32, [](const Tensor& t) { Evaluate(t, Labels()); }},
    {"data set", "targets", {2}, kOnlyI32, [](const Tensor& t) { Evaluate(Inputs(), t); }},
    {"finite check",
     "parameter 'p'",
     {2, 4},
     kOnlyF32,
     [](const Tensor& t) {
       RequireFinite({{"p", t}});
     }},
};

TEST(WrongDTypesTest, EveryFunctionNamesItselfAndTheArgument) {
  for (const Argument& argument : kArguments) test::ExpectNamesWrongDTypes(argument);
}

}  // namespace
}  // namespace twofour::train
