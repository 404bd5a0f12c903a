#include "twofour/core/io/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "twofour/core/error.h"

namespace twofour {
namespace {

using ::testing::ThrowsMessage;

TEST(JsonObjectTest, WritesMembersInTheOrderOfBeingSet) {
  JsonObject object;
  object.Set("z", int64_t{-3}).Set("a", uint64_t{18446744073709551615u}).Set("n", 7).Set("flag", true);
  object.Set("text", "a\"b\n\u00E9").Set("third", 1.0 / 3).Set("whole", 2.0);
  EXPECT_EQ(object.ToText(),
            "{\"z\":-3,\"a\":18446744073709551615,\"n\":7,\"flag\":true,\"text\":\"a\\\"b\\n\u00E9\","
            "\"third\":0.3333333333333333,\"whole\":2.0}");
  object.Set("a", "replaced");
  EXPECT_THAT(object.ToText(), ::testing::StartsWith("{\"z\":-3,\"a\":\"replaced\",\"n\":7"));
  EXPECT_EQ(JsonObject().ToText(), "{}");
}

TEST(JsonObjectTest, WritesListsAndObjectsOnLinesOfTheirOwn) {
  JsonObject inner;
  inner.Set("x", std::vector<double>{0.5, 1e300});
  JsonObject object;
  object.Set("none", std::vector<JsonObject>()).Set("objects", std::vector<JsonObject>{inner, JsonObject()});
  object.Set("inner", inner).Set("texts", std::vector<std::string>{"a"});
  inner.Set("x", 1);  // The object holds a copy.
  EXPECT_EQ(object.ToText(/*indent=*/1), R"({
 "none": [],
 "objects": [
  {
   "x": [
    0.5,
    1e+300
   ]
  },
  {}
 ],
 "inner": {
  "x": [
   0.5,
   1e+300
  ]
 },
 "texts": [
  "a"
 ]
})");
}

TEST(JsonObjectTest, WhatIsNotFiniteIsNull) {
  JsonObject object;
  object.Set("nan", std::numeric_limits<double>::quiet_NaN()).Set("inf", std::numeric_limits<double>::infinity());
  EXPECT_EQ(object.ToText(), "{\"nan\":null,\"inf\":null}");
}

TEST(JsonObjectTest, RefusesOrReplacesWhatIsNotUtf8) {
  JsonObject object;
  object.Set("text", "a\xff");
  EXPECT_THAT([&] { object.ToText(); }, ThrowsMessage<Error>("text that is not UTF-8 cannot be written as JSON"));
  EXPECT_EQ(object.ToTextReplacing(), "{\"text\":\"a\uFFFD\"}");
  EXPECT_THAT([] { JsonString("\xff"); }, ThrowsMessage<Error>("text that is not UTF-8 cannot be written as JSON"));
  EXPECT_EQ(JsonString("\u00E9\""), "\"\u00E9\\\"\"");
  EXPECT_EQ(JsonStringInAscii("\u00E9\xff"), "\"\\u00e9\\ufffd\"");
}

TEST(JsonDocumentTest, ReadsEachKindOfValue) {
  const auto document = JsonDocument::TryParse(
      R"({"u": 18446744073709551615, "i": -2, "d": 1.5, "e": 1e2, "s": "x", "b": false, "n": null, "l": [1, {}]})");
  ASSERT_TRUE(document);
  const JsonValue root = document->root();
  EXPECT_TRUE(root.is_object() && !root.is_array());
  EXPECT_EQ(root.Find("u")->unsigned_integer(), 18446744073709551615u);
  EXPECT_TRUE(root.Find("u")->is_unsigned() && root.Find("u")->is_integer() && root.Find("u")->is_number());
  EXPECT_EQ(root.Find("i")->integer(), -2);
  EXPECT_TRUE(root.Find("i")->is_integer() && !root.Find("i")->is_unsigned());
  EXPECT_EQ(root.Find("i")->ToText(), "-2");
  EXPECT_EQ(root.Find("d")->number(), 1.5);
  EXPECT_TRUE(root.Find("e")->is_number() && !root.Find("e")->is_integer());
  EXPECT_EQ(root.Find("s")->string(), "x");
  EXPECT_TRUE(root.Find("s")->is_string());
  EXPECT_TRUE(root.Find("b")->is_boolean() && !root.Find("b")->boolean());
  EXPECT_TRUE(root.Find("n")->is_null());
  const std::vector<JsonValue> list = root.Find("l")->elements();
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].integer(), 1);
  EXPECT_TRUE(list[1].members().empty());
  EXPECT_FALSE(root.Find("none"));
  EXPECT_FALSE(list[0].Find("u"));
}

TEST(JsonDocumentTest, TheLastMemberOfANameCountsAndMembersComeInTheirNamesOrder) {
  const auto document = JsonDocument::TryParse(R"({"b": 1, "a": 2, "b": 3})");
  ASSERT_TRUE(document);
  std::string seen;
  for (const auto& [name, value] : document->root().members()) seen += std::string(name) + value.ToText();
  EXPECT_EQ(seen, "a2b3");
}

TEST(JsonDocumentTest, RefusesWhatIsNoJson) {
  for (const char* text : {"", "{", "{} x", "[1,]", "{\"a\": \"\xff\"}", "nan", "1e999"}) {
    EXPECT_FALSE(JsonDocument::TryParse(text)) << text;
  }
  const auto expect = [](std::string_view text, const std::string& message) {
    EXPECT_THAT([&] { JsonDocument::Parse(text, "f.json"); }, ThrowsMessage<Error>("f.json: " + message)) << text;
  };
  expect("{\"a\": ]", "not valid JSON at its byte 7");
  expect("[1e999]", "not valid JSON: a number is out of range");
  expect(std::string_view("{}\0{", 4), "byte 2: not valid JSON: a zero byte");
}

TEST(JsonDocumentTest, ChecksSeeNamesAndDepthsInTheTextsOrder) {
  std::string seen;
  const JsonChecks checks{
      .on_begin = [&](int depth, bool is_array) { seen += (is_array ? "[" : "{") + std::to_string(depth); },
      .on_name = [&](const std::string& name) { seen += name; }};
  JsonDocument::Parse(R"({"a": [1, {"b": 2}], "c": 3, "a": 4})", "f.json", checks);
  EXPECT_EQ(seen, "{0a[1{2bca");
  const JsonChecks refuses{.on_begin = [](int depth, bool /*is_array*/) {
    if (depth == 2) throw Error("too deep");
  }};
  // It throws even where the text is cut off after that.
  EXPECT_THAT([&] { JsonDocument::Parse("[[[", "f.json", refuses); }, ThrowsMessage<Error>("too deep"));
}

TEST(JsonDocumentTest, OutlivesItsTextAndIsNotBoundToTheStackInDepth) {
  std::optional<JsonDocument> document;
  {
    const std::string text = std::string(1'000'000, '[') + std::string(1'000'000, ']');
    document = JsonDocument::TryParse(text);
  }
  ASSERT_TRUE(document);
  EXPECT_TRUE(document->root().elements()[0].is_array());
}

}  // namespace
}  // namespace twofour
