#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "sweep.pb.h"

namespace twofour::train {

/// One way in which runs of a sweep differ from its base: it has one entry of each axis.
struct SweepVariant {
  std::string name;              ///< "cubic, lr=0.01"
  std::string folder;            ///< The name made safe for a folder: "cubic_lr=0.01"
  std::vector<std::string> set;  ///< Assignments as --set takes them, in order.
  std::vector<size_t> entries;   ///< The index of its entry in each axis.
};

/// The variants of a valid sweep, in the order of its axes. The entry of the last axis changes fastest.
class SweepVariants {
 public:
  /// A sweep without axes has one variant, named `base_name`. Throws Error if two variants would share a name or a
  /// folder, or if a folder's name would be too long or is that of a file of the sweep.
  SweepVariants(const proto::Sweep& sweep, const std::string& source, const std::string& base_name);

  const std::vector<SweepVariant>& all() const { return all_; }
  std::vector<std::string> names() const;
  /// The index of the variant of this name. If there is none, throws Error, which begins with `where` and suggests the
  /// nearest name.
  size_t Find(const std::string& name, const std::string& where) const;
  /// The same for a name in an assignment of variant `from`. The name may also be that of an entry of an axis. It then
  /// means the variant that has this entry and differs from `from` in this axis alone.
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

/// Turns a name into a folder's name that needs no quotes in a shell. Letters, digits and "._=+-" stay, and anything
/// else becomes '_'.
std::string SafeFolderName(const std::string& name);

}  // namespace twofour::train
