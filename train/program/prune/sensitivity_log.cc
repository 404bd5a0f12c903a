#include "twofour/train/program/prune/sensitivity_log.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <string_view>
#include <system_error>

#include "twofour/core/error.h"
#include "twofour/core/io/text.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxBytes = 64 << 20;
constexpr const char* kExpected = "expected that of an earlier start of the same measurement, or an empty or new one";

std::string Text(const std::optional<JsonValue>& value) { return value ? value->ToText() : "not known"; }

/// Throws Error that names the first member in which the headers differ.
[[noreturn]] void RefuseHeader(const fs::path& path, const JsonDocument& then, const JsonDocument& now) {
  const JsonValue before = then.root();
  for (const auto& [name, value] : now.root().members()) {
    const std::optional<JsonValue> other = before.Find(name);
    if (other && other->ToText() == value.ToText()) continue;
    throw Error(
        fmt::format("{}: holds losses of another measurement: {} was {}, and is now {}; choose another folder "
                    "with --out",
                    path.string(), name, Text(other), value.ToText()));
  }
  throw Error(fmt::format("{}: line 1: holds more than this twofour knows", path.string()));
}

/// A number, or NaN for null. Nothing for anything else.
std::optional<double> NumberOrNull(const std::optional<JsonValue>& value) {
  if (!value) return std::nullopt;
  if (value->is_null()) return std::numeric_limits<double>::quiet_NaN();
  if (!value->is_number()) return std::nullopt;
  return value->number();
}

}  // namespace

void SensitivityLog::RequireFolder(FileSystem& files, const fs::path& folder) {
  std::error_code ignored;
  if (!files.Exists(folder)) return;
  if (!fs::is_directory(folder, ignored)) {
    throw Error(fmt::format("--out {}: no folder, {}", folder.string(), kExpected));
  }
  if (files.Exists(folder / kFile) || files.ListDirectory(folder).empty()) return;
  throw Error(fmt::format("--out {}: holds something, but no {}, {}", folder.string(), kFile, kExpected));
}

SensitivityLog::SensitivityLog(FileSystem& files, const fs::path& folder, const JsonObject& header)
    : path_(folder / kFile) {
  files.CreateDirectories(folder);
  LockAttempt attempt = files.TryLock(folder, LockKind::kExclusive);
  if (attempt.result == LockResult::kHeldElsewhere) {
    throw Error(fmt::format("--out {}: another trainer is at work in this folder", folder.string()));
  }
  lock_ = std::move(attempt.lock);
  RequireFolder(files, folder);
  const std::string first = header.ToTextReplacing() + "\n";
  const std::string text = files.Exists(path_) ? ReadOwnText(files, path_, kMaxBytes) : "";
  const size_t whole = text.rfind('\n') + 1;  // 0 where there is no whole line.
  if (whole == 0) {
    if (!first.starts_with(text)) throw Error(fmt::format("{}: not written by trainer sensitivity", path_.string()));
    WriteTextAtomically(files, path_, first);
  } else {
    Read(text.substr(0, whole), first);
    if (whole < text.size()) WriteTextAtomically(files, path_, text.substr(0, whole));
  }
  file_ = files.OpenForAppending(path_);
}

void SensitivityLog::Read(const std::string& text, const std::string& header) {
  int64_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    const std::string line = text.substr(begin, end - begin);
    const std::string where = fmt::format("{}: line {}", path_.string(), ++number);
    begin = end + 1;
    if (number > 1) {
      ReadLine(line, where);
    } else if (line + "\n" != header) {
      const JsonDocument then = JsonDocument::Parse(line, where);
      if (!then.root().Find("format")) throw Error(fmt::format("{}: not written by trainer sensitivity", where));
      RefuseHeader(path_, then, JsonDocument::Parse(header, "header"));
    }
  }
}

void SensitivityLog::ReadLine(const std::string& line, const std::string& where) {
  const JsonDocument document = JsonDocument::Parse(line, where);
  const JsonValue json = document.root();
  if (const std::optional<JsonValue> dense = json.Find("dense_loss")) {
    if (!dense->is_number() || dense_loss_) throw Error(fmt::format("{}: expected one dense_loss, a number", where));
    dense_loss_ = dense->number();
    return;
  }
  const std::optional<JsonValue> linear = json.Find("linear");
  const std::optional<double> level = NumberOrNull(json.Find("level")), loss = NumberOrNull(json.Find("loss")),
                              sparsity = NumberOrNull(json.Find("sparsity"));
  // NaN is no key of a map.
  if (!linear || !linear->is_string() || !level || std::isnan(*level) || !sparsity || !loss) {
    throw Error(fmt::format("{}: expected linear, level, sparsity and loss", where));
  }
  if (!entries_.emplace(std::pair(linear->string(), *level), Entry{.sparsity = *sparsity, .loss = *loss}).second) {
    throw Error(fmt::format("{}: level {} of {} is there twice", where, *level, linear->string()));
  }
}

std::optional<SensitivityLog::Entry> SensitivityLog::Find(const std::string& linear, double level) const {
  const auto found = entries_.find({linear, level});
  return found == entries_.end() ? std::nullopt : std::optional(found->second);
}

void SensitivityLog::AddDenseLoss(double loss) {
  JsonObject json;
  json.Set("dense_loss", loss);
  file_->Append(json.ToText() + "\n");
  dense_loss_ = loss;
}

void SensitivityLog::Add(const std::string& linear, double level, const Entry& entry) {
  JsonObject json;
  json.Set("linear", linear).Set("level", level).Set("sparsity", entry.sparsity).Set("loss", entry.loss);
  file_->Append(json.ToTextReplacing() + "\n");
  entries_[{linear, level}] = entry;
}

}  // namespace twofour::train
