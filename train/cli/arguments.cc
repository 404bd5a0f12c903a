#include "twofour/train/cli/arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <ostream>
#include <vector>

#include <CLI/CLI.hpp>

#include "twofour/core/error.h"
#include "twofour/train/cli/command_names.h"
#include "twofour/train/cli/output.h"
#include "twofour/train/config/suggest.h"

namespace twofour::train {

Argument& Argument::Type(const std::string& name) {
  option_->type_name(name);
  return *this;
}

Argument& Argument::Required() {
  option_->required();
  return *this;
}

Argument& Argument::Range(int64_t low, int64_t high) {
  option_->check(CLI::Range(low, high));
  return *this;
}

Argument& Argument::Range(double low, double high) {
  option_->check(CLI::Range(low, high));
  return *this;
}

Argument& Argument::NotNegative() {
  option_->check(CLI::NonNegativeNumber);
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

Arguments::Arguments(const std::string& description, const std::string& name)
    : app_(std::make_unique<CLI::App>(description, name)) {}

Arguments::~Arguments() = default;

template <typename T>
Argument Arguments::Add(const std::string& name, T& value, const std::string& help) {
  return Argument(app_->add_option(name, value, help));
}

template Argument Arguments::Add(const std::string&, std::string&, const std::string&);
template Argument Arguments::Add(const std::string&, std::vector<std::string>&, const std::string&);
template Argument Arguments::Add(const std::string&, std::vector<double>&, const std::string&);
template Argument Arguments::Add(const std::string&, double&, const std::string&);
template Argument Arguments::Add(const std::string&, int64_t&, const std::string&);
template Argument Arguments::Add(const std::string&, uint64_t&, const std::string&);
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
    // Said first: what is missing may be what was misspelt.
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
  // Options before a command's name.
  if (std::ranges::find(kCommandNames, argument) != kCommandNames.end()) {
    throw Error(fmt::format("the command {0} must come first: trainer {0} ... (see trainer {0} --help)", argument));
  }
  throw Error(fmt::format("'{}' is no argument of {}, expected options alone (see {} --help)", argument, name, name));
}

}  // namespace twofour::train
