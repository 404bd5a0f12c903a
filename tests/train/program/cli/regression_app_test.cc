// Tables as people have them, and numbers to predict, from the file to the predictions.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"

#include "tests/support/text_file.h"
#include "tests/train/data/idx_test_data.h"
#include "tests/train/program/cli/table_runner.h"

namespace twofour::train {
namespace {

using nlohmann::json;
using test::FailsWith;
using test::Outcome;
using test::ReadTextFile;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class RegressionAppTest : public test::TableRunner {
 protected:
  RegressionAppTest() { WriteTextFile(dir_ / "houses.csv", Houses()); }

  static constexpr const char* kCities[] = {"Rome", "Oslo", "Bonn, DE"};
  static constexpr double kMissing = -1;

  static double Size(int row) { return 400 + row * 37 % 1900; }
  static double Year(int row) { return row % 5 == 0 ? kMissing : 1900 + row * 7 % 120; }
  static size_t City(int row) { return static_cast<size_t>(row * row % 7 % 3); }
  static double Price(int row) { return 3 * Size(row) + 500 * static_cast<double>(City(row)) + Year(row) / 10; }

  /// An id, sizes with separators of thousands, years of which some are missing, cities, a price and a rent.
  static std::string Houses(int rows = 160) {
    std::string text = "id,size,year,city,price,rent\n";
    for (int i = 0; i < rows; ++i) {
      const std::string year = Year(i) == kMissing ? (i % 2 == 0 ? "NA" : "") : fmt::format("{}", Year(i));
      const int size = static_cast<int>(Size(i));
      const std::string with_comma = size < 1000 ? fmt::format("{}", size) : fmt::format("\"1,{:03}\"", size % 1000);
      text += fmt::format("h{},{},{},\"{}\",{},{}\n", i, size < 2000 ? with_comma : fmt::format("{}", size), year,
                          kCities[City(i)], Price(i), Price(i) / 100 - 7);
    }
    return text;
  }

  Outcome TrainHouses(const std::string& name, const std::vector<std::string>& settings = {},
                      const std::vector<std::string>& more = {}, const std::string& target = "price") {
    std::vector<std::string> all = {"data.csv={ path: '" + Path("houses.csv") + "' eval_fraction: 0.25 drop: 'id' " +
                                    "words: CATEGORIES missing: CATEGORY thousands: ',' }"};
    all.push_back("data.csv.target=" + target);
    if (target == "price") all.emplace_back("data.csv.drop=[id, rent]");
    all.insert(all.end(), settings.begin(), settings.end());
    return ConfigRunner::Train(name, Joined(Set(all), more));
  }

  json Evaluate(const std::string& run, const std::vector<std::string>& more = {}) {
    const Outcome outcome = Run(Joined({"evaluate", "--run", Path(run), "--json"}, more));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.code == 0 ? json::parse(outcome.out) : json::object();
  }

  Outcome Predict(const std::string& run, const std::string& input, const std::vector<std::string>& more = {}) {
    return Run(Joined({"predict", "--run", Path(run), "--input", Path(input)}, more));
  }

  /// The numbers in the last column of a table, below its header.
  static std::vector<double> LastColumn(const std::string& text) {
    std::istringstream lines(text);
    std::vector<double> numbers;
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) numbers.push_back(std::stod(line.substr(line.rfind(',') + 1)));
    return numbers;
  }

  json LastRecord(const std::string& run, const std::string& split) {
    json found;
    std::istringstream lines(ReadTextFile(dir_ / run / "metrics.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      if (const json record = json::parse(line); record["split"] == split) found = record;
    }
    return found;
  }
};

TEST_F(RegressionAppTest, EvaluateEqualsTrainingsLastEvaluation) {
  for (const std::vector<std::string>& settings : std::vector<std::vector<std::string>>{
           {}, {"sparsity.enabled=true"}, {"training.precision=BF16", "training.regression_loss=HUBER"}}) {
    ASSERT_EQ(TrainHouses("run", settings, {"--overwrite"}).code, 0);
    const json now = Evaluate("run"), then = LastRecord("run", "eval");
    for (const char* name : {"loss", "rmse", "mae", "r2"}) {
      EXPECT_EQ(now[name].get<double>(), then[name].get<double>()) << name;
    }
    EXPECT_EQ(now["samples"], 40);
    EXPECT_TRUE(LastRecord("run", "train").contains("rmse"));
  }
}

TEST_F(RegressionAppTest, PredictionsEqualAForwardPassByHand) {
  ASSERT_EQ(TrainHouses("run", {"sparsity.enabled=true"}).code, 0);
  const Outcome outcome = Predict("run", "houses.csv", {"--keep", "id"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, StartsWith("id,prediction\nh0,"));
  const std::vector<double> predicted = LastColumn(outcome.out);
  const json data = json::parse(ReadTextFile(dir_ / "run/data.json"));
  EXPECT_EQ(data["feature_names"], json({"size", "year", "year (missing)", "city=Bonn, DE", "city=Oslo", "city=Rome"}));
  const double fill = data["columns"][2]["fill"];
  const SafetensorsFile model = LoadSafetensors(FileSystem::Default(), dir_ / "run/model.safetensors");
  const size_t place_of_city[] = {5, 4, 3};
  double squares = 0;
  for (int row = 0; row < 160; ++row) {
    std::vector<double> values = {
        Size(row), Year(row) == kMissing ? fill : Year(row), Year(row) == kMissing ? 1.0 : 0.0, 0, 0, 0};
    values[place_of_city[City(row)]] = 1;
    for (size_t j : {0, 1}) {
      values[j] = (values[j] - data["feature_mean"][j].get<double>()) / data["feature_std"][j].get<double>();
    }
    for (int layer = 0; layer < 3; ++layer) {
      const std::string name = fmt::format("layers.{}.", layer);
      const Tensor &weight = *model.Find(name + "weight"), *const mask = model.Find(name + "weight_mask");
      std::vector<double> next;
      for (int64_t out = 0; out < weight.dim(0); ++out) {
        double sum = model.Find(name + "bias")->data<float>()[out];
        for (int64_t in = 0; in < weight.dim(1); ++in) {
          const int64_t at = out * weight.dim(1) + in;
          if (mask == nullptr || mask->data<bool>()[at]) {
            sum += weight.data<float>()[at] * values[static_cast<size_t>(in)];
          }
        }
        next.push_back(layer == 2 ? sum : std::pow(std::max(sum, 0.0), 2));
      }
      values = next;
    }
    const double expected = values[0] * data["target_std"][0].get<double>() + data["target_mean"][0].get<double>();
    EXPECT_NEAR(predicted[static_cast<size_t>(row)], expected, 1e-4 * std::abs(expected)) << row;
    squares += std::pow(predicted[static_cast<size_t>(row)] - Price(row), 2);
  }
  // evaluate measures what these predictions are off by.
  EXPECT_NEAR(Evaluate("run", {"--data", Path("houses.csv")})["rmse"].get<double>(), std::sqrt(squares / 160), 1e-2);
}

TEST_F(RegressionAppTest, AGzippedTableInAnotherOrderGetsTheSamePredictions) {
  ASSERT_EQ(TrainHouses("run").code, 0);
  std::string text = "city,rent,year,size\n";
  for (int i = 0; i < 160; ++i) {
    text += fmt::format("\"{}\",?,{},{}\n", kCities[City(i)], Year(i) == kMissing ? "?" : fmt::format("{}", Year(i)),
                        Size(i));
  }
  WriteTextFile(dir_ / "new.csv.gz", Gzip(text));
  const Outcome now = Predict("run", "new.csv.gz");
  EXPECT_EQ(now.code, 0) << now.err;
  EXPECT_EQ(now.out, Predict("run", "houses.csv").out);
}

TEST_F(RegressionAppTest, SeveralTargetsHaveAColumnAndALineEach) {
  ASSERT_EQ(TrainHouses("run", {}, {}, "[rent, price]").code, 0);
  EXPECT_THAT(Predict("run", "houses.csv").out, StartsWith("prediction_price,prediction_rent\n"));
  const json report = Evaluate("run");
  EXPECT_FALSE(report.contains("rmse"));
  ASSERT_EQ(report["targets"].size(), 2U);
  EXPECT_EQ(report["targets"][0]["name"], "price");
  EXPECT_EQ(report["r2"].get<double>(), LastRecord("run", "eval")["r2"].get<double>());
  EXPECT_NEAR(report["r2"].get<double>(),
              (report["targets"][0]["r2"].get<double>() + report["targets"][1]["r2"].get<double>()) / 2, 1e-12);
  const std::string lines = Run({"evaluate", "--run", Path("run")}).out;
  EXPECT_THAT(lines, AllOf(HasSubstr("target"), HasSubstr("\"price\""), HasSubstr("\"rent\""), HasSubstr("RMSE")));
}

TEST_F(RegressionAppTest, AResumedRunHasTheSameBits) {
  ASSERT_EQ(TrainHouses("whole", {"sparsity.enabled=true"}).code, 0);
  ASSERT_EQ(TrainHouses("parts", {"sparsity.enabled=true", "training.steps=20"}).code, 0);
  const Outcome resumed = Run({"--resume", Path("parts"), "--set", "training.steps=30"});
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(ReadTextFile(dir_ / "parts/model.safetensors"), ReadTextFile(dir_ / "whole/model.safetensors"));
  EXPECT_EQ(ReadTextFile(dir_ / "parts/data.json"), ReadTextFile(dir_ / "whole/data.json"));
}

TEST_F(RegressionAppTest, ATableThatChangedIsFoundOnResume) {
  ASSERT_EQ(TrainHouses("run", {"training.steps=20"}).code, 0);
  std::string text = Houses();
  text.replace(text.find("Oslo"), 4, "Bern");
  WriteTextFile(dir_ / "houses.csv", text);
  EXPECT_THAT(Run({"--resume", Path("run"), "--set", "training.steps=30"}),
              FailsWith(2, HasSubstr("the data is not what the run began with")));
  EXPECT_THAT(Run({"--resume", Path("run"), "--set", "training.steps=30", "--accept-changed-data"}),
              FailsWith(2, HasSubstr("category \"Bern\" is none of those of the model")));
}

TEST_F(RegressionAppTest, LargeTargetsKeepTheirDigits) {
  std::string text = "x,time\n";
  for (int i = 0; i < 80; ++i) text += fmt::format("{},{}\n", i % 20, 1700000000 + i % 20);
  WriteTextFile(dir_ / "t.csv", text);
  ASSERT_EQ(ConfigRunner::Train(
                "run", Set({"data.csv={ path: '" + Path("t.csv") + "' target: 'time' }", "training.steps=200"}))
                .code,
            0);
  const std::vector<double> predicted = LastColumn("p\n," + Predict("run", "t.csv").out.substr(11));
  EXPECT_GT(std::set<double>(predicted.begin(), predicted.end()).size(), 15U);
}

TEST_F(RegressionAppTest, BadInputIsOneLineAndLeavesNoFile) {
  ASSERT_EQ(TrainHouses("run").code, 0);
  const auto expect = [&](const std::string& text, const std::string& fault) {
    WriteTextFile(dir_ / "bad.csv", text);
    const Outcome outcome = Predict("run", "bad.csv", {"--output", Path("out.csv")});
    EXPECT_THAT(outcome, FailsWith(2, HasSubstr(fault))) << text;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_FALSE(FileSystem::Default().Exists(dir_ / "out.csv"));
  };
  expect("size,year\n1,2\n", "line 1: no column \"city\", which the model was made with");
  expect("size,year,city,extra\n1,2,Rome,3\n", "column \"extra\", which the model was not made with");
  expect("size,year,city\n1,2,rome\n",
         "\"rome\" is none of the categories that the model was made with, which has \"Rome\"");
  expect("size,year,city\nlarge,2,Rome\n", "line 2: column \"size\": \"large\" is not a finite number");
  expect("size,year,city\n1e300,2,Rome\n", "\"1e300\" is too far from what the model was made with");
  EXPECT_THAT(Predict("run", "houses.csv", {"--probabilities"}), FailsWith(2, HasSubstr("--probabilities")));
  WriteTextFile(dir_ / "bad.csv", "size,year,city\n1,2,Rome\n");
  EXPECT_THAT(Run({"evaluate", "--run", Path("run"), "--data", Path("bad.csv")}),
              FailsWith(2, HasSubstr("no column \"price\", the target")));
  EXPECT_THAT(TrainHouses("other", {}, {}, "city"), FailsWith(2, HasSubstr("classes are data.csv.label")));
  EXPECT_THAT(TrainHouses("other", {"data.csv.drop=[id, city]"}, {}, "nowhere"),
              FailsWith(2, HasSubstr("data.csv.target: no column \"nowhere\"")));
  WriteTextFile(dir_ / "houses.csv", "id,size,year,city,price,rent\na,1,2,Rome,5,1\nb,2,3,Rome,5,1\nc,3,4,Rome,5,1\n");
  EXPECT_THAT(TrainHouses("other"), FailsWith(2, HasSubstr("a target, is 5 in all")));
}

TEST_F(RegressionAppTest, WithoutNamesTargetsAreFoundByPosition) {
  std::string text, without;
  for (int i = 0; i < 80; ++i) {
    text += fmt::format("{},{},{}\n", 2 * (i % 9) + i % 5, i % 9, i % 5);
    without += fmt::format("{},{}\n", i % 9, i % 5);
  }
  WriteTextFile(dir_ / "plain.csv", text);
  WriteTextFile(dir_ / "without.csv", without);
  const Outcome trained =
      ConfigRunner::Train("run", Set({"data.csv={ path: '" + Path("plain.csv") + "' target: '0' missing: MEAN }"}));
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_EQ(Predict("run", "without.csv").out, Predict("run", "plain.csv").out);
  WriteTextFile(dir_ / "bad.csv", "1,2,\n");
  EXPECT_THAT(Predict("run", "bad.csv"), FailsWith(2, HasSubstr("it cannot be known whether the target is left out")));
  WriteTextFile(dir_ / "bad.csv", "row1,1,2\n");
  EXPECT_THAT(Predict("run", "bad.csv"), FailsWith(2, HasSubstr("\"row1\" is in the place of a target")));
}

TEST_F(RegressionAppTest, TheReportComparesErrors) {
  ASSERT_EQ(TrainHouses("a").code, 0);
  ASSERT_EQ(TrainHouses("b", {"seed=2"}).code, 0);
  const Outcome report = Run({"report", Path("a"), Path("b"), "--out", Path("report.html")});
  ASSERT_EQ(report.code, 0) << report.err;
  const std::string html = ReadTextFile(dir_ / "report.html");
  EXPECT_THAT(html, AllOf(HasSubstr("RMSE"), HasSubstr("MAE")));
}

}  // namespace
}  // namespace twofour::train
