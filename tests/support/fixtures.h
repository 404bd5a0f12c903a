#pragma once

#include <filesystem>
#include <string>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"

namespace twofour::test {

/// The file tests/fixtures/NAME.safetensors, which holds what PyTorch computed. See tests/fixtures/README.md.
class Fixture {
 public:
  explicit Fixture(const std::string& name)
      : file_(LoadSafetensors(FileSystem::Default(), std::filesystem::path(TWOFOUR_SOURCE_DIR) / "tests" / "fixtures" /
                                                         (name + ".safetensors"))) {}

  /// A copy of a tensor, so that tests may write to it. Throws Error if the file holds no such tensor.
  Tensor Get(const std::string& name) const {
    const Tensor* tensor = file_.Find(name);
    if (tensor == nullptr) throw Error("the fixture has no tensor " + name);
    return tensor->Clone();
  }
  /// A number of the metadata.
  double Number(const std::string& key) const { return std::stod(file_.metadata.at(key)); }
  /// A true or false of the metadata.
  bool Flag(const std::string& key) const { return file_.metadata.at(key) == "true"; }

 private:
  SafetensorsFile file_;
};

}  // namespace twofour::test
