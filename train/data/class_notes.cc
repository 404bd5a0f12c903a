#include "twofour/train/data/class_notes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <numeric>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/train/data/label_text.h"
#include "twofour/train/data/text.h"

namespace twofour::train {
namespace {

constexpr size_t kMostListed = 10, kMostAtAnEnd = 4, kMostNamed = 5;

/// A class's name in a list: in quotes, unless it is one short word.
std::string Shown(const std::string& name) {
  constexpr size_t kMostPlain = 20;
  const auto is_plain = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.'; };
  const bool plain = !name.empty() && name.size() <= kMostPlain && std::ranges::all_of(name, is_plain);
  return plain ? name : Quoted(name);
}

/// The classes of a split with their numbers of samples.
struct Classes {
  explicit Classes(const DataSplit& split)
      : names(split.class_names), train(split.train->ClassCounts()), eval(split.eval->ClassCounts()) {}

  int64_t Total(size_t i) const { return train[i] + eval[i]; }

  std::vector<size_t> Where(const std::function<bool(size_t)>& holds) const {
    std::vector<size_t> found;
    for (size_t i = 0; i < names.size(); ++i) {
      if (holds(i)) found.push_back(i);
    }
    return found;
  }

  /// "class "a"", "classes "a", "b" and 7 more"
  std::string Name(const std::vector<size_t>& which) const {
    std::vector<std::string> shown;
    for (size_t i = 0; i < std::min(which.size(), kMostNamed); ++i) shown.push_back(Quoted(names[which[i]]));
    std::string text = fmt::format("class{} {}", which.size() == 1 ? "" : "es", fmt::join(shown, ", "));
    if (which.size() > kMostNamed) text += fmt::format(" and {} more", which.size() - kMostNamed);
    return text;
  }

  std::string List(const std::vector<size_t>& which) const {
    std::vector<std::string> shown;
    for (const size_t i : which) shown.push_back(fmt::format("{} {}/{}", Shown(names[i]), train[i], eval[i]));
    return fmt::format("{}", fmt::join(shown, ", "));
  }

  const std::vector<std::string>& names;
  std::vector<int64_t> train, eval;
};

const char* Occur(const std::vector<size_t>& which) { return which.size() == 1 ? "occurs" : "occur"; }

void NoteSpelling(const Classes& classes, std::vector<std::string>& notes) {
  constexpr size_t kMostGroups = 3;
  const std::vector<std::vector<size_t>> groups = SpelledAlike(classes.names);
  for (size_t i = 0; i < std::min(groups.size(), kMostGroups); ++i) {
    std::vector<std::string> shown;
    for (size_t j = 0; j < std::min(groups[i].size(), kMostNamed); ++j) {
      shown.push_back(fmt::format("{} ({})", Quoted(classes.names[groups[i][j]]), classes.Total(groups[i][j])));
    }
    const size_t more = groups[i].size() - shown.size();
    notes.push_back(fmt::format("classes {}{} look like one class spelled in {} ways", fmt::join(shown, ", "),
                                more > 0 ? fmt::format(" and {} more", more) : "", groups[i].size()));
  }
  if (groups.size() > kMostGroups) {
    notes.push_back(fmt::format("{} more classes are spelled in several ways", groups.size() - kMostGroups));
  }
}

}  // namespace

std::string DescribeClassCounts(const DataSplit& split) {
  const Classes classes(split);
  std::vector<size_t> order(classes.names.size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (order.size() <= kMostListed) return classes.List(order);
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return classes.Total(a) < classes.Total(b); });
  const std::vector<size_t> rarest(order.begin(), order.begin() + kMostAtAnEnd);
  // Classes of equal size stay in the classes' own order here, too.
  std::ranges::stable_sort(order, [&](size_t a, size_t b) {
    return classes.Total(a) != classes.Total(b) ? classes.Total(a) > classes.Total(b) : a < b;
  });
  const std::vector<size_t> frequent(order.begin(), order.begin() + kMostAtAnEnd);
  return fmt::format("rarest {}; most frequent {}", classes.List(rarest), classes.List(frequent));
}

void NoteClasses(DataSplit& split) {
  const Classes classes(split);
  std::vector<std::string>& notes = split.notes;
  const auto unseen = classes.Where([&](size_t i) { return classes.train[i] == 0 && classes.eval[i] > 0; });
  if (!unseen.empty()) {
    const int64_t samples = std::accumulate(unseen.begin(), unseen.end(), int64_t{0},
                                            [&](int64_t sum, size_t i) { return sum + classes.eval[i]; });
    notes.push_back(fmt::format("{} {} in evaluation alone: {} of its {} samples can never be right",
                                classes.Name(unseen), Occur(unseen), samples, split.eval->size()));
  }
  const auto trained = classes.Where([&](size_t i) { return classes.train[i] > 0; });
  if (trained.size() == 1) notes.push_back(fmt::format("all samples to train on are of {}", classes.Name(trained)));
  const auto single = classes.Where([&](size_t i) { return classes.Total(i) == 1; });
  if (!single.empty()) {
    notes.push_back(fmt::format("{} {} once in all samples", classes.Name(single), Occur(single)));
  }
  const auto none = classes.Where([&](size_t i) { return classes.Total(i) == 0; });
  if (!none.empty()) {
    notes.push_back(fmt::format("{} {} in no sample", classes.Name(none), Occur(none)));
  }
  NoteSpelling(classes, notes);
  const auto missing = classes.Where([&](size_t i) { return classes.Total(i) > 0 && LooksMissing(classes.names[i]); });
  if (!missing.empty()) {
    notes.push_back(
        fmt::format("{} {} like a missing value", classes.Name(missing), missing.size() == 1 ? "looks" : "look"));
  }
}

void RequireCommonClass(const DataSplit& split, const std::string& source) {
  constexpr int64_t kFewSamples = 5;
  if (split.eval->size() < kFewSamples) return;
  const Classes classes(split);
  const auto common = classes.Where([&](size_t i) { return classes.train[i] > 0 && classes.eval[i] > 0; });
  if (!common.empty()) return;
  throw Error(
      fmt::format("{}: none of the {} evaluation samples is of a class that occurs among the {} to train on, of "
                  "{} classes in all; expected several samples of a class",
                  source, split.eval->size(), split.train->size(), classes.names.size()));
}

}  // namespace twofour::train
