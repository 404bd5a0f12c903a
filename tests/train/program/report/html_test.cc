#include "twofour/train/program/report/html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/program/report/xml_elements.h"

namespace twofour::train {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(EscapeHtmlTest, LeavesNoMarkup) {
  EXPECT_EQ(EscapeHtml("<script>alert('1' & \"2\")</script>"),
            "&lt;script&gt;alert(&#39;1&#39; &amp; &quot;2&quot;)&lt;/script&gt;");
  EXPECT_EQ(EscapeHtml("Größe 数"), "Größe 数");
}

TEST(EscapeHtmlTest, ReplacesWhatNoPageMayHold) {
  EXPECT_EQ(EscapeHtml(std::string_view("a\0b\x1b\x7f", 5)), "a\uFFFDb\uFFFD\uFFFD");
  EXPECT_EQ(EscapeHtml("a\xff\xc3(b\xe2\x82"), "a\uFFFD\uFFFD(b\uFFFD\uFFFD");
  EXPECT_EQ(EscapeHtml("a\u202Eb\u2066c"), "a\uFFFDb\uFFFDc");  // These would change the direction of the text.
  EXPECT_EQ(EscapeHtml("a\tb\nc"), "a\tb\nc");
}

TEST(ShortenedTest, CountsCharactersAndNotBytes) {
  EXPECT_EQ(Shortened("äöü", 3), "äöü");
  EXPECT_EQ(Shortened("äöüß", 3), "äö…");
  EXPECT_EQ(Shortened("", 3), "");
}

TEST(HtmlPageTest, IsWellFormedAndNeedsNothingElse) {
  const std::string page = HtmlPage("a < b", "<p>text</p>\n");
  const auto elements = test::XmlParser(page).Parse();
  EXPECT_EQ(elements.front().name, "html");
  for (const char* outside : {"http", "//", "url(", "@import", "<script", "<link", " src="}) {
    EXPECT_THAT(page, Not(HasSubstr(outside)));
  }
  EXPECT_THAT(page, HasSubstr("<title>a &lt; b</title>"));
  EXPECT_THAT(page, HasSubstr("width=device-width"));
}

}  // namespace
}  // namespace twofour::train
