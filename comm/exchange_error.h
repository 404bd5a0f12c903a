#pragma once

#include <cstddef>
#include <string>

#include "twofour/core/error.h"

namespace twofour::comm {

/// What every communicator says when `rank` ("rank 3 (node7)") sent `sent` bytes or, with `at_least`, maybe more, where
/// `expected` bytes were expected.
Error WrongSizeError(const std::string& rank, bool at_least, size_t sent, size_t expected);

/// What every communicator says when nothing came from `rank` for so long, or nothing was taken by it. `where_set` says
/// what sets how long to wait.
Error NoAnswerError(const std::string& rank, double seconds, const std::string& where_set);

}  // namespace twofour::comm
