#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/nn/forward_observer.h"
#include "twofour/nn/step_hook.h"
#include "twofour/train/trainer.h"

#include "tests/train/classification_job.h"

namespace twofour::train {
namespace {

using nn::StepContext;
using test::Job;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

/// Records each call, and reads one parameter each time.
class Recorder : public nn::StepHook {
 public:
  explicit Recorder(std::string name, std::vector<std::string>& events) : name_(std::move(name)), events_(events) {}

  void Watch(const Tensor& parameter) { parameter_ = parameter; }
  void BeforeStep(const StepContext& step) override { Add("before step", step); }
  void AfterBackward(const StepContext& step) override {
    Add("after backward", step);
    has_gradient.push_back(parameter_.grad().defined());
  }
  void BeforeUpdate(const StepContext& step) override {
    Add("before update", step);
    before_ = parameter_.ToVector();
  }
  void AfterUpdate(const StepContext& step) override {
    Add("after update", step);
    updated.push_back(parameter_.ToVector() != before_);
  }
  void AfterStep(const StepContext& step) override { Add("after step", step); }

  std::vector<bool> has_gradient, updated;

 private:
  void Add(const std::string& what, const StepContext& step) {
    EXPECT_EQ(step.lr, 0.01);
    events_.push_back(name_ + " " + what + " " + std::to_string(step.step));
  }

  std::string name_;
  std::vector<std::string>& events_;
  Tensor parameter_;
  std::vector<float> before_;
};

TEST(TrainerHooksTest, AreCalledAroundEachStepInTheirOrder) {
  std::vector<std::string> events;
  Recorder a("a", events), b("b", events);
  Job job({.steps = 2, .accumulate_steps = 3, .clip_grad_norm = 1, .eval_every_steps = 1}, {}, {.hooks = {&a, &b}});
  const Tensor parameter = job.model().Parameters()[0];
  a.Watch(parameter);
  b.Watch(parameter);
  EXPECT_TRUE(job.trainer().Run());
  std::vector<std::string> expected;
  for (const char* step : {"0", "1"}) {
    for (const char* what : {"before step", "after backward", "before update", "after update", "after step"}) {
      for (const char* name : {"a", "b"}) expected.push_back(std::string(name) + " " + what + " " + step);
    }
  }
  EXPECT_THAT(events, ElementsAreArray(expected));
  EXPECT_THAT(a.has_gradient, ElementsAre(true, true));
  EXPECT_THAT(a.updated, ElementsAre(true, true));
}

TEST(TrainerHooksTest, AHookMayChangeGradients) {
  struct Zero : public nn::StepHook {
    void AfterBackward(const StepContext& /*step*/) override {
      for (Tensor& parameter : parameters) {
        if (parameter.grad().defined()) parameter.ZeroGrad();
      }
    }
    std::vector<Tensor> parameters;
  } zero;
  Job job({.steps = 3}, {.sparse = false}, {.hooks = {&zero}});
  zero.parameters = job.model().Parameters();
  const auto before = job.Weights();
  job.trainer().Run();
  // Only AdamW's decay moves weights. Biases do not decay, so they stay.
  const auto after = job.Weights();
  ASSERT_EQ(after.size(), before.size());
  for (size_t i = 0; i < before.size(); ++i) {
    if (zero.parameters[i].rank() != 1) continue;
    EXPECT_EQ(after[i], before[i]) << i;
  }
}

/// Counts the linears that it sees, and fails where `fails_in` says.
class Watcher : public nn::StepHook, private nn::ForwardObserver {
 public:
  enum class Place { kNowhere, kBeforeStep, kForwardPass };
  explicit Watcher(Place fails_in = Place::kNowhere) : fails_in_(fails_in) {}

  void BeforeStep(const StepContext& /*step*/) override {
    if (fails_in_ == Place::kBeforeStep) throw Error("cannot begin");
  }
  nn::ForwardObserver* Observer(const StepContext& step) override { return step.step == 1 ? this : nullptr; }
  void AfterBackward(const StepContext& /*step*/) override { EXPECT_FALSE(nn::IsForwardObserved()); }

  int seen = 0;

 private:
  void OnLinear(const nn::Module& linear, const nn::LinearInput& /*input*/) override {
    if (fails_in_ == Place::kForwardPass) throw Error("cannot watch");
    EXPECT_TRUE(linear.training());
    ++seen;
  }

  Place fails_in_;
};

TEST(TrainerHooksTest, AnObserverSeesTheForwardPassesOfTheStepsThatItAsksFor) {
  Watcher watcher;
  Job job({.steps = 3, .accumulate_steps = 2, .eval_every_steps = 1}, {}, {.hooks = {&watcher}});
  EXPECT_TRUE(job.trainer().Run());
  constexpr int kLinears = 6;  // Input, two MLPs of two, output.
  EXPECT_EQ(watcher.seen, 2 * kLinears);
}

TEST(TrainerHooksTest, AStepThatFailsLeavesNoObserver) {
  for (const auto place : {Watcher::Place::kNowhere, Watcher::Place::kBeforeStep, Watcher::Place::kForwardPass}) {
    Watcher watcher(place);
    // With this learning rate, the loss of the second step is not finite.
    Job job({.steps = 3, .log_every_steps = 1}, {.lr = 1e30}, {.hooks = {&watcher}});
    EXPECT_THROW(job.trainer().Run(), Error);
    EXPECT_FALSE(nn::IsForwardObserved());
  }
}

}  // namespace
}  // namespace twofour::train
