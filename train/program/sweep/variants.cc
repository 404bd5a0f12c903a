#include "twofour/train/program/sweep/variants.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <string_view>

#include "twofour/core/error.h"
#include "twofour/train/program/config/suggest.h"
#include "twofour/train/program/sweep/sweep_record.h"

namespace twofour::train {
namespace {

constexpr size_t kMaxFolderName = 200;  // File systems allow 255 bytes.
/// Files that a sweep itself writes into its folder.
constexpr std::array<std::string_view, 3> kOwnFiles = {kSweepRecordFile, "report.html", "report.csv"};

std::string LastPart(const std::string& path) { return path.substr(path.rfind('.') + 1); }

/// The field's name in the names of an axis' entries: the last part of its path, or the whole path if the field of
/// another axis has the same last part.
std::string ShortName(const proto::Sweep& sweep, const std::string& field) {
  const auto ends_alike = [&](const proto::Axis& axis) { return LastPart(axis.field()) == LastPart(field); };
  return std::ranges::count_if(sweep.axis(), ends_alike) > 1 ? field : LastPart(field);
}

/// Replaces slashes and control characters. A run's name is that of a folder, but a value may be a path or a text of
/// several lines.
std::string WithoutSlashes(std::string name) {
  std::ranges::replace_if(
      name, [](char c) { return c == '/' || static_cast<unsigned char>(c) < ' '; }, '_');
  return name;
}

}  // namespace

std::string SafeFolderName(const std::string& name) {
  constexpr std::string_view kAlsoSafe = "._=+-";
  std::string folder;
  for (const char c : name) {
    const bool safe = std::isalnum(static_cast<unsigned char>(c)) != 0 || kAlsoSafe.find(c) != std::string_view::npos;
    if (safe) {
      folder += c;
    } else if (!folder.ends_with('_')) {
      folder += '_';
    }
  }
  // The folder must not be hidden, "..", or taken for an option.
  if (folder.starts_with('.') || folder.starts_with('-')) folder.insert(folder.begin(), '_');
  return folder;
}

SweepVariants::SweepVariants(const proto::Sweep& sweep, const std::string& source, const std::string& base_name) {
  for (const proto::Axis& axis : sweep.axis()) axes_.push_back(Entries(sweep, axis));
  Combine(sweep, base_name);
  RequireDistinct(source);
}

std::vector<SweepVariants::Entry> SweepVariants::Entries(const proto::Sweep& sweep, const proto::Axis& axis) {
  std::vector<Entry> entries;
  for (const std::string& value : axis.value()) {
    entries.push_back({WithoutSlashes(fmt::format("{}={}", ShortName(sweep, axis.field()), value)),
                       {fmt::format("{}={}", axis.field(), value)}});
  }
  for (const proto::Variant& variant : axis.variant()) {
    entries.push_back({variant.name(), {variant.set().begin(), variant.set().end()}});
  }
  return entries;
}

void SweepVariants::Combine(const proto::Sweep& sweep, const std::string& base_name) {
  all_.push_back({"", "", {sweep.set().begin(), sweep.set().end()}, {}});
  for (const std::vector<Entry>& axis : axes_) {
    std::vector<SweepVariant> combined;
    for (const SweepVariant& before : all_) {
      for (size_t i = 0; i < axis.size(); ++i) {
        SweepVariant variant = before;
        variant.name += (before.name.empty() ? "" : ", ") + axis[i].name;
        variant.set.insert(variant.set.end(), axis[i].set.begin(), axis[i].set.end());
        variant.entries.push_back(i);
        combined.push_back(std::move(variant));
      }
    }
    all_ = std::move(combined);
  }
  if (axes_.empty()) all_[0].name = base_name;
  for (SweepVariant& variant : all_) variant.folder = SafeFolderName(variant.name);
}

void SweepVariants::RequireDistinct(const std::string& source) const {
  std::map<std::string_view, std::string_view> names;  // Names by folder.
  for (const SweepVariant& variant : all_) {
    if (variant.folder.size() > kMaxFolderName) {
      throw Error(
          fmt::format("{}: variant '{}': {} characters, expected at most {}; give its values short names with "
                      "variant {{ name: \"...\" set: \"...\" }}",
                      source, variant.name, variant.folder.size(), kMaxFolderName));
    }
    if (std::ranges::find(kOwnFiles, variant.folder) != kOwnFiles.end()) {
      throw Error(fmt::format("{}: variant '{}': its folder would take the place of the sweep's own file; rename it",
                              source, variant.name));
    }
    const auto [found, added] = names.emplace(variant.folder, variant.name);
    if (added) continue;
    if (found->second == variant.name) {
      throw Error(fmt::format("{}: variant '{}' twice, expected different names", source, variant.name));
    }
    throw Error(fmt::format("{}: variants '{}' and '{}' would share the folder {}; rename one", source, found->second,
                            variant.name, variant.folder));
  }
}

std::vector<std::string> SweepVariants::names() const {
  std::vector<std::string> names;
  for (const SweepVariant& variant : all_) names.push_back(variant.name);
  return names;
}

size_t SweepVariants::Find(const std::string& name, const std::string& where) const {
  const auto found = std::ranges::find(all_, name, &SweepVariant::name);
  if (found != all_.end()) return found - all_.begin();
  throw Error(fmt::format("{}: no variant is named '{}'{}", where, name, DidYouMean(name, names())));
}

size_t SweepVariants::FindFrom(size_t from, const std::string& name, const std::string& where) const {
  std::vector<size_t> candidates;
  size_t stride = all_.size();
  for (size_t axis = 0; axis < axes_.size(); ++axis) {
    stride /= axes_[axis].size();
    const auto entry = std::ranges::find(axes_[axis], name, &Entry::name);
    if (entry == axes_[axis].end()) continue;
    const size_t index = entry - axes_[axis].begin();
    candidates.push_back(from + (index - all_[from].entries[axis]) * stride);  // May wrap around, on purpose.
  }
  if (candidates.size() > 1) throw Error(fmt::format("{}: '{}' is an entry of several axes", where, name));
  return candidates.empty() ? Find(name, where) : candidates[0];
}

}  // namespace twofour::train
