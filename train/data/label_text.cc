#include "twofour/train/data/label_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>
#include <unordered_map>

#include "twofour/train/data/text.h"
#include "twofour/train/data/utf8.h"

namespace twofour::train {
namespace {

/// The text in lower case, with single blanks between words, none at the ends, and without invisible characters.
std::string Folded(std::string_view text) {
  std::string folded;
  bool blank = false;
  while (!text.empty()) {
    const auto unseen = std::ranges::find_if(
        kUnseenCharacters, [text](const UnseenCharacter& character) { return text.starts_with(character.utf8); });
    const char c = text[0];
    const bool is_unseen = unseen != std::end(kUnseenCharacters);
    if (is_unseen || (c >= '\t' && c <= '\r') || c == ' ') {
      if (!is_unseen || unseen->is_blank) blank = !folded.empty();
      text.remove_prefix(is_unseen ? unseen->utf8.size() : 1);
      continue;
    }
    if (blank) folded += ' ';
    blank = false;
    folded += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    text.remove_prefix(1);
  }
  return folded;
}

/// Statistics of the numbers among labels.
struct NumberStatistics {
  int64_t distinct = 0, rows = 0, singles = 0;
  double least = std::numeric_limits<double>::infinity(), largest = -least;
  bool has_fractions = false;
  bool mostly_numbers = false;

  bool HasGaps() const { return static_cast<double>(distinct) < 0.8 * (largest - least + 1); }
  std::string InWords() const {
    return fmt::format("{} different numbers in {} rows, from {} to {}", distinct, rows, least, largest);
  }
};

constexpr int64_t kFewNumbers = 10, kSomeNumbers = 20, kManyRows = 10;

NumberStatistics Measure(std::span<const std::string> names, std::span<const int64_t> counts) {
  NumberStatistics numbers;
  int64_t others = 0;
  for (size_t i = 0; i < names.size(); ++i) {
    if (LooksMissing(names[i]) || counts[i] == 0) continue;
    const std::optional<double> number = LooseNumber(names[i]);
    if (!number) {
      ++others;
      continue;
    }
    ++numbers.distinct;
    numbers.rows += counts[i];
    numbers.singles += counts[i] == 1 ? 1 : 0;
    numbers.least = std::min(numbers.least, *number);
    numbers.largest = std::max(numbers.largest, *number);
    if (*number != std::floor(*number)) numbers.has_fractions = true;
  }
  numbers.mostly_numbers = numbers.distinct >= 19 * others;
  return numbers;
}

bool IsMeasured(const NumberStatistics& numbers) {
  if (!numbers.mostly_numbers || numbers.distinct <= kFewNumbers) return false;
  if (numbers.rows < 2 * numbers.distinct) return true;
  if (numbers.distinct <= kSomeNumbers || numbers.rows >= kManyRows * numbers.distinct) return false;
  return numbers.has_fractions || (numbers.HasGaps() && 5 * numbers.singles >= numbers.distinct);
}

}  // namespace

std::optional<double> LooseNumber(std::string_view label) {
  std::string bare = Folded(label);
  for (const std::string_view mark : {"$", "€", "£", "¥", "%", ",", "'", "_", " "}) {
    for (size_t at = bare.find(mark); at != std::string::npos; at = bare.find(mark)) bare.erase(at, mark.size());
  }
  const std::optional<double> number = ParseNumber(bare);
  return number && std::isfinite(*number) ? number : std::nullopt;
}

std::string NormalForm(std::string_view label) {
  std::string folded = Folded(label);
  const std::optional<double> number = ParseNumber(folded);
  // Beyond 2^53, different integers may be the same double.
  constexpr double kExact = int64_t{1} << 53;
  if (number && std::abs(*number) < kExact) return fmt::format("{}", *number == 0 ? 0.0 : *number);
  return folded;
}

std::vector<std::string> SortedNames(std::vector<std::string> names) {
  std::ranges::sort(names);
  if (std::ranges::all_of(names, [](const std::string& name) { return ParseInteger(name).has_value(); })) {
    std::ranges::stable_sort(names, {}, [](const std::string& name) { return *ParseInteger(name); });
  }
  return names;
}

std::string SimilarClass(const std::string& name, std::span<const std::string> classes) {
  const std::string form = NormalForm(AsUtf8(name));
  const auto found =
      std::ranges::find_if(classes, [&](const std::string& other) { return NormalForm(AsUtf8(other)) == form; });
  if (found == classes.end()) return "";
  return fmt::format(", which has {}{}", Quoted(*found),
                     *found != name && AsUtf8(*found) == AsUtf8(name) ? " in another encoding" : "");
}

std::vector<std::vector<size_t>> SpelledAlike(std::span<const std::string> names) {
  std::unordered_map<std::string, size_t> group_of;
  std::vector<std::vector<size_t>> groups;
  for (size_t i = 0; i < names.size(); ++i) {
    const auto [found, is_new] = group_of.try_emplace(NormalForm(names[i]), groups.size());
    if (is_new) groups.emplace_back();
    groups[found->second].push_back(i);
  }
  std::erase_if(groups, [](const std::vector<size_t>& group) { return group.size() < 2; });
  return groups;
}

bool LooksMissing(std::string_view label) {
  constexpr std::array<std::string_view, 10> kMissing = {"na",   "n/a", "n.a.", "#n/a", "nan",
                                                         "null", "nil", "?",    "-",    "missing"};
  const std::string folded = Folded(label);
  return folded.empty() || std::ranges::find(kMissing, folded) != kMissing.end();
}

std::optional<std::string> WhyMeasured(std::span<const std::string> names, std::span<const int64_t> counts) {
  const NumberStatistics numbers = Measure(names, counts);
  return IsMeasured(numbers) ? std::optional(numbers.InWords()) : std::nullopt;
}

std::optional<std::string> WhyPerhapsMeasured(std::span<const std::string> names, std::span<const int64_t> counts) {
  const NumberStatistics numbers = Measure(names, counts);
  if (!numbers.mostly_numbers || numbers.distinct <= kSomeNumbers || IsMeasured(numbers)) return std::nullopt;
  if (!numbers.has_fractions && !numbers.HasGaps()) return std::nullopt;
  return numbers.InWords();
}

}  // namespace twofour::train
