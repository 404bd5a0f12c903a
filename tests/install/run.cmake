# Included by the tests of this folder. WORK is a folder for one test alone; GENERATOR and COMPILER are those of the
# build.

# run(COMMAND...): fails the test, and shows the command's output, unless the command succeeds.
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    string(JOIN " " command ${ARGN})
    message(FATAL_ERROR "${command}\nended with ${result}:\n${output}")
  endif()
endfunction()

# run_to_fail(EXPECTED COMMAND...): fails the test unless the command fails and prints EXPECTED.
function(run_to_fail expected)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  string(REGEX REPLACE "[ \n]+" " " output "${output}")  # CMake breaks messages into lines.
  string(FIND "${output}" "${expected}" at)
  if(result EQUAL 0 OR at EQUAL -1)
    string(JOIN " " command ${ARGN})
    message(FATAL_ERROR "${command}\nended with ${result}, expected a failure with '${expected}':\n${output}")
  endif()
endfunction()

# The arguments with which every project here is configured.
set(configure ${CMAKE_COMMAND} -G ${GENERATOR} -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_BUILD_TYPE=Debug)
