#pragma once

#include <cstddef>
#include <functional>

namespace twofour::comm {

/// Calls function(0) to function(count - 1), each on a thread of its own with a stack of so many bytes, and waits for
/// all. The function must not throw. If the system does not start a thread, calls `stop`, which must make the function
/// return, waits for those that run, and throws Error (a runtime failure).
///
/// std::thread would take the size of stacks from the shell's limits: a thousand stacks of those may be too many.
void RunOnThreads(int count, size_t stack_bytes, const std::function<void(int)>& function,
                  const std::function<void()>& stop);

}  // namespace twofour::comm
