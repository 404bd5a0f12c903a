#include "tests/train/program/report/xml_elements.h"

#include <gtest/gtest.h>

namespace twofour::test {
namespace {

TEST(XmlParserTest, ReadsElementsWithAttributesAndText) {
  const auto elements = XmlParser("<!DOCTYPE html>\n<a x=\"1\" y-z=\"&lt;\">b<c/>d&amp;</a>\n").Parse();
  ASSERT_EQ(elements.size(), 2u);
  EXPECT_EQ(elements[0].name, "a");
  EXPECT_EQ(elements[0].text, "bd&amp;");
  EXPECT_EQ(elements[0].attributes.at("x"), "1");
  EXPECT_EQ(elements[0].attributes.at("y-z"), "&lt;");
  EXPECT_EQ(elements[1].name, "c");
}

TEST(XmlParserTest, RefusesWhatIsNotWellFormed) {
  for (const char* text : {"<a>", "</a>", "<a><b></a></b>", "<a x=1/>", "<a x=\"1\" x=\"2\"/>", "<a>& b</a>",
                           "<a>&nbsp;</a>", "a", "<a>1 < 2</a>", "<a x=\"<\"/>", "<a", "<a>\x01</a>", "<br>"}) {
    EXPECT_THROW(XmlParser(text).Parse(), std::runtime_error) << text;
  }
}

}  // namespace
}  // namespace twofour::test
