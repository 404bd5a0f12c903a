#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "twofour/core/error.h"

/// Expects `statement` to throw a twofour::Error of this kind whose message matches a GoogleMock matcher.
#define EXPECT_ERROR(statement, expected_kind, message_matcher)                                             \
  do {                                                                                                      \
    try {                                                                                                   \
      statement;                                                                                            \
      ADD_FAILURE() << #statement " threw nothing";                                                         \
    } catch (const ::twofour::Error& caught_error) {                                                        \
      EXPECT_THAT(std::string(caught_error.what()), message_matcher);                                       \
      EXPECT_EQ(static_cast<int>(caught_error.kind()), static_cast<int>(expected_kind)) << "kind of error"; \
    }                                                                                                       \
  } while (false)
