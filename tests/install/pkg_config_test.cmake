# Builds an example by hand, with what pkg-config says of the installed package.
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})
set(ENV{PKG_CONFIG_PATH} ${PREFIX}/${LIBDIR}/pkgconfig)
execute_process(COMMAND ${PKG_CONFIG} --cflags --libs twofour-nn twofour-optim OUTPUT_VARIABLE flags
                RESULT_VARIABLE result ERROR_VARIABLE error)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "pkg-config: ${error}")
endif()
separate_arguments(flags UNIX_COMMAND "${flags}")
run(${COMPILER} -std=c++20 ${EXAMPLES_DIR}/embed_mlp.cc ${flags} -o ${WORK}/embed_mlp)
set(ENV{LD_LIBRARY_PATH} ${PREFIX}/${LIBDIR})
run(${WORK}/embed_mlp)
