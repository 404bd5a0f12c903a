#include "twofour/train/program/sweep/references.h"

#include <fmt/format.h>

#include <string_view>

#include "twofour/core/error.h"

namespace twofour::train {
namespace {

constexpr std::string_view kOpen = "{run:";

/// The position where the brace that was opened before `begin` is closed; npos if it is not.
size_t ClosingBrace(const std::string& text, size_t begin) {
  int open = 1;
  for (size_t i = begin; i < text.size(); ++i) {
    if (text[i] == '{') ++open;
    if (text[i] == '}' && --open == 0) return i;
  }
  return std::string::npos;
}

}  // namespace

std::string ReplaceReferences(const std::string& assignment, const std::string& where,
                              const std::function<std::string(const std::string& name)>& folder_of) {
  std::string replaced;
  size_t done = 0;
  for (;;) {
    const size_t open = assignment.find(kOpen, done);
    replaced += assignment.substr(done, open == std::string::npos ? open : open - done);
    if (open == std::string::npos) return replaced;
    const size_t begin = open + kOpen.size();
    const size_t end = ClosingBrace(assignment, begin);
    if (end == std::string::npos) {
      throw Error(fmt::format("{}: {}: expected a closing brace after {}", where, assignment, kOpen));
    }
    replaced += folder_of(assignment.substr(begin, end - begin));
    done = end + 1;
  }
}

}  // namespace twofour::train
