#include "twofour/train/program/cli/arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <ostream>
#include <type_traits>
#include <vector>

#include <CLI/CLI.hpp>

#include "twofour/train/program/cli/command_names.h"
#include "twofour/train/program/cli/output.h"
#include "twofour/train/program/config/suggest.h"

namespace twofour::train {
namespace {

constexpr const char* kBounds = "bounds";  // Names the validator of a number.

/// The type of a single value of an argument.
template <typename T>
struct Element {
  using Type = T;
};
template <typename T>
struct Element<std::optional<T>> {
  using Type = T;
};
template <typename T>
struct Element<std::vector<T>> {
  using Type = T;
};

}  // namespace

Error GoesWith(std::string_view option, std::string_view with) {
  return Error(fmt::format("{}: goes with {}", option, with));
}

void RequireGoesWith(const Argument& argument, bool makes_a_difference, std::string_view option,
                     std::string_view with) {
  if (argument.given() && !makes_a_difference) throw GoesWith(option, with);
}

Argument& Argument::Type(const std::string& name) {
  option_->type_name(name);
  // An empty name of a file or folder comes from a shell variable that was not set.
  if (name.starts_with("DIR") || name.starts_with("FILE")) {
    option_->check(CLI::Validator(
        [](const std::string& text) { return text.empty() ? "nothing, expected a name" : std::string(); }, ""));
  }
  return *this;
}

Argument& Argument::Required() {
  option_->required();
  return *this;
}

Argument& Argument::Range(int64_t low, int64_t high) {
  bounds_->low = low;
  bounds_->high = static_cast<uint64_t>(high);
  option_->get_validator(kBounds)->description(fmt::format("{} to {}", low, high));
  return *this;
}

Argument& Argument::Range(double low, double high) {
  bounds_->lowest = low;
  bounds_->highest = high;
  option_->get_validator(kBounds)->description(fmt::format("{:g} to {:g}", low, high));
  return *this;
}

Argument& Argument::NotNegative() {
  bounds_->low = 0;
  option_->get_validator(kBounds)->description("0 or more");
  return *this;
}

Argument& Argument::ShowDefault() {
  option_->capture_default_str();
  return *this;
}

Argument& Argument::Commas() {
  option_->delimiter(',');
  return *this;
}

Argument& Argument::Repeatable() {
  option_->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->allow_extra_args(false);
  return *this;
}

Argument& Argument::Excludes(const Argument& other) {
  option_->excludes(other.option_);
  return *this;
}

bool Argument::given() const { return option_->count() > 0; }

Arguments::Arguments(std::string_view command) {
  const auto found = std::ranges::find(kCommands, command, &CommandName::name);
  const bool named = found != kCommands.end();
  app_ = std::make_unique<CLI::App>(
      std::string(named ? found->description : "Trains models with 2:4 semi-structured sparsity."),
      named ? fmt::format("trainer {}", command) : "trainer");
}

Arguments::~Arguments() = default;

template <typename T>
Argument Arguments::Add(const std::string& name, T& value, const std::string& help) {
  CLI::Option* const option = app_->add_option(name, value, help);
  using Number = typename Element<T>::Type;
  if constexpr (!std::is_arithmetic_v<Number>) {
    return Argument(option);
  } else {
    auto bounds = std::make_shared<ArgumentBounds>();
    bounds->whole = std::is_integral_v<Number>;
    if constexpr (std::is_integral_v<Number>) {
      bounds->low = static_cast<int64_t>(std::numeric_limits<Number>::min());
      bounds->high = static_cast<uint64_t>(std::numeric_limits<Number>::max());
    }
    // CLI11's own conversions read "" as 0, 010 as 8, and a number that is too large as the largest one.
    CLI::Validator validator([bounds](std::string& text) { return FaultOf(text, *bounds); }, "", kBounds);
    option->check(validator);
    return Argument(option, std::move(bounds));
  }
}

template Argument Arguments::Add(const std::string&, std::string&, const std::string&);
template Argument Arguments::Add(const std::string&, std::vector<std::string>&, const std::string&);
template Argument Arguments::Add(const std::string&, std::vector<double>&, const std::string&);
template Argument Arguments::Add(const std::string&, std::vector<int64_t>&, const std::string&);
template Argument Arguments::Add(const std::string&, double&, const std::string&);
template Argument Arguments::Add(const std::string&, int64_t&, const std::string&);
template Argument Arguments::Add(const std::string&, uint64_t&, const std::string&);
template Argument Arguments::Add(const std::string&, std::optional<double>&, const std::string&);
template Argument Arguments::Add(const std::string&, std::optional<int>&, const std::string&);
template Argument Arguments::Add(const std::string&, std::optional<int64_t>&, const std::string&);
template Argument Arguments::Add(const std::string&, std::optional<uint64_t>&, const std::string&);

Argument Arguments::AddFlag(const std::string& name, bool& value, const std::string& help) {
  return Argument(app_->add_flag(name, value, help)->disable_flag_override());
}

void Arguments::SetVersion(const std::string& version) { app_->set_version_flag("--version", version); }

void Arguments::SetFooter(const std::string& footer) { app_->footer(footer); }

bool Arguments::Parse(int argc, const char* const* argv, int skip, std::ostream& out) {
  try {
    app_->parse(argc - skip, argv + skip);
    return true;
  } catch (const CLI::CallForHelp&) {
    out << app_->help();
    RequireWritten(out);
  } catch (const CLI::CallForVersion&) {
    out << app_->version() << "\n";
    RequireWritten(out);
  } catch (const CLI::ParseError& error) {
    // Unknown arguments come first: a missing argument may be one that was misspelt.
    std::vector<std::string> unknown = app_->remaining();
    std::erase(unknown, "--");
    if (!unknown.empty()) FailUnknown(unknown.front());
    throw Error(fmt::format("{} (see {} --help)", error.what(), app_->get_name()));
  }
  return false;
}

void Arguments::FailUnknown(const std::string& argument) const {
  const std::string& name = app_->get_name();
  const bool is_option = argument.size() > 1 && argument.starts_with('-');
  if (is_option) {
    std::vector<std::string> options;
    for (const CLI::Option* option : app_->get_options()) {
      for (const std::string& known : option->get_lnames()) options.push_back("--" + known);
    }
    const std::string given = argument.substr(0, argument.find('='));
    throw Error(fmt::format("{} is no option of {}{} (see {} --help)", given, name, DidYouMean(given, options), name));
  }
  // The user gave options before the command's name.
  if (std::ranges::find(kCommands, argument, &CommandName::name) != kCommands.end()) {
    throw Error(fmt::format("the command {0} must come first: trainer {0} ... (see trainer {0} --help)", argument));
  }
  throw Error(fmt::format("'{}' is no argument of {}, expected options alone (see {} --help)", argument, name, name));
}

}  // namespace twofour::train
