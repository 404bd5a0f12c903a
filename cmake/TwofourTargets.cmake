# twofour_add_layer(NAME DEPENDS ...): makes the library twofour::NAME from the current folder, without its subfolder
# EXCLUDE. Static unless BUILD_SHARED_LIBS is on.
# twofour_add_tests(NAME DEPENDS ...): makes one GoogleTest program from the folder NAME (or FOLDER) of tests, without
# its subfolder EXCLUDE. With CONFIGURATIONS the tests run only in those (`ctest -C`), and the program is not part of
# the default build.

# Makes `#include "twofour/core/tensor.h"` work in the tree as it does when installed: the build folder holds links to
# the layers.
set(TWOFOUR_INCLUDE_ROOT ${PROJECT_BINARY_DIR}/include)
file(MAKE_DIRECTORY ${TWOFOUR_INCLUDE_ROOT}/twofour)
foreach(entry IN LISTS TWOFOUR_LAYERS ITEMS twofour.h)
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${entry} ${TWOFOUR_INCLUDE_ROOT}/twofour/${entry} SYMBOLIC)
endforeach()

# Whether the installed folder may be moved, so that programs and libraries find each other by relative paths. Debian
# wants no such paths in its packages.
set(TWOFOUR_IS_RELOCATABLE ON)
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  set(TWOFOUR_IS_RELOCATABLE OFF)
endif()

add_library(twofour_compile_options INTERFACE)
target_compile_options(twofour_compile_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
                                                         -Woverloaded-virtual $<$<BOOL:${TWOFOUR_WERROR}>:-Werror>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(twofour_compile_options INTERFACE -Wno-restrict)  # Warns falsely (GCC bug 105651).
endif()
# Without this the compiler could contract a*b+c to a fused multiply-add, and results would depend on the build.
target_compile_options(twofour_compile_options INTERFACE -ffp-contract=off)
if(TWOFOUR_SANITIZE)
  add_compile_options(-fsanitize=${TWOFOUR_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TWOFOUR_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-maybe-uninitialized)  # GCC 12 warns falsely inside <regex> when it is instrumented.
  endif()
  if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    # Instrumented kernels take minutes to compile. Kernels are written once for all instruction sets, so two of them
    # suffice for checks: AVX2, and SSE4, whose vectors are as short as those of the portable kernels. The portable
    # kernels themselves compute with loops and take up to ten times as long. With SSE4 (as Highway defines it) as the
    # baseline, Highway leaves them out.
    add_compile_options(-msse4.2 -mpclmul -maes)
    add_compile_definitions(TWOFOUR_FEW_TARGETS)
  endif()
endif()

# Without optimisation some of GCC's intrinsics are macros. After a precompiled header GCC 12 still takes them for
# functions, and kernels do not compile.
set(TWOFOUR_PRECOMPILES_HEADERS ON)
string(TOUPPER "${CMAKE_BUILD_TYPE}" build_type)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${build_type}}" MATCHES "-O[1-3sgf]")
  set(TWOFOUR_PRECOMPILES_HEADERS OFF)
endif()

# Compile settings that all libraries of twofour share, installed or not.
function(twofour_compile_as_ours target)
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:twofour_compile_options>)
  # Reading these headers takes more than half of the time to compile a usual file. JSON and CLI11 are not among
  # them, because each file would then instantiate their templates. The tsan preset precompiles nothing and compiles
  # each file alone, to find missing includes.
  if(TWOFOUR_PRECOMPILES_HEADERS)
    target_precompile_headers(${target} PRIVATE <algorithm> <cmath> <cstdint> <filesystem> <functional> <map> <memory>
                                                <string> <vector> <fmt/format.h>)
  endif()
endfunction()

function(twofour_add_layer name)
  cmake_parse_arguments(ARG "" "EXCLUDE" "DEPENDS;PRIVATE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  if(ARG_EXCLUDE)
    list(FILTER sources EXCLUDE REGEX "^${CMAKE_CURRENT_SOURCE_DIR}/${ARG_EXCLUDE}/")
  endif()
  add_library(twofour_${name} ${sources})
  add_library(twofour::${name} ALIAS twofour_${name})
  # Below 1.0 a minor version may change the interface; find_package's check (SameMinorVersion) agrees. Shared libraries
  # look for one another in their own folder.
  set_target_properties(twofour_${name} PROPERTIES
    EXPORT_NAME ${name} POSITION_INDEPENDENT_CODE ON VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    DEFINE_SYMBOL ""  # So that compiler caches serve static and shared builds alike.
    # Whatever a parent project wants for its own code.
    CXX_VISIBILITY_PRESET default VISIBILITY_INLINES_HIDDEN OFF UNITY_BUILD OFF)
  if(TWOFOUR_IS_RELOCATABLE)
    set_target_properties(twofour_${name} PROPERTIES INSTALL_RPATH "$ORIGIN")
  endif()
  if(BUILD_SHARED_LIBS)
    target_link_options(twofour_${name} PRIVATE LINKER:--version-script=${PROJECT_SOURCE_DIR}/cmake/exported_symbols.map)
    set_target_properties(twofour_${name} PROPERTIES LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/exported_symbols.map)
  endif()
  if(name STREQUAL "core")
    # Its threads wait for work as long as the process lives, so the code that they run must not be unloaded by dlclose():
    # that of the shared library, or that of a plugin which is linked to the static one.
    if(BUILD_SHARED_LIBS)
      target_link_options(twofour_core PRIVATE LINKER:-z,nodelete)
    else()
      target_link_options(twofour_core INTERFACE LINKER:-z,nodelete)
    endif()
  endif()
  target_include_directories(twofour_${name} PUBLIC $<BUILD_INTERFACE:${TWOFOUR_INCLUDE_ROOT}>)
  target_compile_features(twofour_${name} PUBLIC cxx_std_20)
  target_link_libraries(twofour_${name} PUBLIC ${ARG_DEPENDS} PRIVATE ${ARG_PRIVATE})
  twofour_compile_as_ours(twofour_${name})
endfunction()

# Under UBSan a third of the time to compile goes into checks of every access through a pointer. AddressSanitizer finds
# null and dangling pointers as well, so code that computes little goes without. The layers below train keep these
# checks, and so do the parsers where they are fuzzed.
function(twofour_leave_pointers_to_asan target)
  if(TWOFOUR_SANITIZE MATCHES "address" AND TWOFOUR_SANITIZE MATCHES "undefined" AND NOT TWOFOUR_BUILD_FUZZERS)
    target_compile_options(${target} PRIVATE -fno-sanitize=null,alignment,vptr)
  endif()
endfunction()

# For code that does no heavy computing. Under sanitizers, optimising templates of other libraries (CLI11, JSON,
# protobuf) would take most of the build, so nothing is optimised there.
function(twofour_compile_unoptimised target)
  if(TWOFOUR_SANITIZE)
    target_compile_options(${target} PRIVATE -O0)
  endif()
  twofour_leave_pointers_to_asan(${target})
endfunction()

# The same, and several files are compiled as one.
function(twofour_compile_cheaply target)
  twofour_compile_unoptimised(${target})
  twofour_join_files(${target})
endfunction()

# Test code needs no speed in any build, and at -O3 GCC 12 also warns of overflows in std::string that are not there.
function(twofour_compile_tests_cheaply target)
  target_compile_options(${target} PRIVATE -O0)
  twofour_leave_pointers_to_asan(${target})
endfunction()

function(twofour_add_tests name)
  cmake_parse_arguments(ARG "" "FOLDER;EXCLUDE" "CONFIGURATIONS;DEPENDS" ${ARGN})
  foreach(library IN LISTS ARG_DEPENDS)
    if(NOT TARGET ${library})
      return()  # TWOFOUR_COMPONENTS leaves it out.
    endif()
  endforeach()
  set(folder ${CMAKE_CURRENT_SOURCE_DIR}/${name})
  if(ARG_FOLDER)
    set(folder ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_FOLDER})
  endif()
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${folder}/*.cc)
  if(ARG_EXCLUDE)
    list(FILTER sources EXCLUDE REGEX "^${folder}/${ARG_EXCLUDE}/")
  endif()
  if(NOT sources)
    return()
  endif()
  add_executable(twofour_${name}_tests ${sources})
  target_link_libraries(twofour_${name}_tests PRIVATE ${ARG_DEPENDS} twofour_test_support GTest::gmock GTest::gtest_main
                                              twofour_compile_options)
  if(NOT OpenMP::OpenMP_CXX IN_LIST ARG_DEPENDS)
    target_precompile_headers(twofour_${name}_tests REUSE_FROM twofour_test_headers)
  else()
    # OpenMP adds a compiler flag, so the shared precompiled header does not fit.
    target_precompile_headers(twofour_${name}_tests PRIVATE <gmock/gmock.h> <gtest/gtest.h>)
  endif()
  twofour_compile_tests_cheaply(twofour_${name}_tests)
  twofour_join_files(twofour_${name}_tests)
  # Under sanitizers, starting a process for each of 1800 tests would take minutes. So each part runs every eighth test.
  set(parts 8)
  set(configurations "")
  if(ARG_CONFIGURATIONS)
    set_target_properties(twofour_${name}_tests PROPERTIES EXCLUDE_FROM_ALL ON)
    set(configurations CONFIGURATIONS ${ARG_CONFIGURATIONS})
  endif()
  math(EXPR last "${parts} - 1")
  foreach(part RANGE ${last})
    add_test(NAME ${name}/part_${part} ${configurations} COMMAND twofour_${name}_tests --gtest_brief=1)
    set_tests_properties(${name}/part_${part} PROPERTIES
                         ENVIRONMENT "GTEST_TOTAL_SHARDS=${parts};GTEST_SHARD_INDEX=${part}")
  endforeach()
endfunction()
