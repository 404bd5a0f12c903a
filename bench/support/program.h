#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "bench/peers/peer.h"

namespace twofour::bench {

/// A size in elements; `tiled` ones must be multiples of 4.
void AddSize(CLI::App& app, const std::string& flag, int64_t& value, const std::string& description, bool tiled);
/// One or more sizes, separated by commas.
void AddSizes(CLI::App& app, const std::string& flag, std::vector<int64_t>& values, const std::string& description);
void AddThreads(CLI::App& app, int& value);
void AddRounds(CLI::App& app, int& value);
void AddPrecision(CLI::App& app, Precision& value);

/// Says on standard error if there is no library to compare with in this precision.
void SayIfNoLibrary(Precision precision);

/// Parses the arguments and calls `run`. Returns the exit code: 0, 1 for a failure, 2 for a bad argument. In the last
/// two cases it has printed one line to standard error.
int RunProgram(CLI::App& app, int argc, char** argv, const std::function<void()>& run);

/// Makes twofour and all peers compute with this many threads.
void UseThreads(int threads);

/// Prints a JSON object as one line to standard output. Numbers keep five significant digits.
void PrintLine(const nlohmann::ordered_json& line);

}  // namespace twofour::bench
