#pragma once

#include <map>
#include <string>
#include <vector>

#include "twofour/train/data_record.h"

#include "config.pb.h"

namespace twofour::train {

/// A file that a config's data is read from.
struct DataPath {
  std::string field;  ///< "csv.eval_path"
  std::string path;
};

/// All of them, in the order of the fields; none for glyphs.
std::vector<DataPath> DataPaths(const proto::Data& data);

/// Reads each file once, however often and under whatever name it is asked for, as the many runs of a sweep do. Files
/// are taken to stay as they are meanwhile.
class DataFingerprints {
 public:
  /// Throws Error on a file that cannot be read.
  std::vector<DataFile> Of(const proto::Data& data);

 private:
  std::map<std::string, FileChecksum> known_;  // By the path without links.
};

}  // namespace twofour::train
