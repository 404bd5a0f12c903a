#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/parallel.h"
#include "twofour/train/program/cli/app.h"

#include "tests/support/temp_dir.h"

namespace twofour::test {

/// The result of running the program.
struct Outcome {
  int code;
  std::string out, err;
};

/// Matches a command that ended with this code and an error. Notes may come before the error.
MATCHER_P2(FailsWith, code, message, "") {
  *result_listener << "exit " << arg.code << ", stderr: " << arg.err;
  std::string_view error = arg.err;
  while (error.starts_with("note: ")) error.remove_prefix(std::min(error.find('\n'), error.size() - 1) + 1);
  return arg.code == code && error.starts_with("trainer: ") && ExplainMatchResult(message, arg.err, result_listener);
}

/// Runs the program in this process, with a temporary folder.
class AppRunner : public ::testing::Test {
 protected:
  ~AppRunner() override { SetNumThreads(0); }

  Outcome Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "trainer");
    std::vector<const char*> argv;
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    std::ostringstream out, err;
    const int code = train::RunTrainer(static_cast<int>(argv.size()), argv.data(), out, err, false, stop_, alone_);
    return {code, out.str(), err.str()};
  }

  std::string Path(const std::string& name) { return (dir_ / name).string(); }

  TempDir dir_;
  train::StopRequest stop_;
  comm::SingleProcess alone_;
};

}  // namespace twofour::test
