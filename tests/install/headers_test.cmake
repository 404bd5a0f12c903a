# Every installed header must compile alone, and without a warning, also under flags that twofour itself does not use.
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)
file(REMOVE_RECURSE ${WORK})
run(${configure} -S ${CMAKE_CURRENT_LIST_DIR}/headers -B ${WORK} -DCMAKE_PREFIX_PATH=${PREFIX} -DINSTALLED=${PREFIX}/include)
run(${CMAKE_COMMAND} --build ${WORK})
