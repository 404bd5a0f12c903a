#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace twofour::test {

// What the tables of parameterised tests share.

/// For INSTANTIATE_TEST_SUITE_P: names a test for the `name` of its case.
struct ByName {
  template <typename Case>
  std::string operator()(const ::testing::TestParamInfo<Case>& info) const {
    return std::string(info.param.name);
  }
};

/// A text that is to be refused, and what the message is to say. Failures show the text.
struct RefusedText {
  std::string text, message;
  friend void PrintTo(const RefusedText& refused, std::ostream* out) { *out << refused.text; }
};

}  // namespace twofour::test
