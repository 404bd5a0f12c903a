#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "sweep.pb.h"

namespace twofour::train {

/// One way in which runs of a sweep differ from its base: an entry of each axis.
struct SweepVariant {
  std::string name;              ///< "cubic, lr=0.01"
  std::string folder;            ///< The name as a folder's: "cubic_lr=0.01"
  std::vector<std::string> set;  ///< Assignments as --set takes them, in order.
  std::vector<size_t> entries;   ///< Which entry of each axis.
};

/// The variants of a valid sweep in the order of its axes, the last one changing fastest.
class SweepVariants {
 public:
  /// A sweep without axes has one variant, of this name. Throws Error when two would share a name or a folder, or a
  /// name is too long for one.
  SweepVariants(const proto::Sweep& sweep, const std::string& source, const std::string& base_name);

  const std::vector<SweepVariant>& all() const { return all_; }
  std::vector<std::string> names() const;
  /// The index of the variant of this name. Throws Error with the nearest name when there is none; `where` begins it.
  size_t Find(const std::string& name, const std::string& where) const;
  /// The same for a name in an assignment of variant `from`, which may be that of an axis' entry instead: the variant
  /// that differs from `from` in this axis alone.
  size_t FindFrom(size_t from, const std::string& name, const std::string& where) const;

 private:
  struct Entry {
    std::string name;
    std::vector<std::string> set;
  };

  static std::vector<Entry> Entries(const proto::Sweep& sweep, const proto::Axis& axis);
  void Combine(const proto::Sweep& sweep, const std::string& base_name);
  void RequireDistinct(const std::string& source) const;

  std::vector<std::vector<Entry>> axes_;
  std::vector<SweepVariant> all_;
};

/// A name as that of a folder which no shell stumbles over: letters, digits and "._=+-"; anything else becomes '_'.
std::string SafeFolderName(const std::string& name);

}  // namespace twofour::train
