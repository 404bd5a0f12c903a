#include "twofour/train/program/tensorboard/event_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "twofour/train/run_files.h"

namespace twofour::train {
namespace {

constexpr std::string_view kPrefix = RunFiles::kEventFilePrefix;
constexpr size_t kDigits = 10;  // Enough until 2286. A fixed width keeps names in order.

/// The seconds in an event file's name; 0 if it is not the name of one.
int64_t SecondsIn(std::string_view name) {
  if (!name.starts_with(kPrefix)) return 0;
  name.remove_prefix(kPrefix.size());
  const std::string_view digits = name.substr(0, name.find('.'));
  int64_t seconds = 0;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), seconds);
  return digits.size() == kDigits && error == std::errc() && end == digits.end() ? seconds : 0;
}

std::string HostName() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
  return name.data();
}

}  // namespace

std::filesystem::path NextEventFile(FileSystem& files, const std::filesystem::path& folder, const Clock& wall_clock) {
  auto seconds = static_cast<int64_t>(wall_clock.Seconds());
  for (const std::string& name : files.ListDirectory(folder)) seconds = std::max(seconds, SecondsIn(name) + 1);
  return folder / fmt::format("{}{:0{}}.{}.{}", kPrefix, seconds, kDigits, HostName(), getpid());
}

}  // namespace twofour::train
