#pragma once

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>
#include <utility>

#include "twofour/train/program/cli/argument_bounds.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace twofour::train {

/// Threads that a command takes at most, as a config does.
inline constexpr int64_t kMaxThreads = 1024;

/// One argument of a command, to say more about it.
class Argument {
 public:
  /// `bounds` are those of a number, which Range() narrows; null for anything else.
  explicit Argument(CLI::Option* option, std::shared_ptr<ArgumentBounds> bounds = nullptr)
      : option_(option), bounds_(std::move(bounds)) {}

  /// How its value is called in the help. That of a DIR or a FILE may not be empty.
  Argument& Type(const std::string& name);
  Argument& Required();
  /// Of a number, in which the help shows it; the bounds of its type hold anyway.
  Argument& Range(int64_t low, int64_t high);
  Argument& Range(double low, double high);
  Argument& NotNegative();
  /// The help shows the value that it has now.
  Argument& ShowDefault();
  /// Takes several values, separated by commas.
  Argument& Commas();
  /// Takes one value each time it is given.
  Argument& Repeatable();
  Argument& Excludes(const Argument& other);
  bool given() const;

 private:
  CLI::Option* option_;
  std::shared_ptr<ArgumentBounds> bounds_;
};

/// The arguments of one command of the program. A layer over CLI11, which is slow to compile, so that one file does,
/// and every command treats help and errors alike.
class Arguments {
 public:
  /// `name` as the user types it: "trainer sample".
  Arguments(const std::string& description, const std::string& name);
  ~Arguments();

  /// An option ("--config"), or a positional argument ("RUN"), that sets `value`: a string, number, std::optional of a
  /// number, or std::vector of strings or numbers. Those of the .cc file; `value` must live until Parse().
  template <typename T>
  Argument Add(const std::string& name, T& value, const std::string& help);
  /// An option without a value.
  Argument AddFlag(const std::string& name, bool& value, const std::string& help);
  void SetVersion(const std::string& version);
  void SetFooter(const std::string& footer);

  /// Parses what follows the command's name: argv[skip + 1] on. False when help or version was printed to `out`
  /// instead. Throws Error on an unknown or malformed argument; of several, on the first unknown one.
  bool Parse(int argc, const char* const* argv, int skip, std::ostream& out);

 private:
  [[noreturn]] void FailUnknown(const std::string& argument) const;

  std::unique_ptr<CLI::App> app_;
};

}  // namespace twofour::train
