#include "twofour/train/program/config/config_notes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/config/validate.h"

namespace twofour::train {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> NotesOf(const std::string& text) {
  const proto::Config config =
      WithDefaults(ParseTextConfig("name: 'x' model { mlp {} } data { glyphs {} } " + text, "c"));
  ValidateConfig(config);
  return NoteConfig(config);
}

TEST(NoteConfigTest, SaysNothingWhereAllFits) {
  EXPECT_THAT(NotesOf(""), IsEmpty());
  EXPECT_THAT(NotesOf("training { steps: 5 } logging { every_steps: 5 }"), IsEmpty());
  EXPECT_THAT(NotesOf("training { steps: 5 } logging { every_steps: 0 }"), IsEmpty());
  EXPECT_THAT(NotesOf("training { steps: 9 } logging { every_steps: 1 } learning_rate { schedule: WARMUP_STABLE_DECAY "
                      "warmup_fraction: 0.5 decay_fraction: 0.5 }"),
              IsEmpty());
}

TEST(NoteConfigTest, TellsOfARateThatNoFloatHolds) {
  EXPECT_THAT(NotesOf("learning_rate { lr: 1e-300 }"), ElementsAre(::testing::StartsWith("learning_rate.lr: 1e-300,")));
  EXPECT_THAT(NotesOf("learning_rate { lr: 0 }"), IsEmpty());
  EXPECT_THAT(NotesOf("learning_rate { lr: 1e-30 }"), IsEmpty());
}

TEST(NoteConfigTest, TellsWhatARunIsTooShortFor) {
  EXPECT_THAT(NotesOf("training { steps: 10 } learning_rate { schedule: WARMUP_STABLE_DECAY warmup_steps: 100 "
                      "decay_steps: 1000 }"),
              ElementsAre("learning_rate: a rise of 100 steps in a run of 10: it takes 10",
                          "learning_rate: a fall of 1000 steps after a rise of 10 in a run of 10: it takes 0",
                          "logging.every_steps: 50 in a run of 10 steps: no training metrics are written"));
  EXPECT_THAT(NotesOf("training { steps: 500 } learning_rate { schedule: WARMUP_STABLE_DECAY warmup_steps: 100 "
                      "decay_steps: 1000 }"),
              ElementsAre("learning_rate: a fall of 1000 steps after a rise of 100 in a run of 500: it takes 400"));
  EXPECT_THAT(NotesOf("training { steps: 60 } sparsity { enabled: true interval: 40 freeze { fraction: 0.5 } }"),
              ElementsAre("sparsity.interval: 40 steps, but masks freeze at step 30: the first is the last"));
}

TEST(NoteConfigTest, TellsOfScoresByWhatNobodyHasSeen) {
  const auto notes_of = [](const std::string& score, const std::string& freeze) {
    return NotesOf("logging { every_steps: 1 } sparsity { enabled: true score: " + score + " " + freeze + " }");
  };
  for (const std::string score : {"RIA", "ACTIVATION", "WANDA", "HESSIAN", "OBS"}) {
    EXPECT_THAT(notes_of(score, "freeze { step: 0 }"),
                ElementsAre("sparsity.score: " + score +
                            ", but masks are found once, before there are any activations: all inputs count as equally "
                            "large (with freeze { step: 1 } they count as in the first batch)"));
    EXPECT_THAT(notes_of(score, "freeze { step: 1 }"), IsEmpty());
    EXPECT_THAT(notes_of(score, ""), IsEmpty());
  }
  for (const std::string score : {"GRADIENT", "GBLM"}) {
    EXPECT_THAT(notes_of(score, "freeze { step: 0 }"),
                ElementsAre("sparsity.score: " + score +
                            ", but masks are found once, before there are any gradients: the largest weights are kept "
                            "(with freeze { step: 1 } they count as in the first batch)"));
    EXPECT_THAT(notes_of(score, "freeze { step: 1 }"), IsEmpty());
  }
  EXPECT_THAT(notes_of("RANDOM", "freeze { step: 0 }"), IsEmpty());
  EXPECT_THAT(notes_of("MAGNITUDE", "freeze { step: 0 }"), IsEmpty());
}

}  // namespace
}  // namespace twofour::train
