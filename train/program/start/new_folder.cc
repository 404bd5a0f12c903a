#include "twofour/train/program/start/new_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "twofour/core/error.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;

/// Whether `path` is `folder` or lies in it. Both must be free of links.
bool LiesIn(const fs::path& path, const fs::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
}

fs::path WithoutLinks(const fs::path& path) {
  std::error_code ignored;
  return fs::weakly_canonical(fs::absolute(path), ignored);
}

}  // namespace

void RequireOutside(const fs::path& folder, const std::vector<std::string>& needed) {
  for (const std::string& path : needed) {
    if (path.empty() || !LiesIn(WithoutLinks(path), WithoutLinks(folder))) continue;
    throw Error(
        fmt::format("{}: lies in {}, which the new run would take the place of; expected another folder, with --out",
                    path, folder.string()));
  }
}

void RequireApart(const fs::path& folder, const fs::path& source) {
  const fs::path ours = WithoutLinks(folder), theirs = WithoutLinks(source);
  if (!LiesIn(ours, theirs) && !LiesIn(theirs, ours)) return;
  throw Error(fmt::format("--out {}: {} the folder of the run {}; expected a folder apart from it", folder.string(),
                          ours == theirs         ? "is"
                          : LiesIn(ours, theirs) ? "lies in"
                                                 : "holds",
                          source.string()));
}

}  // namespace twofour::train
