// A library for LD_PRELOAD that lets a program run as if the processor had AMX. With it, products on AMX are tested
// where no processor has the instructions: see scripts/test_amx.sh.
//
// An instruction that the processor lacks raises SIGILL, and the handler computes what it would. So that the program
// and oneDNN find AMX, each of their CPUID and XGETBV is replaced by UD2, which raises SIGILL as well. The system's
// right to use tiles is asked for by syscall(), which is replaced here. If REFUSE_AMX is set, the answer is no. If
// NO_PALETTE is set, the processor tells of AMX but has no tiles, as some virtual machines do.
#include <cpuid.h>
#include <errno.h>
#include <link.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

/// An instruction to replace: the file that it is in (empty for the program), and its address there.
struct Place {
  const char* file;
  uintptr_t address;
  bool is_xgetbv;
};

// Written by scripts/test_amx.sh: one Place in a line.
constexpr Place kPlaces[] = {
#include AMX_EMULATOR_PLACES
};

constexpr int kTiles = 8, kMostRows = 16, kRowBytes = 64;

struct Tile {
  uint8_t rows[kMostRows][kRowBytes];
};

/// What LDTILECFG loads.
struct TileConfig {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[2 * kTiles];
  uint8_t rows[2 * kTiles];
};
static_assert(sizeof(TileConfig) == 64);

thread_local TileConfig config;
thread_local Tile tiles[kTiles];
std::atomic<long> products{0};

[[noreturn]] void Fail(const char* what, const uint8_t* code) {
  std::fprintf(stderr, "amx_emulator: %s:", what);
  for (int i = 0; i < 12; ++i) std::fprintf(stderr, " %02x", code[i]);
  std::fprintf(stderr, "\n");
  std::abort();
}

/// Denormal numbers count as zero, as operands and as results.
float Flushed(float x) { return std::fabs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x; }

float FromBf16(uint16_t bits) {
  const uint32_t wide = uint32_t{bits} << 16;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return Flushed(value);
}

/// TDPBF16PS, as Intel's manual describes it: the first and the second elements of pairs are added up apart.
void MultiplyTiles(int c, int a, int b, const uint8_t* code) {
  const int rows = config.rows[c], cols = config.row_bytes[c] / 4, pairs = config.row_bytes[a] / 4;
  if (config.rows[a] != rows || config.rows[b] != pairs || config.row_bytes[b] != config.row_bytes[c]) {
    Fail("the tiles of a product do not fit", code);
  }
  for (int row = 0; row < rows; ++row) {
    float sums[2 * kRowBytes / 4] = {};
    uint16_t left[kRowBytes / 2], right[kRowBytes / 2];
    std::memcpy(left, tiles[a].rows[row], sizeof left);
    for (int pair = 0; pair < pairs; ++pair) {
      std::memcpy(right, tiles[b].rows[pair], sizeof right);
      for (int i = 0; i < 2 * cols; ++i) {
        sums[i] = Flushed(std::fmaf(FromBf16(left[2 * pair + i % 2]), FromBf16(right[i]), sums[i]));
      }
    }
    float to[kRowBytes / 4];
    std::memcpy(to, tiles[c].rows[row], sizeof to);
    for (int col = 0; col < cols; ++col) {
      to[col] = Flushed(Flushed(to[col]) + Flushed(sums[2 * col] + sums[2 * col + 1]));
    }
    std::memcpy(tiles[c].rows[row], to, sizeof to);
  }
  ++products;
}

/// TDPBUSD: unsigned bytes times signed ones.
void MultiplyByteTiles(int c, int a, int b, const uint8_t* code) {
  const int rows = config.rows[c], cols = config.row_bytes[c] / 4, quads = config.row_bytes[a] / 4;
  if (config.rows[a] != rows || config.rows[b] != quads || config.row_bytes[b] != config.row_bytes[c]) {
    Fail("the tiles of a product do not fit", code);
  }
  for (int row = 0; row < rows; ++row) {
    int32_t to[kRowBytes / 4];
    std::memcpy(to, tiles[c].rows[row], sizeof to);
    for (int quad = 0; quad < quads; ++quad) {
      for (int i = 0; i < 4 * cols; ++i) {
        to[i / 4] += tiles[a].rows[row][4 * quad + i % 4] * static_cast<int8_t>(tiles[b].rows[quad][i]);
      }
    }
    std::memcpy(tiles[c].rows[row], to, sizeof to);
  }
  ++products;
}

void LoadTile(int tile, const uint8_t* from, int64_t stride) {
  Tile loaded = {};
  for (int row = 0; row < config.rows[tile]; ++row) {
    std::memcpy(loaded.rows[row], from + row * stride, config.row_bytes[tile]);
  }
  tiles[tile] = loaded;
}

void StoreTile(int tile, uint8_t* to, int64_t stride) {
  for (int row = 0; row < config.rows[tile]; ++row) {
    std::memcpy(to + row * stride, tiles[tile].rows[row], config.row_bytes[tile]);
  }
}

void Configure(const uint8_t* from, const uint8_t* code) {
  std::memset(tiles, 0, sizeof tiles);
  std::memcpy(&config, from, sizeof config);
  if (config.palette > 1) Fail("an unknown palette", code);
  for (int tile = 0; tile < kTiles; ++tile) {
    if (config.rows[tile] > kMostRows || config.row_bytes[tile] > kRowBytes) Fail("a tile is too large", code);
  }
}

int64_t& Register(greg_t* registers, int number) {
  constexpr int kPlace[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                            REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  return reinterpret_cast<int64_t&>(registers[kPlace[number]]);
}

template <typename T>
T Read(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/// An operand in memory. For tiles, the index register holds the bytes from one row to the next.
struct Address {
  uint8_t* base;
  int64_t index;
  int length;  ///< Of ModRM and what follows.
};

Address Decode(const uint8_t* modrm, int high_index, int high_base, greg_t* registers, const uint8_t* code) {
  const int mode = modrm[0] >> 6, low = modrm[0] & 7;
  Address address = {nullptr, 0, 1};
  int base = low | high_base;
  if (low == 4) {
    const int sib = modrm[1], index = (sib >> 3 & 7) | high_index;
    address.length = 2;
    if (index != 4) address.index = Register(registers, index) * (int64_t{1} << (sib >> 6));
    base = (sib & 7) | high_base;
  }
  if (mode == 0 && (base & 7) == 5) Fail("an address without a base", code);
  int64_t at = Register(registers, base);
  if (mode == 1) at += Read<int8_t>(modrm + address.length), address.length += 1;
  if (mode == 2) at += Read<int32_t>(modrm + address.length), address.length += 4;
  address.base = reinterpret_cast<uint8_t*>(at);
  return address;
}

/// An instruction of AMX: VEX with three bytes, map 0F38.
void RunTileInstruction(const uint8_t* code, greg_t* registers) {
  if (code[0] != 0xc4 || (code[1] & 0x1f) != 2 || (code[2] & 0x84) != 0) Fail("an unknown instruction", code);
  const int high_index = (code[1] & 0x40) != 0 ? 0 : 8, high_base = (code[1] & 0x20) != 0 ? 0 : 8;
  const int vvvv = ~code[2] >> 3 & 15, prefix = code[2] & 3, opcode = code[3], modrm = code[4];
  const int reg = modrm >> 3 & 7, rm = modrm & 7;
  const bool in_memory = modrm >> 6 != 3;
  Address at = {nullptr, 0, 1};
  if (in_memory) at = Decode(code + 4, high_index, high_base, registers, code);
  registers[REG_RIP] += 4 + at.length;

  enum { kNone, k66, kF3, kF2 };
  if (opcode == 0x49 && in_memory && prefix == kNone) return Configure(at.base + at.index, code);  // LDTILECFG
  if (opcode == 0x49 && !in_memory && prefix == kNone) {                                           // TILERELEASE
    config = {};
    return;
  }
  if (config.palette == 0) Fail("tiles are used before they are configured", code);
  if (opcode == 0x49 && !in_memory && prefix == kF2) {  // TILEZERO
    tiles[reg] = {};
  } else if (opcode == 0x4b && in_memory && (prefix == kF2 || prefix == k66)) {  // TILELOADD, TILELOADDT1
    LoadTile(reg, at.base, at.index);
  } else if (opcode == 0x4b && in_memory && prefix == kF3) {  // TILESTORED
    StoreTile(reg, at.base, at.index);
  } else if (opcode == 0x5c && !in_memory && prefix == kF3) {  // TDPBF16PS
    MultiplyTiles(reg, rm, vvvv & 7, code);
  } else if (opcode == 0x5e && !in_memory && prefix == k66) {  // TDPBUSD
    MultiplyByteTiles(reg, rm, vvvv & 7, code);
  } else {
    Fail("an unknown instruction of AMX", code);
  }
}

/// Where the replaced instructions are in memory.
const uint8_t* replaced[sizeof(kPlaces) / sizeof(Place)] = {};

/// What a processor with AMX answers.
void RunCpuid(greg_t* registers) {
  const auto leaf = static_cast<unsigned>(registers[REG_RAX]), sub_leaf = static_cast<unsigned>(registers[REG_RCX]);
  unsigned a, b, c, d;
  __cpuid_count(leaf, sub_leaf, a, b, c, d);
  if (leaf == 0 && a < 0x1e) a = 0x1e;
  if (leaf == 7 && sub_leaf == 0) d |= 1U << 22 | 1U << 24 | 1U << 25;  // AMX-BF16, AMX-TILE, AMX-INT8.
  if (leaf == 0x1d) a = b = c = d = 0;
  if (leaf == 0x1d && sub_leaf == 0) a = std::getenv("NO_PALETTE") == nullptr ? 1 : 0;  // Palettes.
  if (leaf == 0x1d && sub_leaf == 1) a = 8192 | 1024U << 16, b = kRowBytes | 8U << 16, c = kMostRows;
  if (leaf == 0x1e) a = c = d = 0, b = kMostRows | 64U << 8;
  registers[REG_RAX] = a, registers[REG_RBX] = b, registers[REG_RCX] = c, registers[REG_RDX] = d;
}

void RunXgetbv(greg_t* registers) {
  uint32_t low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  registers[REG_RAX] = low | 3U << 17;  // The system saves tiles.
  registers[REG_RDX] = high;
}

void OnIllegalInstruction(int, siginfo_t*, void* context) {
  greg_t* const registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const auto* const code = reinterpret_cast<const uint8_t*>(registers[REG_RIP]);
  for (size_t i = 0; i < sizeof(kPlaces) / sizeof(Place); ++i) {
    if (replaced[i] != code) continue;
    (kPlaces[i].is_xgetbv ? RunXgetbv : RunCpuid)(registers);
    registers[REG_RIP] += kPlaces[i].is_xgetbv ? 3 : 2;
    return;
  }
  RunTileInstruction(code, registers);
}

/// Where a file was loaded to.
uintptr_t BaseOf(const char* file) {
  struct Search {
    const char* file;
    uintptr_t base;
  } search = {file, 0};
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* data) {
        auto& wanted = *static_cast<Search*>(data);
        const bool is_program = *info->dlpi_name == '\0';
        if (*wanted.file == '\0' ? !is_program : std::strstr(info->dlpi_name, wanted.file) == nullptr) return 0;
        wanted.base = info->dlpi_addr;
        return 1;  // The program comes first, before others without a name.
      },
      &search);
  return search.base;
}

/// Runs before oneDNN looks at the processor, because the library is linked with -z initfirst.
__attribute__((constructor)) void Replace() {
  struct sigaction action = {};
  action.sa_sigaction = OnIllegalInstruction;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGILL, &action, nullptr);
  constexpr uintptr_t kPage = 4096;
  for (size_t i = 0; i < sizeof(kPlaces) / sizeof(Place); ++i) {
    auto* const code = reinterpret_cast<uint8_t*>(BaseOf(kPlaces[i].file) + kPlaces[i].address);
    auto* const page = reinterpret_cast<uint8_t*>(reinterpret_cast<uintptr_t>(code) / kPage * kPage);
    mprotect(page, 2 * kPage, PROT_READ | PROT_WRITE | PROT_EXEC);
    std::memcpy(code, kPlaces[i].is_xgetbv ? "\x0f\x0b\x90" : "\x0f\x0b", kPlaces[i].is_xgetbv ? 3 : 2);
    mprotect(page, 2 * kPage, PROT_READ | PROT_EXEC);
    replaced[i] = code;
  }
}

/// A run that multiplied nothing on AMX has tested nothing, so it fails, unless there was to be none.
__attribute__((destructor)) void Report() {
  std::fprintf(stderr, "amx_emulator: %ld products of tiles\n", products.load());
  if (products == 0 && std::getenv("REFUSE_AMX") == nullptr && std::getenv("NO_PALETTE") == nullptr) _exit(1);
}

std::atomic<bool> granted{false};

}  // namespace

extern "C" long syscall(long number, ...) {
  long arguments[6];
  va_list list;
  va_start(list, number);
  for (long& argument : arguments) argument = va_arg(list, long);
  va_end(list);
  constexpr long kGetPermission = 0x1022, kRequestPermission = 0x1023;
  if (number == SYS_arch_prctl && arguments[0] == kRequestPermission) {
    granted = std::getenv("REFUSE_AMX") == nullptr;
    if (granted) return 0;
    errno = EINVAL;
    return -1;
  }
  if (number == SYS_arch_prctl && arguments[0] == kGetPermission) {
    *reinterpret_cast<unsigned long*>(arguments[1]) = granted ? 3UL << 17 : 0;
    return 0;
  }
  register long fourth asm("r10") = arguments[3];
  register long fifth asm("r8") = arguments[4];
  register long sixth asm("r9") = arguments[5];
  long result;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(arguments[0]), "S"(arguments[1]), "d"(arguments[2]), "r"(fourth), "r"(fifth),
                 "r"(sixth)
               : "rcx", "r11", "memory");
  if (result >= 0 || result <= -4096) return result;
  errno = static_cast<int>(-result);
  return -1;
}
