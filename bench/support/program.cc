#include "bench/support/program.h"

#include <fmt/format.h>

#include <cstdlib>
#include <exception>
#include <iostream>

#include "twofour/core/error.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/tile_mask.h"

namespace twofour::bench {
namespace {

constexpr int64_t kMaxSize = 65536;
constexpr int kMaxThreads = 1024;
constexpr int kMaxRounds = 1000;

/// A measurement has no more meaningful digits.
double ToFiveDigits(double value) { return std::strtod(fmt::format("{:.5g}", value).c_str(), nullptr); }

nlohmann::ordered_json ToFiveDigits(const nlohmann::ordered_json& json) {
  if (json.is_number_float()) return ToFiveDigits(json.get<double>());
  nlohmann::ordered_json rounded = json;
  if (json.is_structured()) {
    for (auto& element : rounded) element = ToFiveDigits(element);
  }
  return rounded;
}

}  // namespace

void AddSize(CLI::App& app, const std::string& flag, int64_t& value, const std::string& description, bool tiled) {
  CLI::Option* option =
      app.add_option(flag, value, description)->type_name("N")->check(CLI::Range(int64_t{1}, kMaxSize));
  option->capture_default_str();
  if (!tiled) return;
  option->check([](const std::string& text) {
    const int64_t size = std::strtoll(text.c_str(), nullptr, 10);
    return size % sparse::kTileSize == 0 ? std::string() : fmt::format("{} is not a multiple of 4", text);
  });
}

void AddSizes(CLI::App& app, const std::string& flag, std::vector<int64_t>& values, const std::string& description) {
  app.add_option(flag, values, description)
      ->type_name("N[,N...]")
      ->delimiter(',')
      ->check(CLI::Range(int64_t{1}, kMaxSize))
      ->capture_default_str();
}

void AddThreads(CLI::App& app, int& value) {
  app.add_option("--threads", value, "Threads of twofour and of every peer")
      ->type_name("N")
      ->check(CLI::Range(1, kMaxThreads))
      ->capture_default_str();
}

void AddRounds(CLI::App& app, int& value) {
  app.add_option("--rounds", value, "Rounds in which all variants are taken in turn")
      ->type_name("N")
      ->check(CLI::Range(1, kMaxRounds))
      ->capture_default_str();
}

void AddPrecision(CLI::App& app, Precision& value) {
  const auto parse = [&value](const std::string& text) {
    const std::string name = CLI::detail::to_lower(text);
    for (const Precision precision : {Precision::kFp32, Precision::kBf16}) {
      if (name != NameOf(precision)) continue;
      value = precision;
      return;
    }
    throw CLI::ValidationError("--precision", fmt::format("'{}', expected fp32 or bf16", text));
  };
  app.add_option_function<std::string>("--precision", parse, "Of activations, their gradients and operands of products")
      ->type_name("fp32|bf16")
      ->default_str("fp32");
}

void SayIfNoLibrary(Precision precision) {
  if (!Peers(precision).empty()) return;
  std::cerr << fmt::format("no dense library is fast in {} on this processor, so none is measured\n",
                           NameOf(precision));
}

int RunProgram(CLI::App& app, int argc, char** argv, const std::function<void()>& run) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return 0;
  } catch (const CLI::ParseError& error) {
    std::cerr << fmt::format("{}: {} (see {} --help)\n", app.get_name(), error.what(), app.get_name());
    return 2;
  }
  try {
    run();
  } catch (const Error& error) {
    std::cerr << fmt::format("{}: {}\n", app.get_name(), error.what());
    return error.kind() == ErrorKind::kInvalidInput ? 2 : 1;
  } catch (const std::exception& error) {
    std::cerr << fmt::format("{}: {}\n", app.get_name(), error.what());
    return 1;
  }
  return 0;
}

void UseThreads(int threads) {
  SetNumThreads(threads);
  SetPeerThreads(threads);
}

void PrintLine(const nlohmann::ordered_json& line) { std::cout << ToFiveDigits(line).dump() << std::endl; }

}  // namespace twofour::bench
