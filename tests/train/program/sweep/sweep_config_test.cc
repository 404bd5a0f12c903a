#include "twofour/train/program/sweep/sweep_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/expect_error.h"
#include "tests/train/program/sweep/sweep_files.h"

namespace twofour::train {
namespace {

using test::ParseSweep;
using test::TempDir;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::Eq;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// The message with which a sweep is refused; empty if the sweep is fine.
std::string FaultOf(const std::string& text) {
  try {
    ValidateSweep(ParseSweep(text), "s");
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidInput);
    return error.what();
  }
}

TEST(ValidateSweepTest, TakesWhatMakesSense) {
  EXPECT_EQ(FaultOf("base: 'b'"), "");
  EXPECT_EQ(FaultOf("base: 'b' seed: [1, 2] parallel_runs: 4 axis { field: 'learning_rate.lr' value: ['1', '2'] } "
                    "axis { variant { name: 'a' } variant { name: 'b' set: 'training.steps=3' } }"),
            "");
}

TEST(ValidateSweepTest, SaysInOneLineWhatIsWrong) {
  EXPECT_EQ(FaultOf(""), "s: base: missing, expected a config file");
  EXPECT_EQ(FaultOf("base: 'b' name: 'x/y'"), "s: name: 'x/y', expected a folder's name");
  EXPECT_EQ(FaultOf("base: 'b' name: '..'"), "s: name: '..', expected a folder's name");
  EXPECT_EQ(FaultOf("base: 'b' seed: [1, 2, 1]"), "s: seed: 1 twice, expected each seed once");
  EXPECT_EQ(FaultOf("base: 'b' parallel_runs: 0"), "s: parallel_runs: 0, expected 1 to 256");
  EXPECT_EQ(FaultOf("base: 'b' parallel_runs: 257"), "s: parallel_runs: 257, expected 1 to 256");
  EXPECT_EQ(FaultOf("base: 'b' threads_per_run: -1"), "s: threads_per_run: -1, expected 0 to 1024");
  EXPECT_EQ(FaultOf("base: 'b' launcher: 'mpirun -n 2'"), "");
  EXPECT_EQ(FaultOf("base: 'b' launcher: ' '"), "s: launcher: ' ', expected words between blanks, without quotes");
  EXPECT_THAT(FaultOf("base: 'b' launcher: 'sh -c \\\"x\\\"'"), ::testing::HasSubstr("launcher: "));
  EXPECT_EQ(FaultOf("base: 'b' axis {}"), "s: axis 1: empty, expected a field with values or variants");
  EXPECT_EQ(FaultOf("base: 'b' axis { field: 'a' value: '1' variant { name: 'x' } }"),
            "s: axis 1: both, expected a field with values or variants");
  EXPECT_EQ(FaultOf("base: 'b' axis { variant { name: 'x' } } axis { field: 'a' }"),
            "s: axis 2: 'a' has no values, expected at least one");
  EXPECT_EQ(FaultOf("base: 'b' axis { value: '1' }"),
            "s: axis 1: values without a field, expected field: \"learning_rate.lr\"");
  EXPECT_EQ(FaultOf("base: 'b' axis { field: 'a' value: ['1', '1'] }"),
            "s: axis 1: value '1' twice, expected each once");
  EXPECT_EQ(FaultOf("base: 'b' axis { variant { name: 'x' } variant { name: 'x' } }"),
            "s: axis 1: variant 'x' twice, expected different names");
  EXPECT_EQ(FaultOf("base: 'b' axis { variant { } }"), "s: axis 1: variant '', expected a folder's name");
  EXPECT_EQ(FaultOf("base: 'b' axis { variant { name: 'a\\nb' } }"),
            "s: axis 1: variant 'a\nb', expected a folder's name");
}

TEST(ValidateSweepTest, KeepsWhatItSetsItself) {
  EXPECT_EQ(FaultOf("base: 'b' set: 'seed=3'"), "s: set: 'seed' is set by the sweep itself, expected another field");
  EXPECT_THAT(FaultOf("base: 'b' axis { field: 'name' value: 'x' }"), StartsWith("s: axis 1: 'name' is set by"));
  EXPECT_THAT(FaultOf("base: 'b' axis { variant { name: 'x' set: 'threads=2' } }"),
              StartsWith("s: axis 1: variant 'x': 'threads' is set by"));
}

TEST(ValidateSweepTest, TellsOfEveryFault) {
  const std::string faults = FaultOf("seed: [1, 1] parallel_runs: 0");
  EXPECT_THAT(faults, AllOf(HasSubstr("s: base:"), HasSubstr("s: seed:"), HasSubstr("s: parallel_runs:")));
  EXPECT_EQ(std::ranges::count(faults, '\n'), 2);
}

TEST(ValidateSweepTest, AFieldHasOneAxis) {
  EXPECT_EQ(FaultOf("base: 'b' axis { field: 'x.y' value: '1' } axis { variant { name: 'a' } } "
                    "axis { field: 'x.y' value: '1' }"),
            "s: axis 3: 'x.y' is the field of axis 1, too, expected another");
}

TEST(ValidateSweepTest, BoundsTheNumberOfRuns) {
  const auto axis = [](const std::string& field) {
    std::string text = "axis { field: '" + field + "' ";
    for (int i = 0; i < 100; ++i) text += "value: '" + std::to_string(i) + "' ";
    return text + "}";
  };
  EXPECT_EQ(FaultOf("base: 'b' seed: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] " + axis("a")), "");
  EXPECT_EQ(FaultOf("base: 'b' " + axis("a") + axis("b")), "s: axis: more than 1000 runs in all");
  std::string many = "base: 'b' ";
  for (int i = 0; i < 40; ++i) many += axis("a" + std::to_string(i));  // 10^80: a product that fits no integer.
  EXPECT_EQ(FaultOf(many), "s: axis: more than 1000 runs in all");
  std::string seeds = "base: 'b' ";
  for (int i = 0; i < 1001; ++i) seeds += "seed: " + std::to_string(i) + " ";
  EXPECT_EQ(FaultOf(seeds), "s: seed: more than 1000 runs in all");
}

TEST(LoadSweepTest, IsNamedAfterTheFile) {
  const TempDir dir;
  WriteTextFile(dir / "trial.pbtxt", "base: 'b'");
  EXPECT_EQ(LoadSweep((dir / "trial.pbtxt").string()).name(), "trial");
  WriteTextFile(dir / "trial.pbtxt", "base: 'b' name: 'other'");
  EXPECT_EQ(LoadSweep((dir / "trial.pbtxt").string()).name(), "other");
}

TEST(LoadSweepTest, NamesTheFileInEveryFault) {
  const TempDir dir;
  const std::string path = (dir / "trial.pbtxt").string();
  WriteTextFile(path, "");
  EXPECT_ERROR(ValidateSweep(LoadSweep(path), path), ErrorKind::kInvalidInput,
               Eq(path + ": base: missing, expected a config file"));
  WriteTextFile(path, "base: 'b'\nsede: 2");
  EXPECT_ERROR(LoadSweep(path), ErrorKind::kInvalidInput,
               Eq(path + ":2:1: unknown field 'sede' in Sweep (did you mean 'seed'?)"));
}

TEST(ValidateSweepTest, ATimeLimitIsASensibleNumber) {
  EXPECT_EQ(FaultOf("base: 'b' seconds_per_run: 0.5"), "");
  EXPECT_EQ(FaultOf("base: 'b' seconds_per_run: -1"), "s: seconds_per_run: -1, expected 0 to 1000000000");
  EXPECT_THAT(FaultOf("base: 'b' seconds_per_run: nan"), HasSubstr("s: seconds_per_run: nan"));
}

}  // namespace
}  // namespace twofour::train
