#include "twofour/core/note_fault.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>
#include <string>
#include <vector>

#include "tests/support/expect_error.h"

namespace twofour {
namespace {

TEST(NoteFaultTest, TellsTheFaultsOfAllPartsAtOnce) {
  std::vector<std::string> faults;
  int parts = 0;
  NoteFault(faults, [] { throw Error("one"); });
  NoteFault(faults, [&] { ++parts; });
  NoteFault(faults, [] { throw Error("two"); });
  EXPECT_EQ(parts, 1);
  EXPECT_ERROR(ThrowFaults(faults), ErrorKind::kInvalidInput, "one\ntwo");
  EXPECT_NO_THROW(ThrowFaults({}));
}

TEST(NoteFaultTest, WhatIsNotTheInputsFaultEndsTheWork) {
  std::vector<std::string> faults;
  EXPECT_ERROR(NoteFault(faults, [] { throw Error("disk", ErrorKind::kRuntimeFailure); }), ErrorKind::kRuntimeFailure,
               "disk");
  EXPECT_THROW(NoteFault(faults, [] { throw std::bad_alloc(); }), std::bad_alloc);
  EXPECT_THAT(faults, ::testing::IsEmpty());
}

}  // namespace
}  // namespace twofour
