# Runs COMMAND, words separated by spaces, and expects an exit status that matches STATUS and output that matches TEXT,
# soon.
separate_arguments(words UNIX_COMMAND "${COMMAND}")
execute_process(COMMAND ${words} TIMEOUT 30 RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(NOT status MATCHES "^(${STATUS})$" OR NOT output MATCHES "${TEXT}")
  message(FATAL_ERROR "${COMMAND}\nended with ${status}, expected ${STATUS} and the text '${TEXT}':\n${output}")
endif()
