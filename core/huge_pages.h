#pragma once

#include <cstddef>

namespace twofour {

/// Asks the system for large pages (2 MiB on x86) in the part of this memory that is aligned to pages. To be called
/// before the memory is first written to. It is for large memory that lives long and is read from end to end: a
/// processor fetches ahead no further than the end of a page, and keeps the addresses of few pages at hand. Does
/// nothing where the system has no such pages or refuses.
void PreferHugePages(void* data, size_t bytes);

}  // namespace twofour
