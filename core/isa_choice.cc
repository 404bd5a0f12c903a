#include "twofour/core/isa_choice.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "twofour/core/error.h"

namespace twofour {
namespace internal {
namespace {

constexpr IsaRow kRows[] = {{Isa::kAmxBf16, "amxbf16"},
                            {Isa::kAvx512Bf16, "avx512bf16"},
                            {Isa::kAvx512Vnni, "avx512vnni"},
                            {Isa::kAvx512, "avx512"},
                            {Isa::kAvxVnni, "avxvnni"},
                            {Isa::kAvx2, "avx2"},
                            {Isa::kSse4, "sse4"},
                            {Isa::kNeon, "neon"},
                            {Isa::kPortable, "portable"}};

bool Contains(const std::vector<Isa>& isas, Isa isa) { return std::find(isas.begin(), isas.end(), isa) != isas.end(); }

/// The rows that the limit leaves.
std::span<const IsaRow> RowsWithin(std::string_view limit, const std::vector<Isa>& built) {
  const std::span<const IsaRow> rows = IsaRows();
  if (limit.empty()) return rows;
  std::vector<std::string_view> known;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!Contains(built, rows[i].isa)) continue;
    if (rows[i].name == limit) return rows.subspan(i);
    known.push_back(rows[i].name);
  }
  throw Error(
      fmt::format("TWOFOUR_MAX_ISA={}: no such instruction set, expected one of {}", limit, fmt::join(known, ", ")));
}

}  // namespace

std::span<const IsaRow> IsaRows() { return kRows; }

IsaChoice ChooseIsas(const Machine& machine, std::string_view limit) {
  IsaChoice choice;
  const std::span<const IsaRow> within = RowsWithin(limit, machine.built);
  for (const IsaRow& row : IsaRows()) {
    if (!Contains(machine.supported, row.isa)) continue;
    if (&row < within.data()) {
      choice.forbidden.push_back(row.isa);
    } else if (row.isa != Isa::kAmxBf16 || machine.grants_amx()) {
      choice.allowed.push_back(row.isa);
    }
  }
  choice.bf16_pairs_pay = Contains(choice.allowed, Isa::kAvx512Bf16) && !machine.intel;
  return choice;
}

}  // namespace internal

std::string_view NameOf(Isa isa) {
  for (const internal::IsaRow& row : internal::kRows) {
    if (row.isa == isa) return row.name;
  }
  return "any";
}

}  // namespace twofour
