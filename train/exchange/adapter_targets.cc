#include "twofour/train/exchange/adapter_targets.h"

#include <fmt/format.h>

#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/quote_for_message.h"
#include "twofour/train/data/text.h"
#include "twofour/train/exchange/config_fields.h"

namespace twofour::train {
namespace {

/// The strings of a field that is a list of them, or one; none if it is missing.
std::vector<std::string> StringsOf(const JsonValue& config, const char* name, const std::string& source) {
  constexpr size_t kLongest = 1024;  // Far above the names of linears.
  const auto value = config.Find(name);
  if (!value || value->is_null()) return {};
  std::vector<std::string> strings;
  for (const JsonValue& element : value->is_array() ? value->elements() : std::vector{*value}) {
    if (!element.is_string() || element.string().size() > kLongest) {
      throw Error(fmt::format("{}: {}: {}, expected names of at most {} bytes", source, name,
                              element.ToText().substr(0, 80), kLongest));
    }
    strings.push_back(element.string());
  }
  return strings;
}

bool IsString(const JsonValue& config, const char* name) {
  const auto value = config.Find(name);
  return value && value->is_string();
}

/// What is left of `name` behind its first dot; nothing where it has none.
std::optional<std::string_view> BehindDot(std::string_view name) {
  const size_t dot = name.find('.');
  return dot == std::string_view::npos ? std::nullopt : std::optional(name.substr(dot + 1));
}

/// The entries that stand for this linear. Looks for each end of its name, because there may be many entries.
template <typename Entries>
std::vector<std::string_view> EntriesFor(std::string_view linear, const Entries& entries) {
  std::vector<std::string_view> found;
  for (std::optional end(linear); end; end = BehindDot(*end)) {
    if (entries.contains(*end)) found.push_back(*end);
  }
  return found;
}

/// Whether a number behind the names `before` is that of a layer.
bool IsLayerList(std::string_view before, const std::string& list) {
  if (list.empty()) return before.find('.') != std::string_view::npos;
  return before == list || before.ends_with("." + list);
}

}  // namespace

AdapterTargets AdapterTargets::Parse(const JsonValue& config, const std::string& source) {
  AdapterTargets targets;
  const auto modules = config.Find("target_modules");
  targets.known_ = modules && modules->is_array() && !IsString(config, "exclude_modules");
  for (std::string& name : StringsOf(config, "target_modules", source)) targets.modules_.insert(std::move(name));
  for (std::string& name : StringsOf(config, "exclude_modules", source)) targets.excluded_.insert(std::move(name));
  for (const int64_t layer : ConfigFields(config, source).Integers("layers_to_transform")) {
    targets.layers_.insert(layer);
  }
  targets.layer_lists_ = StringsOf(config, "layers_pattern", source);
  constexpr size_t kMostLists = 16;  // Models have one or two; each is looked for in each name.
  if (targets.layer_lists_.size() > kMostLists) {
    throw Error(fmt::format("{}: layers_pattern: {} names, expected at most {}", source, targets.layer_lists_.size(),
                            kMostLists));
  }
  return targets;
}

/// The number of the layer that a linear lies in: the first number among its names that has one of the lists before
/// it, or any two names, and a name behind it.
std::optional<int64_t> AdapterTargets::LayerOf(std::string_view linear) const {
  for (const std::string& list : layer_lists_.empty() ? std::vector<std::string>{""} : layer_lists_) {
    for (size_t dot = linear.find('.'); dot != std::string_view::npos;) {
      const size_t next = linear.find('.', dot + 1);
      if (next == std::string_view::npos) break;
      const auto layer = ParseInteger(linear.substr(dot + 1, next - dot - 1));
      if (layer && *layer >= 0 && IsLayerList(linear.substr(0, dot), list)) return layer;
      dot = next;
    }
  }
  return std::nullopt;
}

bool AdapterTargets::Names(std::string_view linear) const {
  if (!EntriesFor(linear, excluded_).empty()) return false;
  if (modules_.contains(linear)) return true;
  if (EntriesFor(linear, modules_).empty()) return false;
  if (layers_.empty()) return true;
  const std::optional<int64_t> layer = LayerOf(linear);
  return layer && layers_.contains(*layer);
}

void AdapterTargets::Require(const std::set<std::string>& adapter, const std::set<std::string>& model,
                             const std::string& source) const {
  if (!known_) return;
  for (const std::string& linear : adapter) {
    if (Names(linear)) continue;
    throw Error(fmt::format("{}: has factors for {}, which its config does not name in target_modules", source,
                            QuoteForMessage(linear)));
  }
  Entries unused = modules_;
  for (const std::string& linear : model) {
    for (const std::string_view entry : EntriesFor(linear, modules_)) {
      if (const auto found = unused.find(entry); found != unused.end()) unused.erase(found);
    }
    if (adapter.contains(linear) || !Names(linear)) continue;
    throw Error(fmt::format("{}: has no factors for {}, which its config names in target_modules", source,
                            QuoteForMessage(linear)));
  }
  if (unused.empty()) return;
  throw Error(fmt::format("{}: its config names {} in target_modules, but the model has no such linear", source,
                          QuoteForMessage(*unused.begin())));
}

}  // namespace twofour::train
