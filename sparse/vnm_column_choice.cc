#include "twofour/sparse/vnm_column_choice.h"

#include <fmt/format.h>

namespace twofour::sparse {

std::string_view NameOf(VnmColumnChoice choice) {
  switch (choice) {
    case VnmColumnChoice::kSums:
      return "sums";
    case VnmColumnChoice::kKept:
      return "kept";
    case VnmColumnChoice::kExact:
      return "exact";
  }
  return "?";
}

void CheckChoice(VnmColumnChoice choice, const VnmPattern& pattern, const FieldPath& at, Faults& faults) {
  faults.Expect(choice != VnmColumnChoice::kExact || pattern.m <= kMostExactColumns, at("columns"),
                faults.Word(NameOf(choice)),
                fmt::format("another choice where m is {}, or m of at most {}", pattern.m, kMostExactColumns),
                fmt::format("columns chosen by {} for {}: m is {}, expected at most {}", NameOf(choice),
                            pattern.ToString(), pattern.m, kMostExactColumns));
}

void RequireChoice(VnmColumnChoice choice, const VnmPattern& pattern) {
  Faults faults("");
  CheckChoice(choice, pattern, "", faults);
  faults.Throw();
}

}  // namespace twofour::sparse
