#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string>

#include "twofour/core/error.h"
#include "twofour/train/program/config/text_message.h"
#include "twofour/train/program/sweep/references.h"
#include "twofour/train/program/sweep/sweep_config.h"
#include "twofour/train/program/sweep/variants.h"

/// Any text must be a sweep or give an Error. The variants of a valid sweep can be told apart and can refer to one
/// another.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace twofour::train;
  try {
    proto::Sweep sweep;
    ParseTextMessage(std::string(reinterpret_cast<const char*>(data), size), "fuzz", sweep);
    if (!sweep.has_name()) sweep.set_name("fuzz");
    ValidateSweep(sweep, "fuzz");
    const SweepVariants variants(sweep, "fuzz", "base");
    for (size_t i = 0; i < variants.all().size(); ++i) {
      const SweepVariant& variant = variants.all()[i];
      assert(!variant.folder.empty() && variant.folder.find('/') == std::string::npos);
      assert(variants.Find(variant.name, "fuzz") == i);
      for (const std::string& assignment : variant.set) {
        ReplaceReferences(assignment, "fuzz", [&](const std::string& name) {
          return variants.all()[variants.FindFrom(i, name, "fuzz")].folder;
        });
      }
    }
  } catch (const twofour::Error&) {
  }
  return 0;
}
