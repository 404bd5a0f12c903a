#include "twofour/train/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "twofour/core/io/file_system.h"

#include "tests/support/expect_error.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/file_size_limit.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"

namespace twofour::train {
namespace {

using test::ReadTextFile;
using test::TempDir;
using test::WriteTextFile;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(JsonLinesSinkTest, WritesOneObjectALineAsItHappens) {
  const TempDir dir;
  JsonLinesSink sink(FileSystem::Default(), dir / "metrics.jsonl");
  sink.OnTrain({.step = 50, .loss = 0.25, .lr = 0.001, .grad_norm = 2, .units_per_s = 1000});
  EXPECT_EQ(
      ReadTextFile(dir / "metrics.jsonl"),
      "{\"step\":50,\"split\":\"train\",\"loss\":0.25,\"lr\":0.001,\"grad_norm\":2.0,\"samples_per_s\":1000.0}\n");
  sink.OnEval({.step = 100, .loss = 0.5, .details = {{"accuracy", 0.75}}});
  sink.OnSparsity({.step = 100, .layer = "a\"b", .retained_l1 = 0.7, .flip_rate = 0.01, .activation_density = 0.5});
  const std::string text = ReadTextFile(dir / "metrics.jsonl");
  EXPECT_THAT(text, HasSubstr("{\"step\":100,\"split\":\"eval\",\"loss\":0.5,\"accuracy\":0.75}\n"));
  const auto sparsity = nlohmann::json::parse(text.substr(text.rfind('{')));
  EXPECT_EQ(sparsity["split"], "sparsity");
  EXPECT_EQ(sparsity["layer"], "a\"b");
  EXPECT_EQ(sparsity["retained_l1"], 0.7);
  EXPECT_EQ(sparsity["flip_rate"], 0.01);
  EXPECT_EQ(sparsity["activation_density"], 0.5);
  EXPECT_FALSE(sparsity.contains("column_flip_rate"));
  sink.OnSparsity({.step = 101, .layer = "a", .column_flip_rate = 0.25});
  EXPECT_THAT(ReadTextFile(dir / "metrics.jsonl"), HasSubstr("\"column_flip_rate\":0.25}\n"));
}

TEST(JsonLinesSinkTest, NamesTheUnitAndWritesMfuWhereItIsKnown) {
  const TempDir dir;
  JsonLinesSink(FileSystem::Default(), dir / "m").OnTrain({.step = 1, .unit = "tokens", .units_per_s = 10, .mfu = 0.5});
  const auto record = nlohmann::json::parse(ReadTextFile(dir / "m"));
  EXPECT_EQ(record["tokens_per_s"], 10);
  EXPECT_EQ(record["mfu"], 0.5);
}

TEST(JsonLinesSinkTest, WritesTheSecondsOfTrainingWhereTheyAreKnown) {
  const TempDir dir;
  JsonLinesSink sink(FileSystem::Default(), dir / "m");
  sink.OnTrain({.step = 1, .mfu = 0.5, .training_seconds = 0.75});
  sink.OnEval({.step = 0, .loss = 2, .details = {{"accuracy", 0.5}}, .training_seconds = 0});
  sink.OnTrain({.step = 2});
  sink.OnEval({.step = 2});
  std::istringstream lines(ReadTextFile(dir / "m"));
  std::vector<nlohmann::json> records;
  for (std::string line; std::getline(lines, line);) records.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(records.size(), 4u);
  EXPECT_EQ(records[0]["training_seconds"], 0.75);
  EXPECT_EQ(records[1]["training_seconds"], 0);
  EXPECT_FALSE(records[2].contains("training_seconds") || records[3].contains("training_seconds"));
}

TEST(JsonLinesSinkTest, WritesHowARunEnded) {
  const TempDir dir;
  JsonLinesSink metrics(FileSystem::Default(), dir / "m");
  TeeSink sinks;
  sinks.Add(&metrics);
  sinks.OnFinal({.step = 9, .model_step = 7, .best_step = 7, .best_loss = 0.5, .stopped_early = true});
  EXPECT_EQ(ReadTextFile(dir / "m"),
            "{\"step\":9,\"split\":\"final\",\"model_step\":7,\"best_step\":7,\"best_loss\":0.5,"
            "\"stopped_early\":true,\"compared_from\":0}\n");
  sinks.OnFinal({.step = 9, .compared_from = 3, .sparsity = 0.5});
  EXPECT_THAT(ReadTextFile(dir / "m"), ::testing::EndsWith("false,\"compared_from\":3,\"sparsity\":0.5}\n"));
}

TEST(TeeSinkTest, RefusesASinkThatIsNull) {
  EXPECT_ERROR(TeeSink().Add(nullptr), ErrorKind::kInvalidInput, ::testing::HasSubstr("null"));
}

TEST(JsonLinesSinkTest, NobodyTakesARoughUtilisationForAnExactOne) {
  const TempDir dir;
  JsonLinesSink(FileSystem::Default(), dir / "m")
      .OnTrain({.step = 1, .units_per_s = 10, .mfu = 0.5, .mfu_is_rough = true});
  const auto record = nlohmann::json::parse(ReadTextFile(dir / "m"));
  EXPECT_FALSE(record.contains("mfu"));
  EXPECT_EQ(record["mfu_rough"], 0.5);
}

TEST(JsonLinesSinkTest, WritesActivations) {
  const TempDir dir;
  JsonLinesSink(FileSystem::Default(), dir / "m").OnActivation({.step = 7, .layer = "mlp", .density = 0.25});
  EXPECT_EQ(ReadTextFile(dir / "m"), "{\"step\":7,\"split\":\"activation\",\"layer\":\"mlp\",\"density\":0.25}\n");
}

TEST(JsonLinesSinkTest, AppendsToWhatIsThere) {
  const TempDir dir;
  WriteTextFile(dir / "m", "{\"step\":1}\n");
  JsonLinesSink(FileSystem::Default(), dir / "m").OnEval({.step = 2, .loss = 0});
  EXPECT_THAT(ReadTextFile(dir / "m"), ::testing::StartsWith("{\"step\":1}\n{\"step\":2,"));
}

TEST(JsonLinesSinkTest, ReportsWhatItCannotWrite) {
  EXPECT_ERROR(JsonLinesSink(FileSystem::Default(), "/no/such/folder/m"), ErrorKind::kRuntimeFailure,
               HasSubstr("/no/such/folder/m"));
  JsonLinesSink full(FileSystem::Default(), "/dev/full");
  EXPECT_ERROR(full.OnEval({}), ErrorKind::kRuntimeFailure, HasSubstr("/dev/full"));
}

TEST(JsonLinesSinkTest, OnADiskThatIsFullWholeLinesStay) {
  const test::TempDir dir;
  test::FaultyFileSystem files;
  JsonLinesSink sink(files, dir / "m");
  sink.OnEval({.step = 1, .loss = 0});
  files.FailAfterBytes(3);
  EXPECT_ERROR(sink.OnEval({.step = 2, .loss = 0}), ErrorKind::kRuntimeFailure, HasSubstr("No space left on device"));
  files.Heal();
  sink.OnEval({.step = 3, .loss = 0});
  const std::string text = test::ReadTextFile(dir / "m");
  EXPECT_EQ(std::ranges::count(text, '\n'), 2);
  EXPECT_THAT(text, Not(HasSubstr("\"step\":2")));
}

TEST(JsonLinesSinkTest, ALineForWhichThereIsNoRoomIsNotTorn) {
  const TempDir dir;
  JsonLinesSink sink(FileSystem::Default(), dir / "m");
  sink.OnEval({.step = 1, .loss = 0});
  const std::string before = ReadTextFile(dir / "m");
  {
    const test::FileSizeLimit limit(before.size() + 5);
    EXPECT_ERROR(sink.OnEval({.step = 2, .loss = 0}), ErrorKind::kRuntimeFailure, HasSubstr("File too large"));
  }
  EXPECT_EQ(ReadTextFile(dir / "m"), before);
}

TEST(TruncateMetricsTest, DropsLaterRecordsAndATornLastLine) {
  const TempDir dir;
  WriteTextFile(dir / "m", "{\"step\":1}\n{\"step\":3}\n{\"step\":2}\n{\"step\":4}\n{\"step\":2,\"spl");
  EXPECT_TRUE(TruncateMetrics(dir / "m", 2));
  EXPECT_EQ(ReadTextFile(dir / "m"), "{\"step\":1}\n{\"step\":2}\n");
  EXPECT_FALSE(TruncateMetrics(dir / "m", 0));
  EXPECT_EQ(ReadTextFile(dir / "m"), "");
}

TEST(TruncateMetricsTest, AnEvaluationThatWillBeMadeAgainIsDropped) {
  const TempDir dir;
  const std::string train = R"({"step":2,"split":"train"})"
                            "\n",
                    eval = R"({"step":2,"split":"eval"})"
                           "\n";
  WriteTextFile(dir / "m", R"({"step":1,"split":"eval"})"
                           "\n" +
                               train + eval);
  EXPECT_FALSE(TruncateMetrics(dir / "m", 2, /*evaluation_pending=*/true));
  EXPECT_EQ(ReadTextFile(dir / "m"), R"({"step":1,"split":"eval"})"
                                     "\n" +
                                         train);
}

TEST(TruncateMetricsTest, NamesTheLineOfADamagedRecordAndLeavesTheFile) {
  const TempDir dir;
  const std::string text = "{\"step\":1}\nnonsense\n{\"step\":9}\n";
  WriteTextFile(dir / "m", text);
  EXPECT_ERROR(TruncateMetrics(dir / "m", 2), ErrorKind::kInvalidInput, HasSubstr("m:2: not a metrics record"));
  EXPECT_EQ(ReadTextFile(dir / "m"), text);
}

TEST(TruncateMetricsTest, AMissingFileIsFine) { EXPECT_NO_THROW(TruncateMetrics("/no/such/file", 3)); }

TEST(TruncateMetricsTest, ARunThatGoesOnHasNotEnded) {
  const TempDir dir;
  const std::string evaluation = "{\"step\":9,\"split\":\"eval\",\"loss\":1}\n";
  WriteTextFile(dir / "m", evaluation + "{\"step\":9,\"split\":\"final\",\"model_step\":9}\n");
  EXPECT_FALSE(TruncateMetrics(dir / "m", 9));
  EXPECT_EQ(ReadTextFile(dir / "m"), evaluation);
}

}  // namespace
}  // namespace twofour::train
