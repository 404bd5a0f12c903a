#include "twofour/train/program/prune/sensitivity_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "twofour/train/program/prune/pattern_kind.h"
#include "twofour/train/program/prune/sensitivity_table.h"

#include "tests/train/program/report/xml_elements.h"

namespace twofour::train {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Sensitivity Measured() {
  Sensitivity measured{.run = "/runs/<a>", .weights = "/runs/<a>/model.safetensors"};
  measured.method = "magnitude";
  measured.kind = ParsePatternKind("n:3", "");
  measured.patterns = PatternsAt(measured.kind, {}, "");
  measured.dense_loss = 2;
  for (const std::string name : {"a", "b.longer"}) {
    LinearSensitivity linear{.name = name, .out_features = 8, .in_features = 12};
    linear.levels.push_back({.pattern = measured.patterns[0], .sparsity = 0.3, .loss = name == "a" ? 1.75 : 12.5});
    linear.levels.push_back({.pattern = measured.patterns[1], .sparsity = 0.65, .loss = 2.5});
    measured.linears.push_back(linear);
  }
  measured.linears[1].levels[1].loss = std::numeric_limits<double>::quiet_NaN();
  return measured;
}

TEST(SensitivityTableTest, HasARowForEachLinear) {
  EXPECT_EQ(ToLines(Measured()),
            "linear    shape       0.3333     0.6667\n"
            "a         [8, 12]    -0.2500    +0.5000\n"
            "b.longer  [8, 12]   +10.5000        nan\n"
            "loss with none pruned: 2.0000; above: what n:3 of one linear by magnitude adds to it, at each sparsity\n");
}

TEST(SensitivityTableTest, SaysWhereALevelIsAnother) {
  Sensitivity measured = Measured();
  measured.linears[0].levels[0].sparsity = 0.5;
  EXPECT_THAT(ToLines(measured), AllOf(HasSubstr("a         [8, 12]   -0.2500 (0.50)          +0.5000\n"),
                                       HasSubstr("in brackets: the sparsity")));
  EXPECT_THAT(SensitivityPage(measured), AllOf(HasSubstr("<td>-0.2500 (0.50)</td>"), HasSubstr("in brackets")));
  EXPECT_THAT(SensitivityPage(Measured()), Not(HasSubstr("in brackets")));
}

TEST(SensitivityPageTest, DrawsALineForEachLinear) {
  const std::string page = SensitivityPage(Measured());
  int lines = 0, names = 0;
  for (const test::XmlElement& element : test::XmlParser(page).Parse()) {
    const auto kind = element.attributes.find("class");
    if (kind == element.attributes.end()) continue;
    lines += element.name == "path" && kind->second == "line";
    names += kind->second == "name" && element.text == "b.longer";
  }
  EXPECT_EQ(lines, 2 + 2);  // Of the chart and of its legend.
  EXPECT_EQ(names, 2);      // In the legend and in the table.
  EXPECT_THAT(page, AllOf(HasSubstr("Sensitivity of &lt;a&gt;"), HasSubstr("+10.5000"), HasSubstr(">nan<"),
                          HasSubstr("not finite: 1 level.")));
}

}  // namespace
}  // namespace twofour::train
