#include "twofour/core/io/safetensors_header.h"

#include <fmt/format.h>

#include <unordered_set>
#include <utility>

#include <nlohmann/json.hpp>

#include "twofour/core/error.h"
#include "twofour/core/quote_for_message.h"

namespace twofour::internal {
namespace {

constexpr std::string_view kMetadataKey = "__metadata__";
// PyTorch's limit; without one, a header of 100 MB could ask for 50 million dimensions.
constexpr size_t kMaxRank = 64;
// The limit of serde_json, which the reference implementation uses.
constexpr int kMaxIgnoredDepth = 128;

/// Receives the JSON parser's events and keeps track of the place in the header's fixed grammar.
class HeaderReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(const std::string& source_name) : source_name_(source_name) {}

  SafetensorsHeader Take() { return std::move(header_); }

  bool null() override {
    // Some writers write null when there is no metadata.
    if (IsIgnored() || (place_ == Place::kHeader && key_ == kMetadataKey)) return true;
    Unexpected("null");
  }
  bool boolean(bool value) override { return IsIgnored() || Unexpected(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return IsIgnored() || Unexpected(fmt::format("{}", value)); }
  bool number_float(number_float_t /*value*/, const string_t& text) override {
    return IsIgnored() || Unexpected(text.substr(0, 40));
  }
  bool binary(binary_t& /*value*/) override { Unexpected("binary"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (IsIgnored()) return true;
    if (place_ == Place::kShape) {
      if (entry_.shape.size() == kMaxRank) Fail(fmt::format("shape has more than {} dimensions", kMaxRank));
      entry_.shape.push_back(value);
    } else if (place_ == Place::kOffsets) {
      if (offset_count_ < 2) (offset_count_ == 0 ? entry_.begin : entry_.end) = value;
      if (++offset_count_ > 2) Fail("data_offsets has more than 2 numbers, expected [begin, end]");
    } else {
      Unexpected(fmt::format("{}", value));
    }
    return true;
  }

  bool string(string_t& value) override {
    if (IsIgnored()) return true;
    if (place_ == Place::kMetadata) {
      header_.metadata[key_] = std::move(value);
    } else if (place_ == Place::kTensor && key_ == "dtype") {
      entry_.dtype = std::move(value);
    } else {
      Unexpected("a string");
    }
    return true;
  }

  bool start_object(size_t /*elements*/) override {
    if (IsIgnored()) return OpenIgnored();
    if (place_ == Place::kOutside) {
      place_ = Place::kHeader;
    } else if (place_ == Place::kHeader && key_ == kMetadataKey) {
      place_ = Place::kMetadata;
    } else if (place_ == Place::kHeader) {
      place_ = Place::kTensor;
      entry_ = {};
      entry_.name = key_;
      fields_.clear();
    } else {
      Unexpected("an object");
    }
    return true;
  }

  bool key(string_t& value) override {
    if (ignored_depth_ > 0) return true;
    if (place_ == Place::kHeader) {
      if (!names_.insert(value).second) Fail(fmt::format("key {} comes twice", QuoteForMessage(value)));
    } else if (place_ == Place::kMetadata) {
      if (header_.metadata.contains(value)) Fail(fmt::format("key {} comes twice", QuoteForMessage(value)));
    } else if (IsTensorField(value) && !fields_.insert(value).second) {
      Fail(fmt::format("key '{}' comes twice", value));
    }
    key_ = std::move(value);
    return true;
  }

  bool end_object() override {
    if (ignored_depth_ > 0) return CloseIgnored();
    if (place_ == Place::kTensor) {
      for (const char* field : {"dtype", "shape", "data_offsets"}) {
        if (!fields_.contains(field)) Fail(fmt::format("key '{}' is missing", field));
      }
      header_.entries.push_back(std::move(entry_));
    }
    place_ = place_ == Place::kHeader ? Place::kOutside : Place::kHeader;
    return true;
  }

  bool start_array(size_t /*elements*/) override {
    if (IsIgnored()) return OpenIgnored();
    if (place_ == Place::kTensor && key_ == "shape") {
      place_ = Place::kShape;
    } else if (place_ == Place::kTensor && key_ == "data_offsets") {
      place_ = Place::kOffsets;
      offset_count_ = 0;
    } else {
      Unexpected("an array");
    }
    return true;
  }

  bool end_array() override {
    if (ignored_depth_ > 0) return CloseIgnored();
    if (place_ == Place::kOffsets && offset_count_ != 2) {
      Fail(fmt::format("data_offsets has {} numbers, expected [begin, end]", offset_count_));
    }
    place_ = Place::kTensor;
    return true;
  }

  bool parse_error(size_t position, const std::string& /*last_token*/,
                   const nlohmann::detail::exception& /*error*/) override {
    throw Error(fmt::format("{}: the header is not valid JSON at its byte {}", source_name_, position));
  }

 private:
  enum class Place { kOutside, kHeader, kMetadata, kTensor, kShape, kOffsets };

  static bool IsTensorField(std::string_view key) { return key == "dtype" || key == "shape" || key == "data_offsets"; }

  /// Whether the next value belongs to a key of a tensor that the format does not know. The reference implementation
  /// skips these, so that later versions of the format can add some.
  bool IsIgnored() const { return ignored_depth_ > 0 || (place_ == Place::kTensor && !IsTensorField(key_)); }

  bool OpenIgnored() {
    if (++ignored_depth_ <= kMaxIgnoredDepth) return true;
    Fail(fmt::format("nested deeper than {}", kMaxIgnoredDepth));
  }

  bool CloseIgnored() {
    --ignored_depth_;
    return true;
  }

  [[noreturn]] void Fail(std::string_view what) const {
    switch (place_) {
      case Place::kOutside:
      case Place::kHeader:
        throw Error(fmt::format("{}: header: {}", source_name_, what));
      case Place::kMetadata:
        throw Error(fmt::format("{}: {}: {}", source_name_, kMetadataKey, what));
      default:
        throw Error(fmt::format("{}: tensor {}: {}", source_name_, QuoteForMessage(entry_.name), what));
    }
  }

  /// Refuses a value of the wrong type. It never returns; its type allows it after ||.
  [[noreturn]] bool Unexpected(std::string_view found) const {
    switch (place_) {
      case Place::kOutside:
        Fail(fmt::format("found {}, expected an object", found));
      case Place::kHeader:
        Fail(fmt::format("{} is {}, expected an object", QuoteForMessage(key_), found));
      case Place::kMetadata:
        Fail(fmt::format("{} is {}, expected a string", QuoteForMessage(key_), found));
      case Place::kTensor:
        Fail(fmt::format("{} is {}, expected {}", key_, found,
                         key_ == "dtype" ? "a string" : "an array of non-negative integers"));
      default:
        Fail(fmt::format("{} holds {}, expected non-negative integers below 2^64", key_, found));
    }
  }

  const std::string& source_name_;
  SafetensorsHeader header_;
  std::unordered_set<std::string> names_;
  Place place_ = Place::kOutside;
  std::string key_;  // The last key read.
  SafetensorsEntry entry_;
  std::unordered_set<std::string> fields_;  // Keys of entry_ read so far.
  int offset_count_ = 0;
  int ignored_depth_ = 0;  // Number of objects and arrays that are open within an ignored value.
};

}  // namespace

SafetensorsHeader ParseSafetensorsHeader(std::string_view json, const std::string& source_name) {
  if (!json.starts_with('{')) throw Error(fmt::format("{}: the header does not start with '{{'", source_name));
  // The JSON parser takes a zero byte as the end of its input and would ignore what follows.
  if (const size_t zero = json.find('\0'); zero != std::string_view::npos) {
    throw Error(fmt::format("{}: the header is not valid JSON at its byte {}", source_name, zero + 1));
  }
  HeaderReader reader(source_name);
  nlohmann::json::sax_parse(json, &reader);
  return reader.Take();
}

}  // namespace twofour::internal
