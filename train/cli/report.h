#pragma once

#include <iosfwd>
#include <optional>

#include "twofour/train/report/report.h"

namespace twofour::train {

/// Parses the arguments of `trainer report`, of which the first is "report". Nothing when help was printed to `out`.
/// Throws Error on an unknown or malformed argument.
std::optional<ReportOptions> ParseReportCommandLine(int argc, const char* const* argv, std::ostream& out);

/// Writes the report and tells on `out` where it is; notes of what was skipped go to `err`. Returns the exit code.
int RunReport(const ReportOptions& options, std::ostream& out, std::ostream& err);

}  // namespace twofour::train
