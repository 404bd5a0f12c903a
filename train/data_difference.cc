#include "twofour/train/data_difference.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>

#include "twofour/train/data/text.h"
#include "twofour/train/data/vocabulary.h"

namespace twofour::train {
namespace {

/// Collects the differences between two records.
class Comparison {
 public:
  Comparison(const DataRecord& then, const DataRecord& now) : then_(then), now_(now) {}

  std::vector<DataDifference> Run() {
    if (std::string_view(KindOf(then_)) != KindOf(now_) && then_.Tells() && now_.Tells()) {
      Meaning(fmt::format("it holds {}, held {}", KindOf(now_), KindOf(then_)));
      return std::move(found_);
    }
    CompareNames("class", then_.class_names, now_.class_names);
    CompareColumns();
    CompareVocabulary();
    CompareFiles();
    Count("training samples", then_.train_samples, now_.train_samples, false);
    Count("evaluation samples", then_.eval_samples, now_.eval_samples, false);
    Count("training tokens", then_.train_tokens, now_.train_tokens, false);
    Count("evaluation tokens", then_.eval_tokens, now_.eval_tokens, false);
    CompareScaling();
    return std::move(found_);
  }

 private:
  static const char* KindOf(const DataRecord& record) {
    return record.OfTokens() ? "tokens" : record.OfNumbers() ? "samples with numbers" : "samples with classes";
  }

  void Add(std::string_view text, bool of_meaning) {
    DataDifference& difference = found_.emplace_back();
    difference.text = text;
    difference.of_meaning = of_meaning;
  }
  void Meaning(std::string_view text) { Add(text, true); }

  void Count(const char* noun, const std::optional<int64_t>& then, const std::optional<int64_t>& now, bool of_meaning) {
    if (!then || !now || *then == *now) return;
    Add(fmt::format("{} {}, were {}", *now, noun, *then), of_meaning);
  }

  /// Whether the true name is unknown: an earlier twofour wrote U+FFFD for bytes that are not UTF-8.
  bool IsUnreadable(const std::string& name) const {
    return then_.version < DataRecord::kExactVersion && name.find("\xef\xbf\xbd") != std::string::npos;
  }

  /// Compares names in their order. Reports the first one that differs, is new or is gone, and the counts where they
  /// differ.
  void CompareNames(const std::string& noun, const std::vector<std::string>& then,
                    const std::vector<std::string>& now) {
    if (then.empty() || now.empty()) return;
    const auto same = [this](const std::string& before, const std::string& after) {
      return before == after || IsUnreadable(before);
    };
    const auto mismatch = std::mismatch(then.begin(), then.end(), now.begin(), now.end(), same);
    const auto at = static_cast<size_t>(mismatch.first - then.begin());
    if (at == then.size() && at == now.size()) return;
    const std::string plural = noun == "class" ? "classes" : noun == "category" ? "categories" : noun + "s";
    std::string text =
        then.size() == now.size() ? "" : fmt::format("{} {}, were {}; ", now.size(), plural, then.size());
    if (at == then.size()) {
      text += fmt::format("{} {} is new", noun, Quoted(now[at]));
    } else if (at == now.size()) {
      text += fmt::format("{} {} is gone", noun, Quoted(then[at]));
    } else {
      text += fmt::format("{} {} is {}, was {}", noun, at, Quoted(now[at]), Quoted(then[at]));
    }
    Meaning(text);
  }

  void CompareColumns() {
    const size_t before = found_.size();
    CompareNames("column", then_.feature_names, now_.feature_names);
    if (found_.size() > before) return;
    Count("features", then_.features, now_.features, true);
    if (found_.size() == before && then_.sample_shape.size() > 1 && now_.sample_shape.size() > 1 &&
        then_.sample_shape != now_.sample_shape) {
      Meaning(fmt::format("images are {}, were {}", fmt::join(now_.sample_shape, " x "),
                          fmt::join(then_.sample_shape, " x ")));
    }
    CompareTables();
    if (found_.size() > before) return;
    // Columns without names are told apart by their positions only.
    const bool named = !then_.feature_names.empty() && !now_.feature_names.empty();
    if (!named && then_.label_column && now_.label_column && *then_.label_column != *now_.label_column) {
      Meaning(fmt::format("the label is column {}, was column {}, so that the features are others", *now_.label_column,
                          *then_.label_column));
    }
  }

  /// Compares what is written of the columns of tables: how the cells become inputs, and which columns are targets.
  void CompareTables() {
    if (then_.columns.empty() && now_.columns.empty()) return;
    const TableSchema then = SchemaOf(then_), now = SchemaOf(now_);
    using Use = TableColumn::Use;
    if (!then.has_classes) CompareNames("target", then.TargetNames(), now.TargetNames());
    const std::vector<size_t> before = then.Places(Use::kInput), after = now.Places(Use::kInput);
    if (!now.has_names && (before != after || then.Places(Use::kTarget) != now.Places(Use::kTarget))) {
      return Meaning("the features and targets are other columns");
    }
    for (size_t j = 0; j < std::min(before.size(), after.size()); ++j) {
      const TableColumn &a = then.columns[before[j]], &b = now.columns[after[j]];
      const std::string name = now.has_names ? Quoted(b.name) : std::to_string(after[j]);
      CompareNames("category", a.categories, b.categories);
      if (a.fill == b.fill && a.missing_input == b.missing_input) continue;
      const auto fill = [](const TableColumn& column) {
        return column.fill ? fmt::format("{}", *column.fill) : std::string("nothing");
      };
      return Meaning(
          a.fill == b.fill
              ? fmt::format("column {} has {} input for missing values", name, b.missing_input ? "an" : "no")
              : fmt::format("{} takes the place of a missing value of column {}, was {}", fill(b), name, fill(a)));
    }
  }

  void CompareVocabulary() {
    Count("different tokens", then_.vocab_size, now_.vocab_size, true);
    if (!then_.OfTokens() || then_.vocabulary == now_.vocabulary) return;
    if (then_.vocabulary && now_.vocabulary) {
      const std::vector<std::string> then = Tokens(*then_.vocabulary), now = Tokens(*now_.vocabulary);
      CompareNames("token", then, now);
      if (then != now) return;
      Meaning("the vocabulary is another");
    } else if (then_.version >= DataRecord::kExactVersion || then_.vocabulary) {
      Meaning(now_.vocabulary ? "its tokens have a text, had none" : "its tokens have no text, had one");
    }
  }

  static std::vector<std::string> Tokens(const std::string& json) {
    const Vocabulary vocabulary = Vocabulary::FromJson(json, "vocabulary.json");
    std::vector<std::string> tokens;
    for (int32_t id = 0; id < vocabulary.size(); ++id) tokens.push_back(vocabulary.Decode({&id, 1}));
    return tokens;
  }

  void CompareFiles() {
    if (then_.version < DataRecord::kExactVersion || now_.version < DataRecord::kExactVersion) return;
    const auto find = [](const std::vector<DataFile>& files, const DataFile& wanted) {
      return std::ranges::find(files, wanted.field, &DataFile::field);
    };
    for (const DataFile& now : now_.files) {
      const auto then = find(then_.files, now);
      if (then == then_.files.end()) {
        Add(fmt::format("{}: {} was not among the files", now.field, now.path), false);
      } else if (then->checksum.bytes != now.checksum.bytes) {
        Add(fmt::format("{}: {} has {} bytes, had {}", now.field, now.path, now.checksum.bytes, then->checksum.bytes),
            false);
      } else if (then->checksum != now.checksum) {
        Add(fmt::format("{}: the contents of {} are others: CRC-32C {:08x}, was {:08x}", now.field, now.path,
                        now.checksum.crc32c, then->checksum.crc32c),
            false);
      }
    }
    for (const DataFile& then : then_.files) {
      if (find(now_.files, then) != now_.files.end()) continue;
      Add(fmt::format("{}: {} is no longer among the files", then.field, then.path), false);
    }
  }

  void CompareScaling() {
    if (!then_.Tells() || then_.OfTokens()) return;
    if (then_.feature_mean.empty() != now_.feature_mean.empty()) {
      return Meaning(now_.feature_mean.empty() ? "features are not scaled, were" : "features are scaled, were not");
    }
    CompareNumbers("mean", "feature", now_.feature_names, then_.feature_mean, now_.feature_mean);
    CompareNumbers("standard deviation", "feature", now_.feature_names, then_.feature_std, now_.feature_std);
    if (then_.target_mean.empty() != now_.target_mean.empty()) {
      return Meaning(now_.target_mean.empty() ? "targets are not scaled, were" : "targets are scaled, were not");
    }
    CompareNumbers("mean", "target", TargetNames(), then_.target_mean, now_.target_mean);
    CompareNumbers("standard deviation", "target", TargetNames(), then_.target_std, now_.target_std);
  }

  std::vector<std::string> TargetNames() const {
    return now_.columns.empty() ? std::vector<std::string>{} : SchemaOf(now_).TargetNames();
  }

  /// Compares a number of each feature or target. Where there are no names, they are counted from 0.
  void CompareNumbers(const char* noun, const char* of, const std::vector<std::string>& names,
                      const std::vector<double>& then, const std::vector<double>& now) {
    const bool as_floats = then_.version < DataRecord::kExactVersion || now_.version < DataRecord::kExactVersion;
    const auto equal = [as_floats](double a, double b) {
      return as_floats ? static_cast<float>(a) == static_cast<float>(b) : a == b;
    };
    if (then.size() != now.size()) return;  // Already reported: the number of features differs.
    for (size_t i = 0; i < then.size(); ++i) {
      if (equal(then[i], now[i])) continue;
      const std::string name = i < names.size() ? Quoted(names[i]) : std::to_string(i);
      return Meaning(fmt::format("the {} of {} {} is {}, was {}", noun, of, name, now[i], then[i]));
    }
  }

  const DataRecord& then_;
  const DataRecord& now_;
  std::vector<DataDifference> found_;
};

}  // namespace

std::vector<DataDifference> CompareData(const DataRecord& then, const DataRecord& now) {
  return Comparison(then, now).Run();
}

std::vector<DataDifference> OfMeaning(std::vector<DataDifference> differences) {
  std::erase_if(differences, [](const DataDifference& difference) { return !difference.of_meaning; });
  return differences;
}

std::string Describe(const std::vector<DataDifference>& differences) {
  constexpr size_t kMaxShown = 3;
  std::string text;
  for (size_t i = 0; i < std::min(differences.size(), kMaxShown); ++i) {
    text += (i == 0 ? "" : "; ") + differences[i].text;
  }
  if (differences.size() > kMaxShown) text += fmt::format("; and {} more", differences.size() - kMaxShown);
  return text;
}

}  // namespace twofour::train
