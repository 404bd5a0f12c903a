# Builds examples/ against the installed package, as a user's project, and runs the result.
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)
file(REMOVE_RECURSE ${WORK})
run(${configure} -S ${EXAMPLES_DIR} -B ${WORK} -DCMAKE_PREFIX_PATH=${PREFIX})
run(${CMAKE_COMMAND} --build ${WORK})
run(${WORK}/embed_mlp)
