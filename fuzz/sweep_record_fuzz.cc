#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string>

#include "twofour/core/error.h"
#include "twofour/train/program/report/csv.h"
#include "twofour/train/program/report/page.h"
#include "twofour/train/program/sweep/sweep_record.h"

/// Any text must be the record of a sweep or give an Error. A record stays within its folder, reads back as it was
/// written, and its runs can be shown on a page.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace twofour::train;
  try {
    const SweepRecord record = ParseSweepRecord(std::string(reinterpret_cast<const char*>(data), size), "fuzz");
    const std::string json = ToJson(record);
    assert(ToJson(ParseSweepRecord(json, "fuzz")) == json);
    const std::vector<proto::Config> configs = ConfigsOf(record);
    std::vector<RunRecord> runs;
    for (const RecordedRun& run : record.runs) {
      const std::filesystem::path inside = ("sweep" / run.folder).lexically_normal();
      assert(*inside.begin() == "sweep" && inside != "sweep");
      runs.push_back({.folder = inside, .config = configs[runs.size()], .outcome = run.outcome, .reason = run.reason});
    }
    if (runs.empty()) return 0;
    const std::vector<RunGroup> groups = GroupRuns(runs);
    const std::string page = ReportPage(groups, 0, record.name, {});
    assert(page.find("<script") == std::string::npos && page.ends_with("</html>\n"));
    assert(!RunsAsCsv(groups).empty());
  } catch (const twofour::Error&) {
  }
  return 0;
}
