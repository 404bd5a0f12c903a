#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "twofour/core/faults.h"
#include "twofour/train/data/dataset.h"

namespace twofour::train {

/// Where the images and labels are. Files may be gzip'd or not; their contents decide, not their names.
struct IdxOptions {
  std::string images;
  std::string labels;
  /// A second pair to evaluate on. Without it, a random part of the first pair is held out.
  std::string eval_images;
  std::string eval_labels;
  double eval_fraction = 0.2;  ///< The part that is held out.
  uint64_t split_seed = 1;
  int64_t num_classes = 0;  ///< 2 to 256; 0 means the largest label plus one.
};

/// Rules: there are images and labels; eval_images and eval_labels are given together or not at all; eval_fraction is
/// between 0 and 1, both excluded; num_classes is within its bounds.
void Check(const IdxOptions& options, const FieldPath& at, Faults& faults);

/// An array of unsigned bytes.
struct IdxArray {
  std::vector<int64_t> dims;   ///< Outermost first.
  std::vector<uint8_t> bytes;  ///< Row-major, as many as the product of dims.
};

/// Reads the format of MNIST's files (yann.lecun.com/exdb/mnist): two zero bytes, the element type, the number of
/// dimensions, each dimension as a big-endian 32-bit number, then the elements. gzip'd bytes are decompressed first.
/// `source` names the file in messages. Throws Error, naming the byte, on anything else, on elements other than
/// unsigned bytes (type 0x08), on a size of zero or above 1 GiB, and when more or fewer bytes follow than announced.
IdxArray ParseIdx(std::span<const std::byte> bytes, const std::string& source);

/// The images of a file in this format, gzip'd or not, as inputs: f32 [images, features]. Throws Error, naming the
/// byte, as ParseIdx does, and on images of another shape than `shape`. If either shape is a single number, only the
/// numbers of pixels must agree.
Tensor ReadImages(std::span<const std::byte> bytes, const Shape& shape, const std::string& source);

/// Loads images and labels as samples of a model that was made with images of this shape (see ReadImages) and
/// `num_classes` classes. Throws Error on files that do not fit it or each other.
std::shared_ptr<const Dataset> LoadIdxSamples(const std::string& images, const std::string& labels, const Shape& shape,
                                              int64_t num_classes);

/// Loads MNIST or a set in its format: images u8 [samples, ...] and labels u8 [samples]. Pixels become floats in
/// [0, 1], each image one row. Throws Error on files that ParseIdx refuses or that do not fit together, when all labels
/// of the first pair are the same, and when evaluation has no class in common with training. Adds notes on what is odd
/// but possible: see NoteClasses.
DataSplit LoadIdx(const IdxOptions& options);

}  // namespace twofour::train
