#include "twofour/train/data/idx.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "twofour/core/error.h"
#include "twofour/core/io/file_format.h"
#include "twofour/core/io/file_system.h"
#include "twofour/core/parallel.h"
#include "twofour/train/data/class_notes.h"
#include "twofour/train/data/gzip.h"
#include "twofour/train/data/label_text.h"
#include "twofour/train/data/shuffle.h"
#include "twofour/train/data/split.h"

namespace twofour::train {
namespace {

constexpr uint64_t kMaxElements = uint64_t{1} << 30;  // 4 GiB as floats.
constexpr size_t kMaxRank = 8;
constexpr size_t kMaxHeaderBytes = 4 + 4 * kMaxRank;
constexpr unsigned kUnsignedByte = 0x08;
constexpr int64_t kMaxClasses = 256;  // Labels are bytes.

struct Header {
  std::vector<int64_t> dims;
  uint64_t bytes = 0;     // Size of the header itself.
  uint64_t elements = 0;  // As the header announces.
};

/// Reads the header at the start of `data`, which may end within it or go on after it.
Header ParseHeader(std::span<const std::byte> data, const std::string& where) {
  const auto byte = [&](size_t i) { return std::to_integer<unsigned>(data[i]); };
  if (data.size() < 4) {
    throw Error(fmt::format("{}: {} bytes, too short for an IDX header", where, data.size()));
  }
  if (byte(0) != 0 || byte(1) != 0) {
    if (const std::string_view format = WellKnownFormat(data); !format.empty()) {
      throw Error(fmt::format("{}: {}, expected an IDX file, gzip'd or not", where, format));
    }
    throw Error(fmt::format("{}: byte 0: not an IDX file: it begins with {:#04x} {:#04x}, expected two zero bytes",
                            where, byte(0), byte(1)));
  }
  if (byte(2) != kUnsignedByte) {
    throw Error(fmt::format("{}: byte 2: element type {:#04x}, expected 0x08 (unsigned bytes)", where, byte(2)));
  }
  const size_t rank = byte(3);
  if (rank < 1 || rank > kMaxRank) {
    throw Error(fmt::format("{}: byte 3: {} dimensions, expected 1 to {}", where, rank, kMaxRank));
  }
  Header header;
  header.bytes = 4 + 4 * rank;
  if (data.size() < header.bytes) {
    throw Error(fmt::format("{}: byte {}: the file ends within the header, which takes {} bytes for {} dimensions",
                            where, data.size(), header.bytes, rank));
  }
  header.elements = 1;
  for (size_t at = 4; at < header.bytes; at += 4) {
    const uint64_t size = uint64_t{byte(at)} << 24 | byte(at + 1) << 16 | byte(at + 2) << 8 | byte(at + 3);
    if (size == 0) throw Error(fmt::format("{}: byte {}: a dimension is 0", where, at));
    if (size > kMaxElements / header.elements) {
      throw Error(
          fmt::format("{}: byte {}: a dimension of {} makes more than {} elements", where, at, size, kMaxElements));
    }
    header.elements *= size;
    header.dims.push_back(static_cast<int64_t>(size));
  }
  return header;
}

/// `data` is the whole file, or enough of it to show that it is too long.
IdxArray TakeElements(const Header& header, std::span<const std::byte> data, const char* at_least,
                      const std::string& where) {
  const uint64_t held = data.size() - header.bytes;
  if (held != header.elements) {
    throw Error(fmt::format("{}: the header announces {} elements ({}) and {}{} bytes follow it (from byte {})", where,
                            header.elements, fmt::join(header.dims, " x "), at_least, held, header.bytes));
  }
  const auto* first = reinterpret_cast<const uint8_t*>(data.data());
  return {header.dims, {first + header.bytes, first + data.size()}};
}

/// One file's images and the labels that go with them.
struct LabelledImages {
  IdxArray images;
  IdxArray labels;

  int64_t size() const { return images.dims[0]; }
  int64_t features() const { return static_cast<int64_t>(images.bytes.size()) / size(); }
  int64_t max_label() const { return *std::max_element(labels.bytes.begin(), labels.bytes.end()); }
};

IdxArray ReadIdx(const std::string& path) {
  return ParseIdx(FileSystem::Default().ReadFile(path, kMaxElements + kMaxHeaderBytes), path);
}

LabelledImages ReadPair(const std::string& images, const std::string& labels) {
  LabelledImages pair{ReadIdx(images), ReadIdx(labels)};
  if (pair.images.dims.size() < 2) {
    throw Error(
        fmt::format("{}: byte 3: 1 dimension, expected at least 2 for images (is this the file of labels?)", images));
  }
  if (pair.labels.dims.size() != 1) {
    throw Error(fmt::format("{}: byte 3: {} dimensions, expected 1 for labels (is this the file of images?)", labels,
                            pair.labels.dims.size()));
  }
  if (pair.images.dims[0] != pair.labels.dims[0]) {
    throw Error(
        fmt::format("{}: byte 4: {} labels for {} images in {}", labels, pair.labels.dims[0], pair.size(), images));
  }
  return pair;
}

void CheckLabels(const IdxArray& labels, int64_t num_classes, const std::string& path) {
  const auto wrong =
      std::find_if(labels.bytes.begin(), labels.bytes.end(), [&](uint8_t label) { return label >= num_classes; });
  if (wrong == labels.bytes.end()) return;
  constexpr int64_t kLabelsBegin = 8;
  throw Error(fmt::format("{}: byte {}: label {}, expected 0 to {} (num_classes is {})", path,
                          kLabelsBegin + (wrong - labels.bytes.begin()), *wrong, num_classes - 1, num_classes));
}

/// The shape of one image. Channels are left out where there is one.
Shape ShapeOfImages(const IdxArray& images) {
  Shape shape(images.dims.begin() + 1, images.dims.end());
  while (shape.size() > 2 && shape.back() == 1) shape.pop_back();
  return shape;
}

void RequireShape(const IdxArray& images, const Shape& shape, const std::string& path) {
  const Shape own = ShapeOfImages(images);
  const bool fits =
      own.size() > 1 && shape.size() > 1 ? own == shape : !own.empty() && NumElements(own) == NumElements(shape);
  if (fits) return;
  throw Error(fmt::format("{}: byte 4: an array of {}, expected images of {} pixels, which the model was made with",
                          path, fmt::join(images.dims, " x "), fmt::join(shape, " x ")));
}

float AsInput(uint8_t pixel) { return static_cast<float>(pixel) / 255.0F; }

/// The images at `indices` as rows of floats.
std::shared_ptr<const Dataset> MakeDataset(const LabelledImages& pair, std::span<const int64_t> indices,
                                           int64_t num_classes) {
  const auto count = static_cast<int64_t>(indices.size());
  const int64_t cols = pair.features();
  Tensor inputs = Tensor::Empty({count, cols});
  Tensor labels = Tensor::Empty({count}, DType::kI32);
  float* pixel = inputs.mutable_data<float>();
  int32_t* label = labels.mutable_data<int32_t>();
  ParallelFor(count, RowGrain(cols), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const uint8_t* source = pair.images.bytes.data() + indices[i] * cols;
      std::transform(source, source + cols, pixel + i * cols, AsInput);
      label[i] = pair.labels.bytes[indices[i]];
    }
  });
  return std::make_shared<InMemoryDataset>(inputs, labels, num_classes);
}

void RequireTwoClasses(const IdxArray& labels, const std::string& path) {
  const uint8_t first = labels.bytes[0];
  if (std::ranges::any_of(labels.bytes, [first](uint8_t label) { return label != first; })) return;
  throw Error(fmt::format("{}: every label is {}, expected at least 2 classes", path, first));
}

void NoteLabels(const IdxArray& labels, const std::string& path, DataSplit& split) {
  std::vector<int64_t> counts(split.class_names.size());
  for (const uint8_t label : labels.bytes) ++counts[label];
  if (const auto found = WhyMeasured(split.class_names, counts)) {
    split.notes.push_back(
        fmt::format("{}: {}: is this a measured quantity? Each is a class of its own here", path, *found));
  }
  NoteClasses(split);
}

/// Adds a note if images seem to have their channels first. They would make samples, but no sense as images.
void NoteChannelsFirst(const Shape& shape, const std::string& path, std::vector<std::string>& notes) {
  constexpr int64_t kMostChannels = 4;
  if (shape.size() != 3 || shape[0] > kMostChannels || shape[2] <= kMostChannels) return;
  notes.push_back(
      fmt::format("{}: images of {} x {} pixels with {} channels: are the channels first? They are taken for "
                  "[samples, rows, cols, channels]",
                  path, shape[0], shape[1], shape[2]));
}

}  // namespace

IdxArray ParseIdx(std::span<const std::byte> bytes, const std::string& source) {
  if (!IsGzip(bytes)) return TakeElements(ParseHeader(bytes, source), bytes, "", source);
  const std::string where = source + " (decompressed)";
  GzipReader reader(bytes, source);
  std::vector<std::byte> data;
  reader.ReadUpTo(kMaxHeaderBytes, data);
  const Header header = ParseHeader(data, where);
  const uint64_t expected = header.bytes + header.elements;
  reader.ReadUpTo(expected + 1, data);
  return TakeElements(header, data, data.size() > expected ? "at least " : "", where);
}

void Check(const IdxOptions& options, const FieldPath& at, Faults& faults) {
  faults.NotEmpty(at("images"), options.images);
  faults.NotEmpty(at("labels"), options.labels);
  const bool no_images = options.eval_images.empty(), no_labels = options.eval_labels.empty();
  if (no_images != no_labels) {
    const char* const missing = no_images ? "eval_images" : "eval_labels";
    const char* const given = no_images ? "eval_labels" : "eval_images";
    faults.Missing(at(missing), fmt::format("a file's path beside {}", given),
                   fmt::format("{} is set without {}", given, missing));
  }
  faults.OpenFraction(at("eval_fraction"), options.eval_fraction);
  faults.Expect(options.num_classes == 0 || (options.num_classes >= 2 && options.num_classes <= kMaxClasses),
                at("num_classes"), options.num_classes, fmt::format("0 or 2 to {}", kMaxClasses),
                fmt::format("num_classes: got {}, expected 2 to {}, or 0 for the largest label plus one",
                            options.num_classes, kMaxClasses));
}

Tensor ReadImages(std::span<const std::byte> bytes, const Shape& shape, const std::string& source) {
  const IdxArray images = ParseIdx(bytes, source);
  RequireShape(images, shape, source);
  Tensor inputs = Tensor::Empty({images.dims[0], NumElements(shape)});
  std::ranges::transform(images.bytes, inputs.mutable_data<float>(), AsInput);
  return inputs;
}

std::shared_ptr<const Dataset> LoadIdxSamples(const std::string& images, const std::string& labels, const Shape& shape,
                                              int64_t num_classes) {
  const LabelledImages pair = ReadPair(images, labels);
  RequireShape(pair.images, shape, images);
  CheckLabels(pair.labels, num_classes, labels);
  return MakeDataset(pair, AllIndices(pair.size()), num_classes);
}

DataSplit LoadIdx(const IdxOptions& options) {
  Checked(options, "idx: ", ": got ");
  const LabelledImages pair = ReadPair(options.images, options.labels);
  const bool has_eval = !options.eval_images.empty();
  LabelledImages eval_pair;
  if (has_eval) {
    eval_pair = ReadPair(options.eval_images, options.eval_labels);
    if (!std::equal(pair.images.dims.begin() + 1, pair.images.dims.end(), eval_pair.images.dims.begin() + 1,
                    eval_pair.images.dims.end())) {
      throw Error(fmt::format("{}: images are {}, those of {} are {} (count first)", options.eval_images,
                              fmt::join(eval_pair.images.dims, " x "), options.images,
                              fmt::join(pair.images.dims, " x ")));
    }
  }
  int64_t num_classes = options.num_classes;
  if (num_classes == 0) {
    num_classes = std::max<int64_t>(std::max(pair.max_label(), has_eval ? eval_pair.max_label() : 0) + 1, 2);
  }
  RequireTwoClasses(pair.labels, options.labels);
  CheckLabels(pair.labels, num_classes, options.labels);
  if (has_eval) CheckLabels(eval_pair.labels, num_classes, options.eval_labels);

  DataSplit split;
  if (has_eval) {
    split.train = MakeDataset(pair, AllIndices(pair.size()), num_classes);
    split.eval = MakeDataset(eval_pair, AllIndices(eval_pair.size()), num_classes);
  } else {
    const SplitIndices parts = SplitByFraction(pair.size(), options.eval_fraction, options.split_seed);
    split.train = MakeDataset(pair, parts.train, num_classes);
    split.eval = MakeDataset(pair, parts.eval, num_classes);
  }
  split.sample_shape = ShapeOfImages(pair.images);
  split.inputs = "float32(pixel) / 255, row by row";
  split.description =
      fmt::format("idx {}: {} training and {} evaluation samples of {} pixels, {} classes", options.images,
                  split.train->size(), split.eval->size(), fmt::join(split.sample_shape, "x"), num_classes);
  for (int64_t i = 0; i < num_classes; ++i) split.class_names.push_back(fmt::to_string(i));
  RequireCommonClass(split, options.labels);
  NoteChannelsFirst(split.sample_shape, options.images, split.notes);
  NoteLabels(pair.labels, options.labels, split);
  return split;
}

}  // namespace twofour::train
