#include "twofour/core/io/json_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/expect_error.h"

namespace twofour {
namespace {

using ::testing::ElementsAre;

TEST(JsonFieldsTest, ReadsMembersOfTheirKind) {
  const JsonDocument document = JsonDocument::Parse(R"({"t":"x","n":1.5,"c":7,"l":["a","b"],"m":[1]})", "f");
  const JsonFields fields(document.root(), "f: entry");
  EXPECT_EQ(fields.Text("t"), "x");
  EXPECT_EQ(fields.TextIfAny("none"), "");
  EXPECT_EQ(fields.Number("n"), 1.5);
  EXPECT_EQ(fields.Count("c"), 7u);
  EXPECT_EQ(fields.List("m").size(), 1u);
  EXPECT_THAT(fields.Texts("l"), ElementsAre("a", "b"));
}

TEST(JsonFieldsTest, SaysWhereAndWhat) {
  const JsonDocument document = JsonDocument::Parse(R"({"t":"x","n":-1.5,"l":["a",2]})", "f");
  const JsonFields fields(document.root(), "f: entry");
  const auto refuses = [](const auto& read, const char* message) {
    EXPECT_ERROR(read(), ErrorKind::kInvalidInput, message);
  };
  refuses([&] { fields.Text("none"); }, "f: entry: no none");
  refuses([&] { fields.Text("n"); }, "f: entry: n: expected text");
  refuses([&] { fields.TextIfAny("n"); }, "f: entry: n: expected text");
  refuses([&] { fields.Number("t"); }, "f: entry: t: expected a number");
  refuses([&] { fields.Count("n"); }, "f: entry: n: expected a whole number");
  refuses([&] { fields.List("t"); }, "f: entry: t: expected a list");
  refuses([&] { fields.Texts("l"); }, "f: entry: l: expected text");
  refuses([&] { JsonFields(fields.Get("t"), "f: inner"); }, "f: inner: expected an object");
}

}  // namespace
}  // namespace twofour
