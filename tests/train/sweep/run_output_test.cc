#include "twofour/train/sweep/run_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"

namespace twofour::train {
namespace {

using test::TempDir;
using test::WriteTextFile;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(LastLinesTest, AreAsManyAsThereAre) {
  const TempDir dir;
  WriteTextFile(dir / "log", "a\nb\nc\n");
  EXPECT_THAT(LastLines(dir / "log", 2), ElementsAre("b", "c"));
  EXPECT_THAT(LastLines(dir / "log", 9), ElementsAre("a", "b", "c"));
  EXPECT_THAT(LastLines(dir / "none", 9), IsEmpty());
  WriteTextFile(dir / "log", std::string(100 << 10, 'x') + "\nlast");
  EXPECT_THAT(LastLines(dir / "log", 9), ElementsAre("last"));
}

TEST(LastEvaluationLossTest, IsThatOfTheLastEvaluation) {
  const TempDir dir;
  WriteTextFile(dir / "metrics",
                "{\"step\":1,\"split\":\"eval\",\"loss\":2.5}\n{\"step\":2,\"split\":\"eval\",\"loss\":1.5}\n"
                "{\"step\":2,\"split\":\"sparsity\",\"loss\":9}\n{\"step\":3,\"split\":\"ev");
  EXPECT_EQ(LastEvaluationLoss(dir / "metrics"), 1.5);
}

TEST(LastEvaluationLossTest, IsNoneWhereThereIsNone) {
  const TempDir dir;
  EXPECT_EQ(LastEvaluationLoss(dir / "none"), std::nullopt);
  WriteTextFile(dir / "metrics",
                "[]\n7\n{}\n{\"split\":3}\n{\"split\":\"eval\"}\n{\"split\":\"eval\",\"loss\":null}\n");
  EXPECT_EQ(LastEvaluationLoss(dir / "metrics"), std::nullopt);
}

}  // namespace
}  // namespace twofour::train
