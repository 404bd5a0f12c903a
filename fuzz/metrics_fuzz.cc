#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "twofour/core/error.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/report/csv.h"
#include "twofour/train/program/report/page.h"

/// Any text must be the metrics of a run, with finite numbers, from which a report can be made, or give an Error.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace twofour::train;
  RunRecord run{.folder = "fuzz", .config = WithDefaults(ParseTextConfig("name: 'fuzz'", "config")), .finished = true};
  try {
    ReadMetrics(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz", run);
  } catch (const twofour::Error&) {
    return 0;
  }
  for (const Curve* curve : {&run.train_loss, &run.eval_loss, &run.units_per_s, &run.training_seconds}) {
    for (const auto& [step, value] : *curve) assert(step >= 0 && std::isfinite(value));
  }
  RunRecord other = run;
  other.config.set_name("other");
  const std::vector<RunGroup> groups = GroupRuns({run, run, other});
  const std::string page = ReportPage(groups, 0, "fuzz", {});
  assert(page.find("<script") == std::string::npos && page.ends_with("</html>\n"));
  assert(!RunsAsCsv(groups).empty());
  return 0;
}
