#include "twofour/train/parallel/gather_tensors.h"

#include <cstring>
#include <span>
#include <string>

namespace twofour::train {
namespace {

/// A description of tensors as bytes: for each its name, dtype and shape.
class Writer {
 public:
  void Put(int64_t number) {
    const auto bytes = std::as_bytes(std::span(&number, 1));
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  void Put(const std::string& text) {
    Put(static_cast<int64_t>(text.size()));
    const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  bool AtEnd() const { return bytes_.empty(); }
  int64_t Number() {
    int64_t number = 0;
    std::memcpy(&number, bytes_.data(), sizeof(number));
    bytes_ = bytes_.subspan(sizeof(number));
    return number;
  }
  std::string Text() {
    const auto size = static_cast<size_t>(Number());
    std::string text(reinterpret_cast<const char*>(bytes_.data()), size);
    bytes_ = bytes_.subspan(size);
    return text;
  }

 private:
  std::span<const std::byte> bytes_;
};

size_t BytesIn(const Tensor& tensor) { return static_cast<size_t>(tensor.numel()) * SizeOf(tensor.dtype()); }

std::vector<std::byte> Describe(const std::vector<NamedTensor>& tensors) {
  Writer writer;
  for (const auto& [name, tensor] : tensors) {
    writer.Put(name);
    writer.Put(static_cast<int64_t>(tensor.dtype()));
    writer.Put(tensor.rank());
    for (const int64_t size : tensor.shape()) writer.Put(size);
  }
  return writer.bytes();
}

std::vector<NamedTensor> MakeTensors(std::span<const std::byte> description) {
  std::vector<NamedTensor> tensors;
  for (Reader reader(description); !reader.AtEnd();) {
    std::string name = reader.Text();
    const auto dtype = static_cast<DType>(reader.Number());
    Shape shape(static_cast<size_t>(reader.Number()));
    for (int64_t& size : shape) size = reader.Number();
    tensors.push_back({std::move(name), Tensor::Empty(shape, dtype)});
  }
  return tensors;
}

}  // namespace

std::vector<std::vector<NamedTensor>> GatherTensors(comm::Communicator& ranks, const std::vector<NamedTensor>& mine) {
  const std::vector<std::vector<std::byte>> descriptions = ranks.Gather(0, Describe(mine));
  if (ranks.rank() != 0) {
    for (const auto& [name, tensor] : mine) ranks.Send(0, {tensor.raw(), BytesIn(tensor)});
    return {};
  }
  std::vector<std::vector<NamedTensor>> all{mine};
  for (int rank = 1; rank < ranks.size(); ++rank) {
    std::vector<NamedTensor>& tensors = all.emplace_back(MakeTensors(descriptions[static_cast<size_t>(rank)]));
    for (NamedTensor& named : tensors) ranks.Receive(rank, {named.tensor.mutable_raw(), BytesIn(named.tensor)});
  }
  return all;
}

}  // namespace twofour::train
