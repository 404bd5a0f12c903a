#include "twofour/train/program/report/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>

#include "twofour/train/data/csv_reader.h"

#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"
#include "tests/train/program/report/test_runs.h"

namespace twofour::train {
namespace {

using test::Recorded;

TEST(CsvTextTest, QuotesEverythingAndDefusesFormulas) {
  EXPECT_EQ(CsvText("plain"), "\"plain\"");
  EXPECT_EQ(CsvText("a,\"b\"\nc"), "\"a,\"\"b\"\"\nc\"");
  for (const char* formula : {"=1+1", "+1", "-1", "@SUM(A1)", "\t=1"}) {
    EXPECT_EQ(CsvText(formula), "\"'" + std::string(formula) + "\"");
  }
  EXPECT_EQ(CsvText("a=1"), "\"a=1\"");
  EXPECT_EQ(CsvText(""), "\"\"");
  EXPECT_EQ(CsvText(std::string("a\0b\xff", 4)), "\"a\uFFFDb\uFFFD\"");
}

TEST(CsvNumberTest, ReadsBackAsTheSameDouble) {
  for (const double value : {0.1, -1.0 / 3, 1e-300, 123456789.125}) {
    EXPECT_EQ(std::stod(CsvNumber(value)), value);
  }
  EXPECT_EQ(CsvNumber(std::nullopt), "");
  EXPECT_EQ(CsvNumber(std::nan("")), "");
}

std::vector<RunGroup> HostileGroups() {
  RunRecord a = Recorded("=cmd, \\\"x\\\"\\n|", 1), b = Recorded("b", 2, "", /*finished=*/false);
  a.eval_loss = {{0, 0.125}, {50, 0.25}, {100, 0.5}};
  a.eval_details["accuracy"] = {{100, 0.75}};
  a.eval_details["=bad\"name"] = {{100, 1}};
  a.steps = 100;
  b.torn_line = 7;
  b.outcome = RunOutcome::kFailed;
  b.reason = "=exit \"1\",\n2";
  return GroupRuns({a, b});
}

std::vector<std::vector<std::string>> ReadRows(const std::string& csv) {
  CsvReader reader(csv, ',', "test");
  std::vector<std::vector<std::string>> rows;
  for (CsvRow row; reader.Next(row);) rows.push_back(row.cells);
  return rows;
}

TEST(RunsAsCsvTest, HasARowForEachRunAndAColumnForEachNumber) {
  const auto rows = ReadRows(RunsAsCsv(HostileGroups()));
  ASSERT_EQ(rows.size(), 3u);
  const auto cell = [&](size_t row, const std::string& column) {
    const auto found = std::ranges::find(rows[0], column);
    return found == rows[0].end() ? "no such column" : rows.at(row).at(static_cast<size_t>(found - rows[0].begin()));
  };
  for (const auto& row : rows) EXPECT_EQ(row.size(), rows[0].size());
  EXPECT_EQ(cell(1, "group"), "'=cmd, \"x\"\n|");
  EXPECT_EQ(cell(1, "seed"), "1");
  EXPECT_EQ(cell(1, "finished"), "yes");
  EXPECT_EQ(cell(1, "steps"), "100");
  EXPECT_EQ(cell(1, "planned_steps"), "100");
  EXPECT_EQ(cell(1, "final_eval_loss"), "0.5");
  EXPECT_EQ(cell(1, "best_eval_loss"), "0.25");
  EXPECT_EQ(cell(1, "first_eval_loss"), "0.125");
  EXPECT_EQ(cell(2, "first_eval_loss"), "");
  EXPECT_EQ(cell(1, "final_accuracy"), "0.75");
  EXPECT_EQ(cell(1, "final_=bad\"name"), "1");
  EXPECT_EQ(cell(2, "finished"), "no");
  EXPECT_EQ(cell(2, "final_eval_loss"), "");
  EXPECT_EQ(cell(2, "torn_line"), "7");
  EXPECT_EQ(cell(2, "folder"), "runs/b-2");
  EXPECT_EQ(cell(1, "state"), "finished");
  EXPECT_EQ(cell(1, "reason"), "");
  EXPECT_EQ(cell(2, "state"), "failed");
  EXPECT_EQ(cell(2, "reason"), "'=exit \"1\",\n2");
}

TEST(RunsAsCsvTest, TellsHowARunWasPruned) {
  RunRecord pruned = Recorded("pruned", 1), other = Recorded("other", 1);
  pruned.pruning =
      PruningRecord{.method = "=wanda", .pattern = "2:4", .sparsity = 0.5, .loss_before = 0.25, .loss_after = 0.75};
  const auto rows = ReadRows(RunsAsCsv(GroupRuns({pruned, other})));
  const auto row = [&](size_t index) {
    std::map<std::string, std::string> cells;
    for (size_t i = 0; i < rows[0].size(); ++i) cells[rows[0][i]] = rows.at(index).at(i);
    return cells;
  };
  const auto first = row(1), second = row(2);
  EXPECT_EQ(first.at("pruning_method"), "'=wanda");
  EXPECT_EQ(first.at("pruning_pattern"), "2:4");
  EXPECT_EQ(first.at("pruning_sparsity"), "0.5");
  EXPECT_EQ(first.at("pruning_loss_before"), "0.25");
  EXPECT_EQ(first.at("pruning_loss_after"), "0.75");
  EXPECT_EQ(first.at("final_eval_loss"), "0.75");
  EXPECT_EQ(first.at("final_sparsity"), "0.5");
  for (const char* column : {"pruning_method", "pruning_pattern", "pruning_sparsity", "pruning_loss_after"}) {
    EXPECT_EQ(second.at(column), "") << column;
  }
}

TEST(RunsAsCsvTest, PythonReadsTheSame) {
  if (std::system("python3 -c 'import csv' 2> /dev/null") != 0) GTEST_SKIP() << "no python3";
  const test::TempDir dir;
  test::WriteTextFile(dir / "report.csv", RunsAsCsv(HostileGroups()));
  test::WriteTextFile(dir / "read.py",
                      "import csv, sys\n"
                      "rows = list(csv.DictReader(open(sys.argv[1], newline='', encoding='utf-8'), strict=True))\n"
                      "assert len(rows) == 2, rows\n"
                      "assert rows[0]['group'] == '\\'=cmd, \"x\"\\n|', rows[0]\n"
                      "assert float(rows[0]['final_eval_loss']) == 0.5, rows[0]\n"
                      "assert all(None not in row and None not in row.values() for row in rows), rows\n");
  const std::string command = "python3 " + (dir / "read.py").string() + " " + (dir / "report.csv").string();
  EXPECT_EQ(std::system(command.c_str()), 0);
}

}  // namespace
}  // namespace twofour::train
