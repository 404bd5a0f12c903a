#include "twofour/core/io/file_format.h"

#include <algorithm>
#include <cctype>

namespace twofour {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kGitLfsPointer = "version https://git-lfs.github.com/spec/";

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
    {kGitLfsPointer, "a git-lfs pointer in place of the file, which git lfs pull fetches"},
    {"\x89PNG\r\n\x1a\n"sv, "a PNG picture"},
};

std::string_view AsText(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The four letters alone might be the name of a table's first column, so the first byte of a page's header must
/// follow.
bool IsParquet(std::string_view text) { return text.starts_with("PAR1\x15"); }

/// A 64-bit length below 2^32, then a JSON object.
bool IsSafetensors(std::string_view text) {
  if (text.size() < 10 || text[8] != '{' || text.substr(4, 4) != "\0\0\0\0"sv) return false;
  return text[9] == '"' || text[9] == '}' || text[9] == ' ';
}

/// Protocols 4 and 5 begin with a frame, whose 64-bit length is far below 2^40.
bool IsPickle(std::string_view text) {
  return text.size() > 11 && (text.starts_with("\x80\x04\x95"sv) || text.starts_with("\x80\x05\x95"sv)) &&
         text.substr(8, 3) == "\0\0\0"sv;
}

/// Whether the text begins with `tag`, in upper or lower case, after a byte-order mark and blanks.
bool BeginsLikeMarkup(std::string_view text, std::string_view tag) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  return text.size() >= tag.size() && std::equal(tag.begin(), tag.end(), text.begin(), [](char a, char b) {
           return a == std::tolower(static_cast<unsigned char>(b));
         });
}

}  // namespace

std::string_view WellKnownFormat(std::span<const std::byte> bytes) {
  const std::string_view text = AsText(bytes);
  for (const Signature& signature : kSignatures) {
    if (text.size() >= signature.offset && text.substr(signature.offset).starts_with(signature.bytes)) {
      return signature.format;
    }
  }
  if (IsParquet(text)) return "a Parquet file";
  if (IsSafetensors(text)) return "a safetensors file of a model's weights";
  if (IsPickle(text)) return "a Python pickle";
  if (BeginsLikeMarkup(text, "<!doctype html") || BeginsLikeMarkup(text, "<html")) {
    return "an HTML page";
  }
  if (BeginsLikeMarkup(text, "<?xml")) return "an XML file";
  return {};
}

bool IsGitLfsPointer(std::span<const std::byte> bytes) { return AsText(bytes).starts_with(kGitLfsPointer); }

}  // namespace twofour
