#include "twofour/train/data/file_format.h"

#include "twofour/core/error.h"
#include "twofour/train/data/utf8.h"

namespace twofour::train {
namespace {

using namespace std::string_view_literals;

struct Signature {
  std::string_view bytes;
  std::string_view format;
  size_t offset = 0;
};

constexpr Signature kSignatures[] = {
    {"\x1f\x8b\x08"sv, "a gzip file"},
    {"PK\x03\x04"sv, "a zip archive, as .npz, PyTorch's .pt and .xlsx files are"},
    {"PK\x05\x06"sv, "an empty zip archive"},
    {"\x28\xb5\x2f\xfd"sv, "a zstd file"},
    {"\xfd\x37zXZ\0"sv, "an xz file"},
    {"1AY&SY"sv, "a bzip2 file", 4},
    {"7z\xbc\xaf\x27\x1c"sv, "a 7z archive"},
    {"\x04\x22\x4d\x18"sv, "an lz4 file"},
    {"ustar\0"sv, "a tar archive", 257},
    {"ustar  "sv, "a tar archive", 257},
    {"\x93NUMPY"sv, "a NumPy .npy file"},
    {"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"sv, "a PyTorch file, as torch.save wrote before 1.6"},
    {"\x89HDF\r\n\x1a\n"sv, "an HDF5 file"},
    {"ARROW1\0\0"sv, "an Arrow file"},
    {"SQLite format 3\0"sv, "an SQLite database"},
    {"GGUF\x02\0\0\0"sv, "a GGUF file of a model's weights"},
    {"GGUF\x03\0\0\0"sv, "a GGUF file of a model's weights"},
    {"MMIDIDX\0\0"sv, "a Megatron index (.idx), whose ids are in the .bin file beside it"},
    {"LITPKDS"sv, "a packed data set of lit-gpt"},
    {"\x7f\x45LF"sv, "a program (ELF)"},
    {"%PDF-"sv, "a PDF"},
    {"\x89PNG\r\n\x1a\n"sv, "a PNG picture"},
};

constexpr size_t kTextBytes = 1 << 16;  // Read to tell text from numbers.
constexpr size_t kFewestTextBytes = 16;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// Four letters alone might be the name of a table's first column: a page's header follows them.
bool IsParquet(std::string_view text) { return text.starts_with("PAR1\x15"); }

/// A 64-bit length of at most 100 MB, then a JSON object.
bool IsSafetensors(std::string_view text) {
  if (text.size() < 10 || text[8] != '{' || text.substr(4, 4) != "\0\0\0\0"sv) return false;
  return text[9] == '"' || text[9] == '}' || text[9] == ' ';
}

/// Protocols 4 and 5 begin with a frame, whose 64-bit length is far below 2^40.
bool IsPickle(std::string_view text) {
  return text.size() > 11 && (text.starts_with("\x80\x04\x95"sv) || text.starts_with("\x80\x05\x95"sv)) &&
         text.substr(8, 3) == "\0\0\0"sv;
}

bool IsBlankOrPrints(char32_t character) {
  return (character >= ' ' && character != 0x7f) || (character >= '\t' && character <= '\r');
}

bool IsUtf8Text(std::string_view text) {
  try {
    for (Utf8Reader reader(text, ""); !reader.AtEnd();) {
      if (!IsBlankOrPrints(reader.Next())) return false;
    }
  } catch (const Error&) {
    return false;
  }
  return true;
}

bool IsAsciiInUtf16(std::string_view text) {
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    const auto low = static_cast<unsigned char>(text[i]);
    if (text[i + 1] != 0 || low >= 0x80 || !IsBlankOrPrints(low)) return false;
  }
  return true;
}

}  // namespace

std::string_view WellKnownFormat(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (const Signature& signature : kSignatures) {
    if (text.size() >= signature.offset && text.substr(signature.offset).starts_with(signature.bytes)) {
      return signature.format;
    }
  }
  if (IsParquet(text)) return "a Parquet file";
  if (IsSafetensors(text)) return "a safetensors file of a model's weights";
  if (IsPickle(text)) return "a Python pickle";
  return {};
}

bool LooksLikeText(std::span<const std::byte> bytes) {
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.size() < kFewestTextBytes) return false;
  if (text.size() > kTextBytes) {
    text = text.substr(0, kTextBytes);
    // Not in the middle of a character, which has up to three bytes after its first.
    for (int i = 0; i < 3 && (text.back() & 0xC0) == 0x80; ++i) text.remove_suffix(1);
    if ((text.back() & 0x80) != 0) text.remove_suffix(1);
  }
  if (text.starts_with("\xff\xfe")) return IsAsciiInUtf16(text.substr(2, 64));
  return IsUtf8Text(text);
}

std::string_view WideEncoding(std::string_view text) {
  if (text.starts_with("\xff\xfe\0\0"sv) || text.starts_with("\0\0\xfe\xff"sv)) return "UTF-32";
  return text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff") ? "UTF-16"sv : ""sv;
}

std::string_view WithoutByteOrderMark(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  return text;
}

}  // namespace twofour::train
