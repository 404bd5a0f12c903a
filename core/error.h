#pragma once

#include <stdexcept>
#include <string>

namespace twofour {

/// What the caller can do about an Error. The command line maps it to an exit code.
enum class ErrorKind {
  kInvalidInput,    ///< An argument, config or file is wrong: exit code 2.
  kRuntimeFailure,  ///< The input was fine and the work failed (disk full, loss not finite): exit
                    ///< code 1.
};

/// Thrown for everything that a user can get wrong. The message names the offending value, what was
/// expected, and where (config path, file and byte, parameter's name), on one line for each fault.
/// A condition that only a bug in twofour can cause is an assert() instead. Visible also where its user hides symbols,
/// so that it is the same type in all libraries of a process.
class [[gnu::visibility("default")]] Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, ErrorKind kind = ErrorKind::kInvalidInput)
      : std::runtime_error(message), kind_(kind) {}

  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace twofour
