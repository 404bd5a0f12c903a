#include "twofour/train/data/path_pattern.h"

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <new>
#include <system_error>

#include "twofour/core/error.h"

namespace twofour::train {

std::vector<std::string> FilesOf(const std::string& path) {
  std::error_code ignored;
  if (path.find_first_of("*?[") == std::string::npos || std::filesystem::exists(path, ignored)) return {path};
  glob_t found{};
  const int status = glob(path.c_str(), GLOB_NOSORT, nullptr, &found);
  const std::unique_ptr<glob_t, void (*)(glob_t*)> owner(&found, globfree);
  if (status == GLOB_NOSPACE) throw std::bad_alloc();
  if (status != 0 || found.gl_pathc == 0) throw Error(fmt::format("{}: no file matches", path));
  std::vector<std::string> files(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  std::ranges::sort(files);  // glob's own order depends on the language of the user.
  return files;
}

}  // namespace twofour::train
