#pragma once

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/train/program/cli/argument_bounds.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace twofour::train {

/// The largest number of threads that a command accepts. Configs have the same limit.
inline constexpr int64_t kMaxThreads = 1024;

/// One argument of a command. Its functions add properties to it.
class Argument {
 public:
  /// `bounds`: the range of a number, which Range() narrows; null if the value is not a number.
  explicit Argument(CLI::Option* option, std::shared_ptr<ArgumentBounds> bounds = nullptr)
      : option_(option), bounds_(std::move(bounds)) {}

  /// What the help calls its value. The value of a DIR or a FILE may not be empty.
  Argument& Type(const std::string& name);
  Argument& Required();
  /// Only for numbers. The help shows the range. Without it, the limits of the number's type hold.
  Argument& Range(int64_t low, int64_t high);
  Argument& Range(double low, double high);
  Argument& NotNegative();
  /// The help shows the current value as the default.
  Argument& ShowDefault();
  /// Takes several values, separated by commas.
  Argument& Commas();
  /// May be given several times, each time with one value.
  Argument& Repeatable();
  Argument& Excludes(const Argument& other);
  bool given() const;

 private:
  CLI::Option* option_;
  std::shared_ptr<ArgumentBounds> bounds_;
};

/// What is thrown where an option makes no difference: it would do so together with `with`.
Error GoesWith(std::string_view option, std::string_view with);
/// Throws that if the argument was given and makes none.
void RequireGoesWith(const Argument& argument, bool makes_a_difference, std::string_view option, std::string_view with);

/// The arguments of one command of the program. This class wraps CLI11, which is slow to compile, so that only one file
/// includes it, and so that all commands treat help and errors alike.
class Arguments {
 public:
  /// `command`: one of kCommands, or nothing for the program without a command.
  explicit Arguments(std::string_view command);
  ~Arguments();

  /// Adds an option ("--config") or a positional argument ("RUN") that sets `value`: a string, a number, a
  /// std::optional of a number, or a std::vector of strings or numbers. Only the types listed in the .cc file work.
  /// `value` must live until Parse() is done.
  template <typename T>
  Argument Add(const std::string& name, T& value, const std::string& help);
  /// Adds an option without a value.
  Argument AddFlag(const std::string& name, bool& value, const std::string& help);
  void SetVersion(const std::string& version);
  void SetFooter(const std::string& footer);

  /// Parses the arguments after the command's name, from argv[skip + 1] on. Returns false if it printed the help or the
  /// version to `out` instead. Throws Error on an unknown or malformed argument. If there are several faults, the error
  /// names the first unknown argument.
  bool Parse(int argc, const char* const* argv, int skip, std::ostream& out);

 private:
  [[noreturn]] void FailUnknown(const std::string& argument) const;

  std::unique_ptr<CLI::App> app_;
};

}  // namespace twofour::train
