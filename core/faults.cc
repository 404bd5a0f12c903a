#include "twofour/core/faults.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>

#include "twofour/core/note_fault.h"

namespace twofour {
namespace {

constexpr double kMostFloat = std::numeric_limits<float>::max();

/// Whether the field at `inner` is the field at `outer`, or lies inside it.
bool LiesIn(std::string_view inner, std::string_view outer) {
  if (!inner.starts_with(outer)) return false;
  return inner.size() == outer.size() || inner[outer.size()] == '.' || inner[outer.size()] == '[';
}

}  // namespace

std::string FieldPath::operator()(std::string_view field) const {
  const auto other = std::ranges::find(names_, field, &Names::value_type::first);
  const std::string_view name = other == names_.end() ? field : other->second;
  if (other != names_.end() && name.find('.') != std::string_view::npos) return std::string(name);
  if (name.empty() || prefix_.empty()) return prefix_ + std::string(name);
  return fmt::format("{}.{}", prefix_, name);
}

FieldPath FieldPath::In(std::string_view field, size_t index) const {
  return {fmt::format("{}[{}]", (*this)(field), index), names_};
}

std::string FaultValue::ToString() const {
  return std::visit([](const auto& value) { return fmt::format("{}", value); }, value_);
}

Faults Faults::OfConfig() {
  Faults faults("config: ", ": ");
  faults.of_config_ = true;
  return faults;
}

void Faults::Add(const std::string& path, std::string line) {
  const auto covers = [&path](const std::string& other) { return LiesIn(path, other); };
  if (std::ranges::any_of(faulty_, covers) || std::ranges::any_of(closed_, covers)) return;
  faulty_.push_back(path);
  // Code has one sentence for two fields that contradict each other.
  if (std::ranges::find(lines_, line) == lines_.end()) lines_.push_back(std::move(line));
}

bool Faults::IsSound(const std::string& path) const {
  return std::ranges::none_of(
      faulty_, [&path](const std::string& faulty) { return LiesIn(path, faulty) || LiesIn(faulty, path); });
}

void Faults::Expect(bool holds, const std::string& path, const FaultValue& value, const std::string& expected,
                    const std::string& in_code) {
  if (holds) return;
  const bool as_code = !of_config_ && !in_code.empty();
  Add(path,
      as_code ? owner_ + in_code : fmt::format("{}{}{}, expected {}", Where(path), is_, value.ToString(), expected));
}

void Faults::Missing(const std::string& path, const std::string& expected, const std::string& in_code) {
  Expect(false, path, "missing", expected, in_code);
}

void Faults::InRange(const std::string& path, int64_t value, int64_t low, int64_t high) {
  Expect(value >= low && value <= high, path, value, fmt::format("{} to {}", low, high));
}

void Faults::AtLeast(const std::string& path, double value, double low) {
  Expect(value >= low && std::isfinite(value), path, value, fmt::format("a finite number of at least {}", low));
}

void Faults::Positive(const std::string& path, double value) {
  Expect(value > 0 && std::isfinite(value), path, value, "a positive finite number");
}

void Faults::FloatAtLeast(const std::string& path, double value, double low) {
  AtLeast(path, value, low);
  Expect(value <= kMostFloat, path, value, fmt::format("at most {:.2g}, as a 32-bit float can hold", kMostFloat));
}

void Faults::PositiveFloat(const std::string& path, double value) {
  Positive(path, value);
  constexpr double kLeast = std::numeric_limits<float>::denorm_min();
  Expect(value >= kLeast && value <= kMostFloat, path, value,
         fmt::format("{:.2g} to {:.2g}, as a 32-bit float can hold", kLeast, kMostFloat));
}

void Faults::Between(const std::string& path, double value, double low, double high) {
  Expect(value >= low && value <= high, path, value, fmt::format("{} to {}", low, high));
}

void Faults::Finite(const std::string& path, double value) {
  Expect(std::isfinite(value), path, value, "a finite number");
}

void Faults::Probability(const std::string& path, double value) {
  Expect(value >= 0 && value < 1, path, value, "a number in [0, 1)");
}

void Faults::OpenFraction(const std::string& path, double value) {
  Expect(value > 0 && value < 1, path, value, of_config_ ? "a number in (0, 1)" : "a number between 0 and 1");
}

void Faults::NotEmpty(const std::string& path, const std::string& value) {
  if (value.empty()) Missing(path, "a file's path", path + ": expected the path of a file");
}

std::string Faults::Word(std::string_view name) const {
  std::string word(name);
  if (!of_config_) return word;
  std::ranges::transform(word, word.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return word;
}

void Faults::Throw() const { ThrowFaults(lines_); }

void Faults::ThrowFirst() const {
  if (!lines_.empty()) ThrowFaults({lines_.front()});
}

}  // namespace twofour
