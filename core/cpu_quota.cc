#include "twofour/core/cpu_quota.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <string_view>
#include <vector>

namespace twofour {
namespace {

// The kernel's files are far smaller, except for mounts: thousands of them have been seen on one machine.
constexpr size_t kMostBytes = 16 << 20;
/// Groups are nested less deeply than this.
constexpr int kMostLevels = 1000;

/// A file's content; empty where it cannot be read.
std::string Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text;
  std::array<char, 4096> block;
  while (file && text.size() < kMostBytes) {
    file.read(block.data(), block.size());
    text.append(block.data(), static_cast<size_t>(file.gcount()));
  }
  return text;
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

bool Contains(std::string_view list, std::string_view name) {
  const std::vector<std::string_view> names = Split(list, ',');
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// The number in a text that holds a positive number and nothing else.
std::optional<double> ParsePositive(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number <= 0) return std::nullopt;
  return static_cast<double>(number);
}

/// mountinfo writes blanks and backslashes in paths as three octal digits: "\040".
std::string Unescape(std::string_view path) {
  std::string plain;
  for (size_t i = 0; i < path.size(); ++i) {
    const auto octal = [&](size_t at) { return at < path.size() && path[at] >= '0' && path[at] <= '7'; };
    if (path[i] == '\\' && octal(i + 1) && octal(i + 2) && octal(i + 3)) {
      plain += static_cast<char>((path[i + 1] - '0') * 64 + (path[i + 2] - '0') * 8 + (path[i + 3] - '0'));
      i += 3;
    } else {
      plain += path[i];
    }
  }
  return plain;
}

/// `path` relative to `top`: "/b" for "/a/b" and "/a", "" where both are the same; nothing where `path` lies elsewhere.
std::optional<std::string> Below(std::string_view path, std::string_view top) {
  while (!top.empty() && top.back() == '/') top.remove_suffix(1);
  while (!path.empty() && path.back() == '/') path.remove_suffix(1);
  if (!path.starts_with(top)) return std::nullopt;
  path.remove_prefix(top.size());
  if (!path.empty() && path.front() != '/') return std::nullopt;
  std::string plain;
  for (const std::string_view part : Split(path, '/')) {
    if (part == "..") return std::nullopt;  // The process was moved out of what its namespace shows.
    plain.append("/").append(part);
  }
  return plain;
}

enum class Version { k1, k2 };

/// What one group grants, without those above it.
std::optional<double> QuotaOfGroup(const std::string& folder, Version version) {
  if (version == Version::k1) {
    const auto quota = ParsePositive(Read(folder + "/cpu.cfs_quota_us"));  // -1: unlimited.
    const auto period = ParsePositive(Read(folder + "/cpu.cfs_period_us"));
    return quota && period ? std::optional(*quota / *period) : std::nullopt;
  }
  const std::string text = Read(folder + "/cpu.max");  // "150000 100000", or "max 100000".
  std::string_view line = text;
  while (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  const std::vector<std::string_view> words = Split(line, ' ');
  if (words.size() != 2) return std::nullopt;
  const auto quota = ParsePositive(words[0]), period = ParsePositive(words[1]);
  return quota && period ? std::optional(*quota / *period) : std::nullopt;
}

std::optional<double> Least(std::optional<double> a, std::optional<double> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

/// The smallest grant of the group at `path` below `mount_point` and of all groups above it, up to `mount_point`.
std::optional<double> QuotaUpwards(const std::string& mount_point, std::string path, Version version) {
  std::optional<double> least;
  for (int level = 0; level < kMostLevels; ++level) {
    least = Least(least, QuotaOfGroup(mount_point + path, version));
    if (path.empty()) break;
    path.resize(std::min(path.rfind('/'), path.size()));
  }
  return least;
}

/// A mounted hierarchy of groups that may limit processors' time.
struct Mount {
  Version version;
  std::string group;  ///< The group that the mount point shows.
  std::string point;
};

/// Lines are "36 35 0:30 /group /mount/point rw,nosuid shared:1 - cgroup2 source rw,options".
std::vector<Mount> CpuMounts(std::string_view mountinfo) {
  std::vector<Mount> mounts;
  for (const std::string_view line : Split(mountinfo, '\n')) {
    const size_t dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    const std::vector<std::string_view> left = Split(line.substr(0, dash), ' ');
    const std::vector<std::string_view> right = Split(line.substr(dash + 3), ' ');
    if (left.size() < 5 || right.empty()) continue;
    const bool v1 = right[0] == "cgroup" && Contains(right.back(), "cpu");
    if (!v1 && right[0] != "cgroup2") continue;
    mounts.push_back({v1 ? Version::k1 : Version::k2, Unescape(left[3]), Unescape(left[4])});
  }
  return mounts;
}

/// The process's group in a version's hierarchy. Lines are "4:cpu,cpuacct:/group", or "0::/group" for version 2.
std::optional<std::string> OwnGroup(std::string_view cgroup, Version version) {
  for (const std::string_view line : Split(cgroup, '\n')) {
    const size_t first = line.find(':');
    const size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const bool wanted =
        version == Version::k1 ? Contains(controllers, "cpu") : line.substr(0, first) == "0" && controllers.empty();
    if (wanted) return std::string(line.substr(second + 1));
  }
  return std::nullopt;
}

}  // namespace

std::optional<double> CpuQuota(const std::string& root) {
  const std::string cgroup = Read(root + "/proc/self/cgroup");
  const std::vector<Mount> mounts = CpuMounts(Read(root + "/proc/self/mountinfo"));
  std::optional<double> least;
  for (const Version version : {Version::k1, Version::k2}) {
    const std::optional<std::string> group = OwnGroup(cgroup, version);
    if (!group) continue;
    std::optional<double> own, top;
    bool found = false;
    for (const Mount& mount : mounts) {
      if (mount.version != version) continue;
      const std::optional<std::string> path = Below(*group, mount.group);
      found |= path.has_value();
      if (path) own = Least(own, QuotaUpwards(root + mount.point, *path, version));
      if (!path) top = Least(top, QuotaOfGroup(root + mount.point, version));
    }
    // A container may see its own group as the top of the mount, although the group has another name outside.
    least = Least(least, found ? own : top);
  }
  return least;
}

}  // namespace twofour
