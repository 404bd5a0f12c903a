#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/io/json.h"

namespace twofour::train {

/// Which linears of a model have an adapter, as its config says it. These are PEFT's rules (0.21,
/// check_target_module_exists): an entry of `target_modules` or `exclude_modules` stands for the linear of that name
/// and for those whose names end with a dot and the entry; `layers_to_transform` leaves of the latter those within
/// certain layers.
class AdapterTargets {
 public:
  /// Targets of which nothing is known: Require then allows any.
  AdapterTargets() = default;

  /// Reads the four fields of a config, which need not be trustworthy. Throws Error, beginning with `source`, on other
  /// types. Nothing is known without `target_modules`, and where one of the first two is a string and no list: a
  /// regular expression, or "all-linear".
  static AdapterTargets Parse(const JsonValue& config, const std::string& source);

  /// Throws Error, beginning with `source`, if one of the linears of an `adapter` is not among the targets, if a target
  /// among those of the `model` has no adapter, and if an entry stands for no linear of the model. `adapter` and
  /// `model` are full names.
  void Require(const std::set<std::string>& adapter, const std::set<std::string>& model,
               const std::string& source) const;

 private:
  using Entries = std::set<std::string, std::less<>>;

  bool Names(std::string_view linear) const;
  std::optional<int64_t> LayerOf(std::string_view linear) const;

  bool known_ = false;
  Entries modules_, excluded_;
  std::set<int64_t> layers_;              // Empty: all.
  std::vector<std::string> layer_lists_;  // What stands before a layer's number: "h". Empty: anything.
};

}  // namespace twofour::train
