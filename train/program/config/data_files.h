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

/// All files of the data, in the order of the fields. Empty for glyphs.
std::vector<DataPath> DataPaths(const proto::Data& data);

/// The files named in a config that the run, or a resume of it, reads: those of the data, and the initial weights.
std::vector<std::string> FilesNeededBy(const proto::Config& config);

/// Computes the checksums of data files. Reads each file only once, even if it is asked for many times and under
/// several names, as in a sweep. Assumes that files do not change in the meantime.
class DataFingerprints {
 public:
  /// Throws Error on a file that cannot be read.
  std::vector<DataFile> Of(const proto::Data& data);

 private:
  std::map<std::string, FileChecksum> known_;  // Keys are paths with links resolved.
};

}  // namespace twofour::train
