#include "twofour/train/program/start/rank_start.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <string_view>

#include "twofour/core/build_libraries.h"
#include "twofour/core/error.h"
#include "twofour/core/io/crc32c.h"
#include "twofour/core/io/file_checksum.h"
#include "twofour/core/io/text.h"
#include "twofour/core/isa.h"
#include "twofour/core/processors.h"
#include "twofour/train/parallel/agreement.h"
#include "twofour/train/program/config/text_config.h"

namespace twofour::train {
namespace {

std::span<const std::byte> BytesOf(const std::string& text) { return std::as_bytes(std::span(text)); }
std::string TextOf(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::vector<std::string> AllTexts(comm::Communicator& ranks, const std::string& mine) {
  std::vector<std::string> texts;
  for (const std::vector<std::byte>& bytes : ranks.AllGatherAnySize(BytesOf(mine))) texts.push_back(TextOf(bytes));
  return texts;
}

/// The processors that this process may run on, as the kernel writes them: "Cpus_allowed_list:\t0-3".
std::string AllowedProcessors() {
  std::istringstream status(ReadText(FileSystem::Default(), "/proc/self/status", 1 << 20));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("Cpus_allowed_list:")) return line;
  }
  return "";
}

/// The variables of the environment that decide which kernels compute.
std::string ChoicesOfEnvironment() {
  std::vector<std::string> lines;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    if (text.starts_with("TWOFOUR_KERNEL") || text.starts_with("TWOFOUR_MAX_ISA")) lines.emplace_back(text);
  }
  std::ranges::sort(lines);
  return fmt::format("{}", fmt::join(lines, "\n"));
}

std::string ChecksumOfWeights(const nn::Module& model) {
  uint32_t crc = 0;
  for (const Tensor& parameter : model.Parameters()) {
    crc = Crc32c({parameter.raw(), static_cast<size_t>(parameter.numel()) * SizeOf(parameter.dtype())}, crc);
  }
  return fmt::format("checksum {:08x}", crc);
}

/// "'a', expected 'b'" of the first line that differs.
std::string FirstDifference(const std::string& mine, const std::string& expected) {
  std::istringstream ours(mine), theirs(expected);
  std::string our_line, their_line;
  while (true) {
    const bool have = static_cast<bool>(std::getline(ours, our_line));
    const bool expect = static_cast<bool>(std::getline(theirs, their_line));
    if (!have && !expect) return "";
    if (have && expect && our_line == their_line) continue;
    const auto quoted = [](bool there, const std::string& line) {
      return there ? fmt::format("'{}'", line) : "nothing";
    };
    return fmt::format("{}, expected {}", quoted(have, our_line), quoted(expect, their_line));
  }
}

}  // namespace

int ThreadsOfRank(comm::Communicator& ranks) {
  if (ranks.size() == 1) return 0;
  const std::string mine = fmt::format("{} {}", ranks.HostOf(ranks.rank()), AllowedProcessors());
  const std::vector<std::string> all = AllTexts(ranks, mine);
  return std::max(1, CountProcessors().count / static_cast<int>(std::ranges::count(all, mine)));
}

StartPart ArgumentsPart(int argc, const char* const* argv) {
  constexpr std::string_view kThreads = "--threads";
  std::vector<std::string> words;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == kThreads) ++i;
    if (!word.starts_with(kThreads)) words.emplace_back(word);
  }
  return {"arguments", fmt::format("{}", fmt::join(words, "\n"))};
}

std::vector<StartPart> PartsOf(const proto::Config& config, const DataRecord& data, const nn::Module& model) {
  proto::Config without_threads = config;
  without_threads.clear_threads();
  const FileChecksum program = ChecksumOf(FileSystem::Default(), "/proc/self/exe");
  return {{"program", fmt::format("{} bytes, checksum {:08x}", program.bytes, program.crc32c)},
          {"libraries", fmt::format("{}", fmt::join(BuildLibraries(), "\n"))},
          {"instruction set", std::string(NameOf(BestIsa()))},
          {"environment", ChoicesOfEnvironment()},
          {"config", ToText(without_threads)},
          {"data", ToJson(data)},
          {"initial weights", ChecksumOfWeights(model)}};
}

void RequireSameParts(comm::Communicator& ranks, const std::vector<StartPart>& mine) {
  if (ranks.size() == 1) return;
  for (const StartPart& part : mine) {
    const std::vector<std::string> all = AllTexts(ranks, part.text);
    Together(ranks, [&] {
      if (part.text == all.front()) return;
      throw Error(fmt::format("{}: {}, as on {}", part.what, FirstDifference(part.text, all.front()), ranks.NameOf(0)));
    });
  }
}

void RequireRanksDivide(const comm::Communicator& ranks, int64_t shards) {
  if (shards % ranks.size() == 0) return;
  throw Error(
      fmt::format("config: training.shards: {}, expected a multiple of {}, the number of ranks", shards, ranks.size()));
}

std::string DescribeRanks(const comm::Communicator& ranks, int64_t shards) {
  std::map<std::string, int> on_host;
  for (int rank = 0; rank < ranks.size(); ++rank) ++on_host[ranks.HostOf(rank)];
  std::vector<std::string> hosts;
  for (const auto& [host, count] : on_host) hosts.push_back(fmt::format("{} ({})", host, count));
  return fmt::format("{}, with {} of {} shards each, on {}", ranks.size(), shards / ranks.size(), shards,
                     fmt::join(hosts, ", "));
}

}  // namespace twofour::train
