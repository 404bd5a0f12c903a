#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/train/program/report/csv.h"
#include "twofour/train/program/report/page.h"
#include "twofour/train/program/report/pruning_record.h"

/// Any text must be a pruning.json, shrink.json or quantization.json, which can be shown on a page and in a table, or
/// give an Error of one line.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace twofour::train;
  try {
    RunRecord run{.folder = "run", .finished = true};
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto has = [&text](const char* field) { return text.find(field) != std::string::npos; };
    const auto parse = has("importance")    ? ParseShrinkRecord
                       : has("bytes_after") ? ParseQuantizationRecord
                                            : ParsePruningRecord;
    run.pruning = parse(text, "fuzz");
    const std::vector<RunGroup> groups = GroupRuns({run});
    const std::string page = ReportPage(groups, 0, "", {});
    assert(page.find("<script") == std::string::npos && page.ends_with("</html>\n"));
    assert(!RunsAsCsv(groups).empty());
  } catch (const twofour::Error& error) {
    assert(std::string(error.what()).find('\n') == std::string::npos);
  }
  return 0;
}
