#pragma once

#include <string>

namespace twofour {

/// The widest instruction set that both this build and this processor know, by Highway's name
/// ("AVX3_ZEN4" is AVX-512 as Zen 4 has it, "AVX3" as Skylake has it).
std::string InstructionSetName();

}  // namespace twofour
