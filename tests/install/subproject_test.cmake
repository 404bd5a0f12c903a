# add_subdirectory and FetchContent: libraries alone, and nothing of the parent changes. Linking a program would take
# compiling all of twofour once more, but for core, which is taken with one instruction set.
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)
set(source ${CMAKE_CURRENT_LIST_DIR}/subproject)
file(REMOVE_RECURSE ${WORK})
# Only the program needs these, which is not built.
list(APPEND configure -DTWOFOUR_DIR=${SOURCE_DIR} -DCOMMON=${CMAKE_CURRENT_LIST_DIR}/components
     -DCMAKE_DISABLE_FIND_PACKAGE_Protobuf=ON -DCMAKE_DISABLE_FIND_PACKAGE_CLI11=ON)

run(${configure} -S ${source} -B ${WORK}/all -DEXPECTED=core,sparse,nn,optim,train)
run(${configure} -S ${source} -B ${WORK}/fetched -DFETCH=ON -DEXPECTED=core,sparse,nn,optim,train)
# A parent that needs no train need not have its dependency, and one that has no build type gets none.
run(${configure} -S ${source} -B ${WORK}/parts -DPARTS=nn,optim -DEXPECTED=core,sparse,nn,optim
    -DCMAKE_DISABLE_FIND_PACKAGE_ZLIB=ON -UCMAKE_BUILD_TYPE)
run_to_fail("TWOFOUR_COMPONENTS: no component 'nm', expected some of: core;sparse;nn;optim;train"
            ${configure} -S ${source} -B ${WORK}/unknown -DPARTS=nm)

# Headers are found as in the tree. (Ninja alone can make one object of a target.)
if(GENERATOR STREQUAL "Ninja")
  run(${CMAKE_COMMAND} --build ${WORK}/parts --target CMakeFiles/consumer.dir/consumer.cc.o)
endif()

# The parent's own rules are all that is installed.
run(${CMAKE_COMMAND} --install ${WORK}/parts --prefix ${WORK}/prefix)
file(GLOB_RECURSE installed RELATIVE ${WORK}/prefix ${WORK}/prefix/*)
if(NOT installed STREQUAL "CMakeLists.txt")
  message(FATAL_ERROR "twofour's rules were forced on the parent: ${installed}")
endif()

run(${configure} -S ${source} -B ${WORK}/core -DPARTS=core -DEXPECTED=core
    "-DCMAKE_CXX_FLAGS=-O0 -DHWY_COMPILE_ONLY_STATIC")
run(${CMAKE_COMMAND} --build ${WORK}/core)
run(${WORK}/core/programs/core_consumer)
