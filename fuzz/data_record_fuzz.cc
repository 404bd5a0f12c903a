#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "twofour/core/error.h"
#include "twofour/train/data_difference.h"
#include "twofour/train/data_record.h"

/// Any text must be a data.json that reads back the same when it is written, or give an Error. Text after a NUL byte is
/// a second data.json to compare with.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace twofour::train;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t end = text.find('\0');
  try {
    const DataRecord record = ParseDataRecord(text.substr(0, end), "fuzz");
    assert(record.feature_mean.size() == record.feature_std.size());
    for (const double deviation : record.feature_std) assert(std::isfinite(deviation) && deviation > 0);
    const DataRecord again = ParseDataRecord(ToJson(record), "written");
    assert(ToJson(again) == ToJson(record));
    assert(CompareData(record, again).empty());
    if (end == std::string_view::npos) return 0;
    const DataRecord other = ParseDataRecord(text.substr(end + 1), "fuzz");
    Describe(CompareData(other, record));
    Describe(OfMeaning(CompareData(record, other)));
  } catch (const twofour::Error&) {
  }
  return 0;
}
