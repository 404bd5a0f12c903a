#include "twofour/train/program/tensorboard/tensorboard_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"
#include "tests/train/program/tensorboard/event_reader.h"
#include "tests/train/ticking_clock.h"

namespace twofour::train {
namespace {

using nlohmann::json;
using test::EventFileContent;
using test::ReadEventFile;
using test::ReadTextFile;
using test::TempDir;
using test::TickingClock;
using test::WriteTextFile;
using ::testing::HasSubstr;

/// Reads what was written with a program that shares no code with the writer.
class TensorBoardSinkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!test::HavePython()) GTEST_SKIP() << "python3, which reads the files, is not installed";
  }

  EventFileContent Written() {
    const EventFileContent content = ReadEventFile(file_);
    EXPECT_EQ(content.fault, "");
    return content;
  }
  /// The scalars of the last event, by tag.
  std::map<std::string, double> LastScalars() {
    std::map<std::string, double> scalars;
    const json last = Written().events.back();
    for (const json& value : last["summary"]["value"]) scalars[value["tag"]] = value["simple_value"];
    return scalars;
  }

  TempDir dir_;
  std::filesystem::path file_ = dir_ / "events.out.tfevents.1";
  TickingClock clock_{1700000000};
};

TEST_F(TensorBoardSinkTest, BeginsWithTheVersionAndTheFirstStep) {
  const TensorBoardSink sink(FileSystem::Default(), file_, 41, clock_);
  EXPECT_EQ(Written().events,
            (std::vector<json>{{{"wall_time", 1700000000.5}, {"file_version", "brain.Event:2"}},
                               {{"wall_time", 1700000001.0}, {"step", 41}, {"session_log", {{"status", 1}}}}}));
}

TEST_F(TensorBoardSinkTest, WritesTrainingScalarsAsTheyHappen) {
  TensorBoardSink sink(FileSystem::Default(), file_, 1, clock_);
  sink.OnTrain({.step = 50, .loss = 0.25, .lr = 0.5, .grad_norm = 2, .units_per_s = 1000});
  EXPECT_EQ(LastScalars(),
            (std::map<std::string, double>{
                {"train/loss", 0.25}, {"train/lr", 0.5}, {"train/grad_norm", 2}, {"train/samples_per_s", 1000}}));
  const json last = Written().events.back();
  EXPECT_EQ(last["step"], 50);
  EXPECT_EQ(last["wall_time"], 1700000001.5);

  sink.OnTrain({.step = int64_t{1} << 40, .unit = "tokens", .units_per_s = 10, .mfu = 0.5});
  EXPECT_EQ(LastScalars().at("train/tokens_per_s"), 10);
  EXPECT_EQ(LastScalars().at("train/mfu"), 0.5);
  EXPECT_EQ(Written().events.back()["step"], int64_t{1} << 40);

  sink.OnTrain({.step = 60, .units_per_s = 10, .mfu = 0.25, .mfu_is_rough = true});
  EXPECT_EQ(LastScalars().at("train/mfu_rough"), 0.25);
  EXPECT_FALSE(LastScalars().contains("train/mfu"));

  sink.OnTrain({.step = 70, .training_seconds = 12.5});
  EXPECT_EQ(LastScalars().at("train/training_seconds"), 12.5);
  sink.OnEval({.step = 70, .training_seconds = 12.5});
  EXPECT_EQ(LastScalars(), (std::map<std::string, double>{{"eval/loss", 0}, {"eval/training_seconds", 12.5}}));
}

TEST_F(TensorBoardSinkTest, RoundsToSinglePrecision) {
  TensorBoardSink sink(FileSystem::Default(), file_, 1, clock_);
  sink.OnTrain({.step = 1, .loss = 0.1, .lr = 1e-3});
  EXPECT_EQ(LastScalars().at("train/loss"), static_cast<double>(0.1f));
  EXPECT_EQ(LastScalars().at("train/lr"), static_cast<double>(1e-3f));
}

TEST_F(TensorBoardSinkTest, WritesEvaluations) {
  TensorBoardSink sink(FileSystem::Default(), file_, 1, clock_);
  sink.OnEval({.step = 7, .loss = 1.5, .details = {{"accuracy", 0.75}, {"other", -2}}});
  EXPECT_EQ(LastScalars(),
            (std::map<std::string, double>{{"eval/loss", 1.5}, {"eval/accuracy", 0.75}, {"eval/other", -2}}));
  EXPECT_EQ(Written().events.back()["step"], 7);
}

TEST_F(TensorBoardSinkTest, WritesEverythingThatIsKnownOfALayer) {
  TensorBoardSink sink(FileSystem::Default(), file_, 1, clock_);
  sink.OnSparsity({.step = 3,
                   .layer = "blocks.0.mlp.c_fc",
                   .retained_l1 = 0.75,
                   .flip_rate = 0.125,
                   .activation_density = 0.25,
                   .sparsity = 0.5,
                   .tiles_keeping_seven = 11,
                   .dead_rows = 2,
                   .dead_columns = 3,
                   .masked_gradient_share = 0.375,
                   .column_flip_rate = 0.0625});
  EXPECT_EQ(LastScalars(), (std::map<std::string, double>{{"sparsity/blocks.0.mlp.c_fc/retained_l1", 0.75},
                                                          {"sparsity/blocks.0.mlp.c_fc/flip_rate", 0.125},
                                                          {"sparsity/blocks.0.mlp.c_fc/activation_density", 0.25},
                                                          {"sparsity/blocks.0.mlp.c_fc/sparsity", 0.5},
                                                          {"sparsity/blocks.0.mlp.c_fc/tiles_keeping_seven", 11},
                                                          {"sparsity/blocks.0.mlp.c_fc/dead_rows", 2},
                                                          {"sparsity/blocks.0.mlp.c_fc/dead_columns", 3},
                                                          {"sparsity/blocks.0.mlp.c_fc/masked_gradient_share", 0.375},
                                                          {"sparsity/blocks.0.mlp.c_fc/column_flip_rate", 0.0625}}));
  sink.OnActivation({.step = 3, .layer = "blocks.0.mlp", .density = 0.0625});
  EXPECT_EQ(LastScalars(), (std::map<std::string, double>{{"activation/blocks.0.mlp/density", 0.0625}}));
}

TEST_F(TensorBoardSinkTest, WritesHistogramsOfWeightsAndGradients) {
  TensorBoardSink sink(FileSystem::Default(), file_, 1, clock_);
  const Tensor weight = Tensor::FromVector<float>({-2, 0.5, 0.5, 3}, {2, 2});
  sink.OnTensor({4, TensorMetrics::Kind::kWeight, "head.weight", weight});
  sink.OnTensor({4, TensorMetrics::Kind::kGradient, "head.weight", Tensor::Zeros({5})});
  const EventFileContent content = Written();

  const auto weights = content.Find("weights/head.weight");
  ASSERT_EQ(weights.size(), 1u);
  EXPECT_EQ(weights[0].first, 4);
  const json& histogram = weights[0].second;
  EXPECT_EQ(histogram["min"], -2);
  EXPECT_EQ(histogram["max"], 3);
  EXPECT_EQ(histogram["num"], 4);
  EXPECT_EQ(histogram["sum"], 2);
  EXPECT_EQ(histogram["sum_squares"], 4 + 0.25 + 0.25 + 9);
  EXPECT_EQ(histogram["bucket"], (json{1, 0, 2, 0, 1}));
  const auto limits = histogram["bucket_limit"].get<std::vector<double>>();
  ASSERT_EQ(limits.size(), 5u);
  const std::vector<double> within_ten_percent{-2, 0.5, 0.5, 3, 3};  // Each limit is near one of these.
  for (size_t i = 0; i < limits.size(); ++i) EXPECT_NEAR(limits[i] / within_ten_percent[i], 1, 0.1) << i;

  const auto gradients = content.Find("gradients/head.weight");
  ASSERT_EQ(gradients.size(), 1u);
  EXPECT_EQ(gradients[0].second["bucket"], json::array({5}));
  EXPECT_EQ(gradients[0].second["num"], 5);
}

TEST_F(TensorBoardSinkTest, AnEmptyTensorHasAnEmptyHistogram) {
  TensorBoardSink sink(FileSystem::Default(), file_, 1, clock_);
  sink.OnTensor({1, TensorMetrics::Kind::kWeight, "none", Tensor::Zeros({0})});
  EXPECT_EQ(Written().Find("weights/none"), (std::vector<std::pair<int64_t, json>>{{1, json::object()}}));
}

TEST_F(TensorBoardSinkTest, AKillLosesAtMostTheLastRecord) {
  {
    TensorBoardSink sink(FileSystem::Default(), file_, 1, clock_);
    for (int64_t step = 1; step <= 3; ++step) sink.OnEval({.step = step, .loss = 1});
  }
  const std::string whole = ReadTextFile(file_);
  WriteTextFile(file_, whole.substr(0, whole.size() - 5));
  const EventFileContent torn = ReadEventFile(file_);
  EXPECT_EQ(torn.events.size(), 4u);
  EXPECT_THAT(torn.fault, HasSubstr("record 4: ends within a record"));
}

// Checks that the reader can find faults at all.
TEST_F(TensorBoardSinkTest, TheReaderNoticesAFlippedBit) {
  TensorBoardSink(FileSystem::Default(), file_, 1, clock_).OnEval({.step = 1, .loss = 1});
  const std::string whole = ReadTextFile(file_);
  for (const size_t at : {size_t{0}, size_t{8}, size_t{12}, whole.size() - 30, whole.size() - 1}) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    WriteTextFile(file_, damaged);
    EXPECT_THAT(ReadEventFile(file_).fault, HasSubstr("wrong CRC")) << "byte " << at;
  }
}

TEST(TensorBoardSinkErrorsTest, ReportsWhatItCannotWrite) {
  EXPECT_ERROR(TensorBoardSink(FileSystem::Default(), "/no/such/folder/e", 1), ErrorKind::kRuntimeFailure,
               HasSubstr("cannot open /no/such/folder/e"));
  EXPECT_ERROR(TensorBoardSink(FileSystem::Default(), "/dev/full", 1), ErrorKind::kRuntimeFailure,
               HasSubstr("cannot write to /dev/full"));
}

}  // namespace
}  // namespace twofour::train
