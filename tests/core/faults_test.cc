#include "twofour/core/faults.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "twofour/core/error.h"

#include "tests/support/expect_error.h"

namespace twofour {
namespace {

struct Inner {
  double share = 0;
};

struct Outer {
  int64_t count = 1;
  Inner inner = {};
};

void Check(const Inner& options, const FieldPath& at, Faults& faults) {
  faults.Between(at("share"), options.share, 0, 1);
}

void Check(const Outer& options, const FieldPath& at, Faults& faults) {
  faults.InRange(at("count"), options.count, 1, 9);
  Check(options.inner, at.In("inner"), faults);
}

TEST(FieldPathTest, FieldsStandBelowAPrefix) {
  EXPECT_EQ(FieldPath()("lr"), "lr");
  EXPECT_EQ(FieldPath("optimizer.sgd")("lr"), "optimizer.sgd.lr");
  EXPECT_EQ(FieldPath("a").In("b")("c"), "a.b.c");
  EXPECT_EQ(FieldPath("a").In("b", 2)("c"), "a.b[2].c");
  EXPECT_EQ(FieldPath().In("b", 0)("c"), "b[0].c");
}

TEST(FieldPathTest, ACallerKnowsFieldsByOtherNames) {
  const FieldPath at("a", {{"step", "at"}, {"around", ""}, {"every", "log.every"}});
  EXPECT_EQ(at("step"), "a.at");
  EXPECT_EQ(at("every"), "log.every");
  EXPECT_EQ(at("other"), "a.other");
  EXPECT_EQ(at.In("points", 1)("step"), "a.points[1].at");
  EXPECT_EQ(at.In("around")("step"), "a.at");
  EXPECT_EQ(FieldPath("", {{"every", "log.every"}})("every"), "log.every");
}

TEST(FaultsTest, OneRuleReadsAsItsReaderWroteIt) {
  const Outer bad{.count = 10, .inner = {.share = 1.5}};
  Faults config = Faults::OfConfig();
  Check(bad, "model", config);
  EXPECT_EQ(config.count(), 2u);
  EXPECT_ERROR(config.Throw(), ErrorKind::kInvalidInput,
               "config: model.count: 10, expected 1 to 9\nconfig: model.inner.share: 1.5, expected 0 to 1");
  EXPECT_ERROR(Checked(bad, "Outer: "), ErrorKind::kInvalidInput,
               "Outer: count is 10, expected 1 to 9\nOuter: inner.share is 1.5, expected 0 to 1");
  EXPECT_ERROR(Checked(Outer{.count = 0}, "Outer: ", " "), ErrorKind::kInvalidInput, "Outer: count 0, expected 1 to 9");
}

TEST(FaultsTest, WithoutAFaultNothingIsThrown) {
  const Outer good;
  EXPECT_NO_THROW(EXPECT_EQ(&Checked(good, "Outer: "), &good));
  EXPECT_NO_THROW(Faults::OfConfig().Throw());
}

TEST(FaultsTest, ARuleAboutSeveralFieldsHasASentenceForCode) {
  const auto rule = [](Faults faults) {
    faults.Expect(false, "end", 3, "at least the begin, which is 5", "from 5 to 3, expected begin <= end");
    faults.Missing("points", "at least one", "has no points");
    faults.Throw();
  };
  EXPECT_ERROR(
      rule(Faults::OfConfig()), ErrorKind::kInvalidInput,
      "config: end: 3, expected at least the begin, which is 5\nconfig: points: missing, expected at least one");
  EXPECT_ERROR(rule(Faults("schedule: ")), ErrorKind::kInvalidInput,
               "schedule: from 5 to 3, expected begin <= end\nschedule: has no points");
}

TEST(FaultsTest, EnumsAreNamedAsTheReaderKnowsThem) {
  EXPECT_EQ(Faults::OfConfig().Word("signed_greedy"), "SIGNED_GREEDY");
  EXPECT_EQ(Faults("x: ").Word("signed_greedy"), "signed_greedy");
}

TEST(FaultsTest, AFieldHasOneFaultTheFirst) {
  Faults faults = Faults::OfConfig();
  faults.InRange("a", 3, 0, 1);
  faults.InRange("a", 3, 0, 2);
  faults.Missing("a.b", "something");
  faults.Missing("a[0]", "something");
  faults.InRange("ab", 3, 0, 1);
  faults.InRange("c.d", 3, 0, 1);
  faults.InRange("c", 3, 0, 1);
  EXPECT_ERROR(faults.Throw(), ErrorKind::kInvalidInput,
               "config: a: 3, expected 0 to 1\nconfig: ab: 3, expected 0 to 1\nconfig: c.d: 3, expected 0 to 1\n"
               "config: c: 3, expected 0 to 1");
}

TEST(FaultsTest, AFieldIsSoundIfNothingInsideOrAroundItHasAFault) {
  Faults faults("x: ");
  EXPECT_TRUE(faults.IsSound("a"));
  faults.InRange("a.b", 3, 0, 1);
  faults.Close("c");
  for (const char* path : {"a", "a.b", "a.b.c", "a.b[0]"}) EXPECT_FALSE(faults.IsSound(path)) << path;
  for (const char* path : {"a.bc", "a.c", "b", "ab", "c"}) EXPECT_TRUE(faults.IsSound(path)) << path;
}

TEST(FaultsTest, OneSentenceAboutTwoFieldsIsToldOnce) {
  Faults faults("x: ");
  for (const char* path : {"begin", "end"}) faults.Expect(false, path, 1, "more", "from 1 to 1, expected more");
  EXPECT_ERROR(faults.Throw(), ErrorKind::kInvalidInput, "x: from 1 to 1, expected more");
  EXPECT_FALSE(faults.IsSound("end"));
}

TEST(FaultsTest, AClosedFieldIsJudgedByTheCallerAlone) {
  Faults faults = Faults::OfConfig();
  faults.InRange("a", 3, 0, 1);
  faults.Close("a");
  faults.InRange("a", 3, 0, 2);
  faults.Missing("a", "something");
  faults.InRange("a.b", 3, 0, 2);
  faults.Close("b");
  faults.InRange("b", 3, 0, 2);
  EXPECT_ERROR(faults.Throw(), ErrorKind::kInvalidInput, "config: a: 3, expected 0 to 1");
}

TEST(FaultsTest, RangesHoldTheirEndsAndNoNan) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  const auto faults_of = [](auto rule) {
    Faults faults("x: ");
    rule(faults);
    return faults.count();
  };
  for (const int64_t value : {1, 9}) EXPECT_EQ(faults_of([&](Faults& f) { f.InRange("a", value, 1, 9); }), 0u);
  for (const int64_t value : {0, 10}) EXPECT_EQ(faults_of([&](Faults& f) { f.InRange("a", value, 1, 9); }), 1u);
  for (const double value : {0.0, 0.5, 1.0}) {
    EXPECT_EQ(faults_of([&](Faults& f) { f.Between("a", value, 0, 1); }), 0u) << value;
    EXPECT_EQ(faults_of([&](Faults& f) { f.AtLeast("a", value, 0); }), 0u) << value;
    EXPECT_EQ(faults_of([&](Faults& f) { f.Finite("a", value); }), 0u) << value;
    EXPECT_EQ(faults_of([&](Faults& f) { f.Probability("a", value); }), value == 1 ? 1u : 0u) << value;
    EXPECT_EQ(faults_of([&](Faults& f) { f.OpenFraction("a", value); }), value == 0.5 ? 0u : 1u) << value;
  }
  for (const double value : {std::nan(""), kInf, -kInf}) {
    EXPECT_EQ(faults_of([&](Faults& f) { f.Between("a", value, 0, 1); }), 1u) << value;
    EXPECT_EQ(faults_of([&](Faults& f) { f.AtLeast("a", value, 0); }), 1u) << value;
    EXPECT_EQ(faults_of([&](Faults& f) { f.Finite("a", value); }), 1u) << value;
    EXPECT_EQ(faults_of([&](Faults& f) { f.Probability("a", value); }), 1u) << value;
    EXPECT_EQ(faults_of([&](Faults& f) { f.OpenFraction("a", value); }), 1u) << value;
  }
}

TEST(FaultsTest, FloatsHoldWhatIsFinite) {
  constexpr double kMost = std::numeric_limits<float>::max();
  for (const double value : {0.0, 1e-300, 1.0, kMost}) {
    Faults faults("x: ");
    faults.FloatAtLeast("a", value, 0);
    EXPECT_EQ(faults.count(), 0u) << value;
  }
  for (const double value : {-1.0, 1e39, 1e300, std::nan(""), std::numeric_limits<double>::infinity()}) {
    Faults faults("x: ");
    faults.FloatAtLeast("a", value, 0);
    EXPECT_EQ(faults.count(), 1u) << value;
  }
  Faults faults("x: ");
  faults.FloatAtLeast("a", 1e39, 0);
  EXPECT_ERROR(faults.Throw(), ErrorKind::kInvalidInput,
               "x: a is 1e+39, expected at most 3.4e+38, as a 32-bit float can hold");
}

TEST(FaultsTest, APositiveFloatIsAboveZeroAsAFloat) {
  constexpr double kLeast = std::numeric_limits<float>::denorm_min(), kMost = std::numeric_limits<float>::max();
  for (const double value : {kLeast, 1.0, kMost}) {
    Faults faults("x: ");
    faults.PositiveFloat("a", value);
    faults.Positive("a", value);
    EXPECT_EQ(faults.count(), 0u) << value;
  }
  const auto message = [](double value) {
    Faults faults("x: ");
    faults.PositiveFloat("a", value);
    try {
      faults.Throw();
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  for (const double value : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(message(value), fmt::format("x: a is {}, expected a positive finite number", value));
  }
  for (const double value : {1e-300, kLeast / 4, 1e39, 1e300}) {
    Faults faults("x: ");
    faults.Positive("a", value);
    EXPECT_EQ(faults.count(), 0u) << value;
    EXPECT_EQ(message(value),
              fmt::format("x: a is {}, expected 1.4e-45 to 3.4e+38, as a 32-bit float can hold", value));
  }
}

TEST(FaultsTest, ShowsValuesAsTheyAreWritten) {
  Faults faults("x: ");
  faults.Expect(false, "a", true, "b");
  faults.Expect(false, "b", 0.1, "b");
  faults.Expect(false, "c", int64_t{-7}, "b");
  faults.Expect(false, "d", std::string("text"), "b");
  faults.NotEmpty("path", "");
  faults.NotEmpty("path", "given");
  faults.Add("line", faults.Where("line") + " is worded elsewhere");
  EXPECT_ERROR(faults.Throw(), ErrorKind::kInvalidInput,
               "x: a is true, expected b\nx: b is 0.1, expected b\nx: c is -7, expected b\nx: d is text, expected b\n"
               "x: path: expected the path of a file\nx: line is worded elsewhere");
}

}  // namespace
}  // namespace twofour
