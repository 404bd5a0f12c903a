#include "tests/support/wrong_dtypes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "twofour/core/error.h"

namespace twofour::test {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

void ExpectRefused(const Argument& argument, const Tensor& tensor, const std::string& what_it_was) {
  try {
    argument.call(tensor);
    ADD_FAILURE() << "taken";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(),
                AllOf(ContainsRegex("^(" + argument.function + "): "), HasSubstr(argument.name), HasSubstr(what_it_was),
                      HasSubstr("expected"), Not(HasSubstr("\n")), Not(HasSubstr("the tensor"))));
  }
}

}  // namespace

void ExpectNamesWrongDTypes(const Argument& argument) {
  for (const DTypeInfo& info : kDTypes) {
    SCOPED_TRACE(::testing::Message() << ::testing::PrintToString(argument) << " of " << info.name);
    const Tensor tensor = Tensor::Full(argument.shape, 1, info.dtype);
    if (std::find(argument.dtypes.begin(), argument.dtypes.end(), info.dtype) == argument.dtypes.end()) {
      ExpectRefused(argument, tensor, std::string(info.name));
    } else {
      EXPECT_NO_THROW(argument.call(tensor));
    }
  }
  SCOPED_TRACE(::testing::Message() << ::testing::PrintToString(argument) << " undefined");
  if (argument.optional) {
    EXPECT_NO_THROW(argument.call(Tensor()));
  } else {
    ExpectRefused(argument, Tensor(), "undefined");
  }
}

}  // namespace twofour::test
