# Tests add_subdirectory and FetchContent: they must add only libraries and change nothing of the parent. Only core is
# built and linked, for one instruction set, because compiling all of twofour once more would take too long.
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)
set(source ${CMAKE_CURRENT_LIST_DIR}/subproject)
file(REMOVE_RECURSE ${WORK})
# Only the program needs these packages, and it is not built.
list(APPEND configure -DTWOFOUR_DIR=${SOURCE_DIR} -DCOMMON=${CMAKE_CURRENT_LIST_DIR}/components
     -DCMAKE_DISABLE_FIND_PACKAGE_Protobuf=ON -DCMAKE_DISABLE_FIND_PACKAGE_CLI11=ON)

run(${configure} -S ${source} -B ${WORK}/all -DEXPECTED=core,sparse,nn,optim,comm,train)
run(${configure} -S ${source} -B ${WORK}/fetched -DFETCH=ON -DEXPECTED=core,sparse,nn,optim,comm,train)
# A parent without train does not need train's dependency, and a parent without a build type gets none.
run(${configure} -S ${source} -B ${WORK}/parts -DPARTS=nn,optim -DEXPECTED=core,sparse,nn,optim
    -DCMAKE_DISABLE_FIND_PACKAGE_ZLIB=ON -DCMAKE_DISABLE_FIND_PACKAGE_PCRE2=ON -UCMAKE_BUILD_TYPE)
run_to_fail("TWOFOUR_COMPONENTS: no component 'nm', expected some of: core;sparse;nn;optim;comm;train"
            ${configure} -S ${source} -B ${WORK}/unknown -DPARTS=nm)

# Headers must be found as in the tree. (Only Ninja can build one object of a target.)
if(GENERATOR STREQUAL "Ninja")
  run(${CMAKE_COMMAND} --build ${WORK}/parts --target CMakeFiles/consumer.dir/consumer.cc.o)
endif()

# Only the parent's own rules must be installed.
run(${CMAKE_COMMAND} --install ${WORK}/parts --prefix ${WORK}/prefix)
file(GLOB_RECURSE installed RELATIVE ${WORK}/prefix ${WORK}/prefix/*)
if(NOT installed STREQUAL "CMakeLists.txt")
  message(FATAL_ERROR "twofour's rules were forced on the parent: ${installed}")
endif()

# Linking takes a while as well, and only Clang does it, whose tests do not run as often.
if(COMPILER MATCHES "clang")
  run(${configure} -S ${source} -B ${WORK}/core -DPARTS=core -DEXPECTED=core
      "-DCMAKE_CXX_FLAGS=-O0 -DHWY_COMPILE_ONLY_STATIC")
  run(${CMAKE_COMMAND} --build ${WORK}/core)
  run(${WORK}/core/programs/core_consumer)
endif()
