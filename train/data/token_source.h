#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "twofour/core/io/random_access_file.h"

namespace twofour::train {

/// Token ids are below this, because most kinds of sources keep them in 16 bits.
inline constexpr int64_t kMaxVocabSize = 65536;

/// A long sequence of token ids on disk or in memory. Const functions may be called from several threads at once.
class TokenSource {
 public:
  virtual ~TokenSource() = default;

  virtual int64_t size() const = 0;

  /// Copies out.size() tokens, beginning at `offset`. Throws Error where they do not lie within [0, size()).
  virtual void Read(int64_t offset, std::span<int32_t> out) const = 0;

  /// Throws Error (a runtime failure) when the tokens may have changed since the source was opened: see
  /// RandomAccessFile::CheckUnchanged. Must be called after reading.
  virtual void CheckUnchanged() const {}
};

/// A part of a source: tokens begin to end-1.
struct TokenSpan {
  std::shared_ptr<const TokenSource> source;
  int64_t begin = 0;
  int64_t end = 0;

  int64_t size() const { return end - begin; }
};

/// Every byte of a file is a token.
class ByteSource : public TokenSource {
 public:
  explicit ByteSource(std::shared_ptr<const RandomAccessFile> file);

  int64_t size() const override { return file_->size(); }
  void Read(int64_t offset, std::span<int32_t> out) const override;
  void CheckUnchanged() const override { file_->CheckUnchanged(); }

 private:
  std::shared_ptr<const RandomAccessFile> file_;
};

/// The rest of a file after `header_bytes`, as little-endian unsigned 16-bit numbers.
class U16Source : public TokenSource {
 public:
  /// Throws Error when the file is shorter than the header or an odd number of bytes follows it.
  explicit U16Source(std::shared_ptr<const RandomAccessFile> file, int64_t header_bytes = 0);

  int64_t size() const override { return size_; }
  void Read(int64_t offset, std::span<int32_t> out) const override;
  void CheckUnchanged() const override { file_->CheckUnchanged(); }

 private:
  std::shared_ptr<const RandomAccessFile> file_;
  int64_t header_bytes_ = 0;
  int64_t size_ = 0;
};

/// Several sources, one after the other.
class ShardedSource : public TokenSource {
 public:
  /// Throws Error where there is none.
  explicit ShardedSource(std::vector<std::shared_ptr<const TokenSource>> shards);

  int64_t size() const override { return ends_.back(); }
  void Read(int64_t offset, std::span<int32_t> out) const override;
  void CheckUnchanged() const override;

 private:
  std::vector<std::shared_ptr<const TokenSource>> shards_;
  std::vector<int64_t> ends_;  // Of each shard among all tokens.
};

/// Ids in memory, two bytes each.
class InMemoryTokens : public TokenSource {
 public:
  explicit InMemoryTokens(std::vector<uint16_t> ids) : ids_(std::move(ids)) {}

  int64_t size() const override { return static_cast<int64_t>(ids_.size()); }
  void Read(int64_t offset, std::span<int32_t> out) const override;

 private:
  std::vector<uint16_t> ids_;
};

}  // namespace twofour::train
