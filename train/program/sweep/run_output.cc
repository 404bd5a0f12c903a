#include "twofour/train/program/sweep/run_output.h"

#include <algorithm>
#include <cctype>
#include <limits>
#include <span>
#include <sstream>
#include <string_view>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/core/io/json.h"
#include "twofour/train/program/report/html.h"

namespace twofour::train {
namespace {

constexpr uint64_t kMaxLogBytes = 64 << 10;
constexpr std::string_view kMessage = "trainer: ";

/// The whole lines among the last bytes of a file. Reads only the end, because logs and metrics may be large, and
/// nothing before byte `from`, where a line begins.
std::vector<std::string> LinesAtTheEnd(const std::filesystem::path& path, uint64_t max_bytes, uint64_t from = 0) {
  std::string text;
  uint64_t begin = from;
  try {
    const auto file = FileSystem::Default().OpenFile(path, std::numeric_limits<uint64_t>::max());
    begin = std::max(file->size() - std::min(file->size(), max_bytes), from);
    if (begin >= file->size()) return {};
    text.resize(file->size() - begin);
    file->Read(begin, std::as_writable_bytes(std::span(text)));
  } catch (const Error&) {  // A file that cannot be read has no lines.
    return {};
  }
  std::istringstream stream(std::move(text));
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  if (begin > from && !lines.empty()) lines.erase(lines.begin());  // Most likely cut short.
  return lines;
}

/// What a terminal would show of a line: the text after the last carriage return, without blanks around it.
std::string_view Visible(std::string_view line) {
  constexpr std::string_view kBlanks = " \t\r";
  line = line.substr(0, line.find_last_not_of(kBlanks) + 1);
  const size_t rewritten = line.rfind('\r');
  if (rewritten != std::string_view::npos) line.remove_prefix(rewritten + 1);
  const size_t first = line.find_first_not_of(kBlanks);
  return first == std::string_view::npos ? std::string_view() : line.substr(first);
}

bool SaysAnything(std::string_view line) {
  return std::ranges::any_of(line, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; });
}

}  // namespace

std::vector<std::string> LastLines(const std::filesystem::path& log, size_t count) {
  constexpr size_t kLinesOfALauncher = 40;
  const std::vector<std::string> lines = LinesAtTheEnd(log, kMaxLogBytes);
  const auto last = [&](size_t n) { return lines.end() - static_cast<std::ptrdiff_t>(std::min(n, lines.size())); };
  auto begin = last(count);
  for (auto line = lines.end(); line != last(kLinesOfALauncher);) {
    if (!Visible(*--line).starts_with(kMessage)) continue;
    begin = std::min(begin, line);
    break;
  }
  return {begin, begin + std::min(static_cast<std::ptrdiff_t>(count), lines.end() - begin)};
}

LastWords FindLastWords(const std::filesystem::path& log, uint64_t from) {
  constexpr size_t kMaxCharacters = 300;
  const std::vector<std::string> lines = LinesAtTheEnd(log, kMaxLogBytes, from);
  std::string_view last;
  for (const std::string& line : lines) {
    const std::string_view visible = Visible(line);
    if (last.starts_with(kMessage) && !visible.starts_with(kMessage)) continue;
    if (SaysAnything(visible)) last = visible;
  }
  const bool is_error = last.starts_with(kMessage);
  if (is_error) last.remove_prefix(kMessage.size());
  return {Shortened(ReplaceUnwanted(last), kMaxCharacters), is_error};
}

std::optional<double> LastEvaluationLoss(const std::filesystem::path& metrics) {
  // Sparsity metrics of the same step follow an evaluation, a line for each layer.
  const std::vector<std::string> lines = LinesAtTheEnd(metrics, 4 << 20);
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {  // clang 14 cannot compile views::reverse.
    const std::optional<JsonDocument> record = JsonDocument::TryParse(*line);
    if (!record) continue;
    const std::optional<JsonValue> split = record->root().Find("split"), loss = record->root().Find("loss");
    if (!split || !split->is_string() || split->string() != "eval") continue;
    if (loss && loss->is_number()) return loss->number();
  }
  return std::nullopt;
}

}  // namespace twofour::train
