#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace twofour {

// Bounds that many rules share. They are far above anything that fits into memory, and so low that a product of two of
// them fits into 63 bits.
inline constexpr int64_t kMaxFeatures = 1 << 20;
inline constexpr int64_t kMaxCount = int64_t{1} << 40;

/// Gives the fields of an options struct their full names for messages: with the prefix "optimizer.sgd", the field
/// "momentum" becomes "optimizer.sgd.momentum". A caller such as a config may know some fields by other names and can
/// pass these. They also hold for nested structs.
class FieldPath {
 public:
  /// Pairs of a field's name in code and its name for the caller. An empty second name stands for the struct that holds
  /// the field. A second name with a dot is a whole path, and gets no prefix.
  using Names = std::vector<std::pair<std::string, std::string>>;

  FieldPath() = default;
  FieldPath(std::string prefix, Names names = {}) : prefix_(std::move(prefix)), names_(std::move(names)) {}
  FieldPath(const char* prefix) : prefix_(prefix) {}

  std::string operator()(std::string_view field) const;
  /// The paths inside a field that is a struct, or inside element `index` of a field that is a list of structs.
  FieldPath In(std::string_view field) const { return {(*this)(field), names_}; }
  FieldPath In(std::string_view field, size_t index) const;

 private:
  std::string prefix_;
  Names names_;
};

/// A value that a message shows.
class FaultValue {
 public:
  FaultValue(bool value) : value_(value) {}
  FaultValue(int value) : value_(int64_t{value}) {}
  FaultValue(int64_t value) : value_(value) {}
  FaultValue(double value) : value_(value) {}
  FaultValue(std::string value) : value_(std::move(value)) {}
  FaultValue(std::string_view value) : value_(std::string(value)) {}
  FaultValue(const char* value) : value_(std::string(value)) {}

  std::string ToString() const;

 private:
  std::variant<bool, int64_t, double, std::string> value_;
};

/// Collects what is wrong with options, so that the user sees all of it at once, and each thing once. A field has one
/// fault at most, the first that is noted: rules about its own value stand before rules about its neighbours. A rule
/// that measures a field against another one asks whether the other one IsSound.
///
/// A rule is written once, in the Check function of its options struct:
///
///   void Check(const SgdOptions& options, const FieldPath& at, Faults& faults);
///
/// Constructors call it and throw. The program builds options from a config, and calls it with the config's paths. So
/// the same rule says "config: optimizer.sgd.momentum: 2, expected a number in [0, 1)" to the author of a config, and
/// "Sgd: momentum 2, expected a number in [0, 1)" to the author of code.
class Faults {
 public:
  /// For an object that is made in code. Each line begins with `owner` ("Sgd: "); `is` links a field to its value.
  explicit Faults(std::string owner, std::string is = " is ") : owner_(std::move(owner)), is_(std::move(is)) {}
  /// For a config. Its paths are those of --set: "config: training.steps: 0, expected 1 to 10".
  static Faults OfConfig();

  /// Notes a fault unless the rule holds. A rule about several fields may need another sentence for authors of code:
  /// then `in_code` replaces everything after the owner.
  void Expect(bool holds, const std::string& path, const FaultValue& value, const std::string& expected,
              const std::string& in_code = {});
  void Missing(const std::string& path, const std::string& expected, const std::string& in_code = {});
  void InRange(const std::string& path, int64_t value, int64_t low, int64_t high);
  /// The number must also be finite.
  void AtLeast(const std::string& path, double value, double low);
  /// The number must be finite and above 0.
  void Positive(const std::string& path, double value);
  /// The same for a number that is computed with as a 32-bit float: what the rule says must hold for the float, too.
  void FloatAtLeast(const std::string& path, double value, double low);
  void PositiveFloat(const std::string& path, double value);
  void Between(const std::string& path, double value, double low, double high);
  void Finite(const std::string& path, double value);
  /// A Probability is in [0, 1), an OpenFraction in (0, 1).
  void Probability(const std::string& path, double value);
  void OpenFraction(const std::string& path, double value);
  /// For a field that holds the path of a file.
  void NotEmpty(const std::string& path, const std::string& value);
  /// Notes a fault with a line that the caller has worded. It must begin with Where(path).
  void Add(const std::string& path, std::string line);
  /// How a line about the field begins.
  std::string Where(const std::string& path) const { return owner_ + path; }

  /// The name of an enum's value as the reader of the message knows it: "piecewise" in code, PIECEWISE in a config.
  std::string Word(std::string_view name) const;

  /// From now on, notes no faults of this field and of fields inside it, because the caller checks it.
  void Close(const std::string& path) { closed_.push_back(path); }
  /// Whether no fault of the field is noted, nor one of a field inside or around it. "min_lr: 0.1, expected 0 to lr,
  /// which is -1" would help nobody: what is wrong is lr.
  bool IsSound(const std::string& path) const;

  size_t count() const { return lines_.size(); }
  /// If there are faults, throws Error with one line for each.
  void Throw() const;
  /// The same with the first line alone: for a text whose parts are all wrong if it is mistyped.
  void ThrowFirst() const;

 private:
  std::string owner_, is_;
  bool of_config_ = false;
  std::vector<std::string> lines_;
  std::vector<std::string> faulty_, closed_;  // Paths.
};

/// What Check finds fault with in the options of an object that is made in code. `owner` and `is`: see Faults.
template <typename Options>
Faults FaultsOf(const Options& options, const char* owner, const char* is = " is ") {
  Faults faults(owner, is);
  Check(options, FieldPath(), faults);
  return faults;
}

/// Throws Error if there is any such fault.
template <typename Options>
const Options& Checked(const Options& options, const char* owner, const char* is = " is ") {
  FaultsOf(options, owner, is).Throw();
  return options;
}

}  // namespace twofour
