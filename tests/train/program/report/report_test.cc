#include "twofour/train/program/report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/expect_error.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"
#include "tests/train/program/report/test_runs.h"
#include "tests/train/program/report/xml_elements.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::MakeRun;
using test::Metrics;
using test::ReadTextFile;
using test::RunConfig;
using test::XmlParser;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class ReportTest : public ::testing::Test {
 protected:
  /// Two groups of three seeds each.
  ReportOptions MakeRuns() {
    ReportOptions options{.html = dir_ / "report.html"};
    for (const int seed : {1, 2, 3}) {
      options.runs.push_back(Make("dense", seed, Metrics(0.5 + 0.01 * seed)));
      options.runs.push_back(Make("sparse", seed, Metrics(0.6 + 0.01 * seed), "sparsity { enabled: true }"));
    }
    return options;
  }

  fs::path Make(const std::string& name, int seed, const std::string& metrics, const std::string& more = "",
                bool finished = true) {
    const fs::path folder = dir_ / ("run" + std::to_string(++count_));
    MakeRun(folder, RunConfig(name, seed, more), metrics, finished);
    return folder;
  }

  std::string Page() { return ReadTextFile(dir_ / "report.html"); }

  void ExpectRefused(const ReportOptions& options, const std::string& message) {
    EXPECT_ERROR(WriteReport(files_, options), ErrorKind::kInvalidInput,
                 AllOf(HasSubstr(message), Not(HasSubstr("\n"))));
    EXPECT_FALSE(fs::exists(options.html) && !fs::is_directory(options.html));
    EXPECT_FALSE(fs::exists(CsvPath(options)));
  }

  test::TempDir dir_;
  FileSystem& files_ = FileSystem::Default();
  int count_ = 0;
};

TEST_F(ReportTest, IsOnePageAndOneTable) {
  ReportOptions options = MakeRuns();
  options.title = "Dense & sparse";
  WriteReport(files_, options);
  const std::string page = Page();
  ASSERT_NO_THROW(XmlParser(page).Parse());
  for (const char* outside : {"http", "://", "url(", "<script", "<link", " src=", "<img"}) {
    EXPECT_THAT(page, Not(HasSubstr(outside)));
  }
  for (const char* part :
       {"<h1>Dense &amp; sparse</h1>", "2 groups, 6 finished runs", "Every group has 3 finished seeds.", "Welch",
        "An interval that contains 0 means", "Evaluation loss", "Training loss", "Evaluation accuracy",
        "sparsity.<wbr/>enabled", "<b>0.520</b> ± 0.010", "0.620 ± 0.010", "Δ +0.100 <b>worse</b>"}) {
    EXPECT_THAT(page, HasSubstr(part));
  }
  const std::string csv = ReadTextFile(dir_ / "report.csv");
  EXPECT_EQ(std::ranges::count(csv, '\n'), 7);
}

TEST_F(ReportTest, TheBaselineIsTheFirstGroupOrTheOneNamed) {
  ReportOptions options = MakeRuns();
  WriteReport(files_, options);
  EXPECT_THAT(Page(), HasSubstr("Compared to <span class=\"name\">dense</span>"));
  options.baseline = "sparse";
  WriteReport(files_, options);
  EXPECT_THAT(Page(), HasSubstr("Compared to <span class=\"name\">sparse</span>"));
  EXPECT_THAT(Page(), HasSubstr("Δ −0.100 <b>better</b>"));
}

TEST_F(ReportTest, UnfinishedRunsAreListedAndLeftOut) {
  ReportOptions options = MakeRuns();
  options.runs.push_back(Make("dense", 4, Metrics(100), "", /*finished=*/false));
  const Report report = BuildReport(files_, options);
  EXPECT_EQ(report.runs, 7u);
  EXPECT_EQ(report.left_out, "1 unfinished");
  EXPECT_THAT(report.html, HasSubstr("<b>0.520</b> ± 0.010"));
  EXPECT_THAT(report.html, HasSubstr("One run is not finished: left out of all means"));
  EXPECT_THAT(report.html, HasSubstr("unfinished: left out of the statistics"));
  EXPECT_THAT(report.html, HasSubstr(options.runs.back().string()));
  EXPECT_THAT(report.csv, HasSubstr("\"dense\",4,no,"));
}

TEST_F(ReportTest, ATornLineIsSkippedAndSaidSo) {
  ReportOptions options = MakeRuns();
  options.runs.push_back(Make("dense", 4, Metrics(0.5) + "{\"step\":100,\"sp"));
  const Report report = BuildReport(files_, options);
  ASSERT_THAT(report.notes, SizeIs(1));
  EXPECT_THAT(report.notes[0], HasSubstr("metrics.jsonl:5: skipped the last line"));
  EXPECT_THAT(report.html, HasSubstr("metrics.jsonl:5: skipped the last line"));
}

TEST_F(ReportTest, ShowsLossesAgainstSecondsAndWhenTheBaselinesLossIsReached) {
  ReportOptions options{.html = dir_ / "report.html"};
  for (const int seed : {1, 2}) {
    options.runs.push_back(Make("slow", seed, Metrics(0.5, 80)));
    options.runs.push_back(Make("fast", seed, Metrics(0.25, 40), "sparsity { enabled: true }"));
  }
  const Report report = BuildReport(files_, options);
  ASSERT_NO_THROW(XmlParser(report.html).Parse());
  EXPECT_THAT(report.notes, IsEmpty());
  // From 1.5 after 20 s to 0.25 after 40 s: four fifths of the way are 36 s.
  for (const char* part :
       {"Evaluation loss over training time", "Training loss over training time", "seconds of training",
        "<th>Training time<small>s, steps alone</small></th>", "Time to the baseline's final loss",
        "<td>90<small>seeds: 90 to 90</small></td><td>36.00<small>seeds: 36.00 to 36.00</small></td><td>0.45</td>"}) {
    EXPECT_THAT(report.html, HasSubstr(part));
  }
}

TEST_F(ReportTest, RunsOfAnEarlierVersionAreLeftOutWhereSecondsAreShown) {
  ReportOptions options{.html = dir_ / "report.html"};
  options.runs.push_back(Make("old", 1, Metrics(0.5, 0)));
  options.runs.push_back(Make("older", 1, Metrics(0.25, 0)));
  const Report old = BuildReport(files_, options);
  ASSERT_NO_THROW(XmlParser(old.html).Parse());
  EXPECT_THAT(old.notes, testing::ElementsAre(HasSubstr("in the records of any run, made by an earlier twofour")));
  EXPECT_THAT(old.html, AllOf(HasSubstr("nothing is shown against seconds"), HasSubstr("Time to the baseline's"),
                              Not(HasSubstr("over training time")), Not(HasSubstr("<th>Training time")),
                              Not(HasSubstr("<th>Seconds"))));
  options.runs.push_back(Make("new", 1, Metrics(0.5)));
  const Report mixed = BuildReport(files_, options);
  EXPECT_THAT(mixed.notes, testing::ElementsAre(HasSubstr("in the records of " + options.runs[0].string() +
                                                          " and 1 more, made by an earlier twofour: left out")));
  EXPECT_THAT(mixed.html, AllOf(HasSubstr("over training time"), HasSubstr("Nothing recorded: old, older.")));
}

TEST_F(ReportTest, ARunThatAnEarlierVersionBeganIsShownFromWhereItsSecondsBegin) {
  const std::string without = Metrics(0.5, 0), with = Metrics(0.5, 10);
  const ReportOptions options{
      .runs = {Make("a", 1,
                    without.substr(0, without.find("{\"step\":100")) + with.substr(with.find("{\"step\":100")))},
      .html = dir_ / "report.html"};
  const Report report = BuildReport(files_, options);
  EXPECT_THAT(report.notes,
              testing::ElementsAre(HasSubstr("in the first records of " + options.runs[0].string() + ", made")));
  EXPECT_THAT(report.html, HasSubstr("over training time"));
}

TEST_F(ReportTest, CopiesOfASeedAreSaidToFakeCertainty) {
  ReportOptions options = MakeRuns();
  EXPECT_THAT(BuildReport(files_, options).notes, IsEmpty());
  options.runs.push_back(Make("dense", 2, Metrics(0.52)));
  EXPECT_THAT(BuildReport(files_, options).notes, testing::ElementsAre(HasSubstr("seed 2 as well")));
}

TEST_F(ReportTest, HostileNamesAreText) {
  ReportOptions options{.html = dir_ / "report.html"};
  options.title = "</title><script>alert(1)</script>";
  options.runs = {
      Make("<script>alert(2)<b>\\\"'&", 1, Metrics(0.5)),
      Make("]]><!-- \\377 \\001", 1, Metrics(0.5) + "{\"step\":100,\"split\":\"eval\",\"loss\":1,\"<i>\":2}\n")};
  WriteReport(files_, options);
  ASSERT_NO_THROW(XmlParser(Page()).Parse());
  EXPECT_THAT(Page(), AllOf(Not(HasSubstr("<script")), Not(HasSubstr("<i>")), Not(HasSubstr("<!--"))));
  EXPECT_THAT(Page(), HasSubstr("&lt;script&gt;alert(2)&lt;b&gt;&quot;&#39;&amp;"));
}

TEST_F(ReportTest, OneRunAloneMakesAReport) {
  const ReportOptions options{.runs = {Make("a", 1, Metrics(0.5))}, .html = dir_ / "report.html"};
  WriteReport(files_, options);
  ASSERT_NO_THROW(XmlParser(Page()).Parse());
  EXPECT_THAT(Page(), AllOf(HasSubstr("1 group, 1 finished run."), Not(HasSubstr("0.5000 ±"))));
}

TEST_F(ReportTest, RunsWithoutMetricsMakeAReport) {
  const ReportOptions options{.runs = {Make("a", 1, "", "", false), Make("b", 1, "")}, .html = dir_ / "report.html"};
  WriteReport(files_, options);
  ASSERT_NO_THROW(XmlParser(Page()).Parse());
  EXPECT_THAT(Page(), HasSubstr("The baseline has no finished run"));
}

TEST_F(ReportTest, LongRunsMakeASmallPage) {
  std::string metrics;
  for (int step = 1; step <= 20'000; ++step) {
    metrics +=
        "{\"step\":" + std::to_string(step) + ",\"split\":\"train\",\"loss\":" + std::to_string(step % 97) + "}\n";
  }
  ReportOptions options{.html = dir_ / "report.html"};
  for (const char* name : {"a", "b", "c"}) options.runs.push_back(Make(name, 1, metrics));
  EXPECT_LT(BuildReport(files_, options).html.size(), 100'000u);
}

TEST_F(ReportTest, BadInputIsRefusedInOneLineAndNothingIsWritten) {
  ReportOptions options = MakeRuns();
  const auto with = [&](auto change) {
    ReportOptions changed = options;
    change(changed);
    return changed;
  };
  ExpectRefused(with([](auto& o) { o.runs.clear(); }), "no runs to report on");
  ExpectRefused(with([&](auto& o) { o.runs.push_back(dir_.path()); }), "not a run's folder");
  ExpectRefused(with([&](auto& o) { o.runs.push_back(dir_ / "nowhere"); }), "nowhere: not a run's folder");
  ExpectRefused(with([&](auto& o) { o.runs.push_back(o.runs[0]); }), "listed twice");
  ExpectRefused(with([&](auto& o) { o.runs.push_back(dir_ / "run2/../run1/"); }), "listed twice");
  ExpectRefused(with([&](auto& o) { o.baseline = "nope"; }), "no such group");
  ExpectRefused(with([&](auto& o) { o.html = dir_ / "no/report.html"; }), "no is not a folder");
  ExpectRefused(with([&](auto& o) { o.html = dir_ / "report.txt"; }), "expected a file that ends in .html");
  ExpectRefused(with([&](auto& o) { o.runs.push_back(Make("x", 1, "damaged\n")); }), "metrics.jsonl:1: not a metrics");
  fs::create_directory(dir_ / "folder.html");
  ExpectRefused(with([&](auto& o) { o.html = dir_ / "folder.html"; }), "it is a folder");
}

TEST_F(ReportTest, AFullDiskIsARuntimeFailureAndKeepsTheOldReport) {
  const ReportOptions options = MakeRuns();
  WriteReport(files_, options);
  const std::string before = Page();
  test::FaultyFileSystem full;
  full.FailAfterBytes(100);
  EXPECT_ERROR(WriteReport(full, options), ErrorKind::kRuntimeFailure, HasSubstr("report"));
  EXPECT_EQ(Page(), before);
}

TEST_F(ReportTest, PlannedRunsThatLeftNothingAreListedAndNotCounted) {
  ReportOptions options = MakeRuns();
  const auto plan = [&](const std::string& name, RunOutcome outcome, const std::string& reason) {
    const fs::path folder = dir_ / ("none-" + name);
    options.runs.push_back(folder);
    options.planned[folder] = {outcome, reason, WithDefaults(ParseTextConfig(RunConfig(name, 4), "c"))};
  };
  plan("dense", RunOutcome::kFailed, "exit code 2: cannot read <script>alert(1)</script>\x1b");
  plan("hot", RunOutcome::kTimedOut, "took longer than 3 s");
  plan("later", RunOutcome::kSkipped, "needs hot seed 4, which took too long");
  const Report report = BuildReport(files_, options);
  ASSERT_NO_THROW(XmlParser(report.html).Parse());
  EXPECT_EQ(report.left_out, "1 failed, 1 timed out, 1 skipped");
  for (const char* part :
       {"4 groups, 6 finished runs, 1 failed, 1 timed out, 1 skipped", "<b>0.520</b> ± 0.010",
        "failed: left out of the statistics<small>exit code 2: cannot read &lt;script&gt;alert(1)&lt;/script&gt;\uFFFD",
        "timed out: left out of the statistics<small>took longer than 3 s</small>",
        "skipped: left out of the statistics<small>needs hot seed 4, which took too long</small>",
        "3 runs are not finished"}) {
    EXPECT_THAT(report.html, HasSubstr(part));
  }
  EXPECT_THAT(report.csv, HasSubstr("\"hot\",4,no,0,100,"));
  EXPECT_THAT(report.csv, HasSubstr(",timed out,\"took longer than 3 s\"\n"));
  EXPECT_EQ(std::ranges::count(report.csv, '\n'), 10);
}

TEST_F(ReportTest, WhereNothingIsFinishedEveryRunIsListed) {
  ReportOptions options{.runs = {dir_ / "none"}, .html = dir_ / "report.html"};
  options.planned[dir_ / "none"] = {RunOutcome::kFailed, "exit code 2",
                                    WithDefaults(ParseTextConfig(RunConfig("a", 1), "c"))};
  const Report report = BuildReport(files_, options);
  ASSERT_NO_THROW(XmlParser(report.html).Parse());
  EXPECT_THAT(report.html, AllOf(HasSubstr("0 finished runs, 1 failed"), HasSubstr("<small>exit code 2</small>")));
}

}  // namespace
}  // namespace twofour::train
