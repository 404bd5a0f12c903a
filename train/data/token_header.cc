#include "twofour/train/data/token_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string_view>

#include "twofour/core/error.h"
#include "twofour/train/data/file_format.h"

namespace twofour::train {
namespace {

constexpr int64_t kHeaderBytes = 256 * sizeof(int32_t);
constexpr int64_t kIdBytes = sizeof(uint16_t);
constexpr int32_t kMagic = 20240520, kVersion = 1;
constexpr int32_t kMagicOf32Bits = 20240801;  // llm.c's files for Llama 3, version 7.
constexpr std::string_view kExpected = "expected ids of 16 bits, bare or behind llm.c's header 20240520, version 1";

struct OtherMagic {
  int32_t magic;
  std::string_view what;
};

/// Other files that llm.c writes, with a header of the same form.
constexpr OtherMagic kOthers[] = {
    {20240326, "a GPT-2's weights"},
    {20240327, "a debug state: one batch with its gradients"},
    {20240328, "a tokenizer"},
    {20240522, "multiple-choice questions (HellaSwag, MMLU)"},
    {20240527, "the optimizer's state of a training run"},
    {20240803, "a Llama 3's weights or debug state"},
};

/// Number `index` of the header.
int32_t HeaderNumber(std::span<const std::byte> bytes, size_t index) {
  int32_t number;
  std::memcpy(&number, bytes.data() + index * sizeof(number), sizeof(number));
  return number;
}

int32_t WithBytesReversed(int32_t number) { return static_cast<int32_t>(__builtin_bswap32(number)); }

bool IsKnownMagic(int32_t number) {
  if (number == kMagic || number == kMagicOf32Bits) return true;
  for (const OtherMagic& other : kOthers) {
    if (other.magic == number) return true;
  }
  return false;
}

/// llm.c's magic numbers are the dates on which they were introduced. The years 2024 to 2029 include future ones.
bool LooksLikeMagic(int32_t number) {
  const int32_t year = number / 10000, month = number / 100 % 100, day = number % 100;
  return year >= 2024 && year <= 2029 && month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

/// Throws Error on a header of llm.c that is not for ids of 16 bits. `version` is 0 where the file ends before it.
void RefuseOtherHeaders(int32_t magic, int32_t version, int64_t size, const std::string& source) {
  const auto refuse = [&](std::string_view what) {
    throw Error(fmt::format("{}: llm.c's header {}, version {}: {}; {}", source, magic, version, what, kExpected));
  };
  for (const OtherMagic& other : kOthers) {
    if (magic == other.magic) refuse(other.what);
  }
  if (magic == kMagicOf32Bits) refuse("ids of 32 bits");
  if (magic == kMagic && version != kVersion) refuse("a version that is not known");
  const int32_t reversed = WithBytesReversed(magic);
  if (IsKnownMagic(reversed)) {
    throw Error(
        fmt::format("{}: llm.c's header {} in big-endian byte order; expected little-endian", source, reversed));
  }
  constexpr int32_t kMostVersion = 255;
  const bool is_new = LooksLikeMagic(magic) && magic != kMagic && version >= 0 && version <= kMostVersion;
  if (is_new && size >= kHeaderBytes) refuse("a kind of file that is not known");
}

/// Throws Error on what is built like llm.c's header, with a number that is none of its own: two numbers, how many ids
/// follow in the file, and nothing but zeros.
void RefuseUnknownHeader(std::span<const std::byte> bytes, int64_t size, const std::string& source) {
  if (size < kHeaderBytes || std::ssize(bytes) < kHeaderBytes) return;
  const auto rest = bytes.subspan(3 * sizeof(int32_t), kHeaderBytes - 3 * sizeof(int32_t));
  if (std::ranges::any_of(rest, [](std::byte byte) { return byte != std::byte{0}; })) return;
  const int64_t count = HeaderNumber(bytes, 2), held = size - kHeaderBytes;
  if (count <= 0 || (held != count * kIdBytes && held != 2 * count * kIdBytes)) return;
  throw Error(fmt::format("{}: a header of 256 numbers that begins with {} and announces {} tokens; {}", source,
                          HeaderNumber(bytes, 0), count, kExpected));
}

/// Throws Error on a file that certainly holds no ids.
void RefuseOtherFormats(std::span<const std::byte> bytes, const std::string& source) {
  if (const std::string_view format = WellKnownFormat(bytes); !format.empty()) {
    throw Error(fmt::format("{}: {}; {}", source, format, kExpected));
  }
  if (LooksLikeText(bytes)) {
    throw Error(fmt::format("{}: text; {} (text is read by data.text)", source, kExpected));
  }
}

}  // namespace

int64_t TokenFileHeaderBytes(std::span<const std::byte> beginning, int64_t size, const std::string& source) {
  const int32_t magic = size >= 4 ? HeaderNumber(beginning, 0) : 0;
  const int32_t version = size >= 8 ? HeaderNumber(beginning, 1) : 0;
  RefuseOtherHeaders(magic, version, size, source);
  if (magic != kMagic) {
    RefuseOtherFormats(beginning, source);
    RefuseUnknownHeader(beginning, size, source);
    return 0;
  }
  if (size < kHeaderBytes) {
    throw Error(fmt::format("{}: {} bytes, too short for llm.c's header of {}", source, size, kHeaderBytes));
  }
  const int64_t count = HeaderNumber(beginning, 2), held = size - kHeaderBytes;
  if (held != count * kIdBytes) {
    throw Error(fmt::format("{}: the header announces {} tokens of {} bytes and {} bytes follow it (from byte {})",
                            source, count, kIdBytes, held, kHeaderBytes));
  }
  return kHeaderBytes;
}

std::array<int32_t, 256> TokenFileHeader(int32_t count) {
  std::array<int32_t, 256> header{};
  header[0] = kMagic;
  header[1] = kVersion;
  header[2] = count;
  return header;
}

}  // namespace twofour::train
