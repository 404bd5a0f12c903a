#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "twofour/comm/communicator.h"
#include "twofour/core/error.h"

namespace twofour::train {

/// An Error that every rank throws at the same place. So the ranks still agree on what comes next, and may save what
/// they have. After any other Error in one of several ranks, the others wait for what will never come.
class SharedError : public Error {
 public:
  using Error::Error;
};

/// Whether all ranks have thrown this, which is always true of a single one.
bool IsShared(const std::exception& error, const comm::Communicator& ranks);

/// Throws `message` as `error` was thrown: as a SharedError if that is one, or else as an Error.
[[noreturn]] void ThrowLike(const std::exception& error, const std::string& message, ErrorKind kind);

/// Does `work` on this rank, while the other ranks do theirs, and asks all how it went. If it failed anywhere, throws
/// SharedError on all ranks. Its message is that of the first rank that failed; it begins with the name of the rank,
/// unless all failed alike. A single process just does the work. `work` may call the communicator only where all ranks
/// do, or none.
void Together(comm::Communicator& ranks, const std::function<void()>& work);

/// Whether it is true on any rank.
bool IsTrueAnywhere(comm::Communicator& ranks, bool value);
/// What `value` is on the first rank.
int64_t ValueOfFirst(comm::Communicator& ranks, int64_t value);

/// The numbers of all ranks, one rank after the other. All must give as many.
std::vector<double> AllNumbers(comm::Communicator& ranks, const std::vector<double>& mine);

}  // namespace twofour::train
