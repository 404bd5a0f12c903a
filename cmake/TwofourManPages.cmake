# Makes the manual pages from what the program says of itself (help2man), and installs them with the completions of bash
# and zsh.
install(FILES packaging/completion/trainer.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
        RENAME trainer)
install(FILES packaging/completion/_trainer DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)

find_program(TWOFOUR_HELP2MAN help2man)
find_program(TWOFOUR_GZIP gzip)
if(NOT TWOFOUR_HELP2MAN OR NOT TWOFOUR_GZIP OR CMAKE_CROSSCOMPILING OR TWOFOUR_SANITIZE)
  return()
endif()
file(READ train/program/cli/command_names.h text)
string(REGEX MATCHALL "{\"[a-z-]+\",[ \n]+\"[^\"]+\"}" commands "${text}")
set(pages "")
function(add_page page command description extra)
  set(out ${PROJECT_BINARY_DIR}/man/${page}.1.gz)
  set(arguments --no-info --section=1 "--name=${description}" "--version-string=${page} (twofour) ${PROJECT_VERSION}"
                "--source=twofour ${PROJECT_VERSION}" "--manual=twofour" --include=${PROJECT_BINARY_DIR}/man/${extra}.h2m)
  add_custom_command(
    OUTPUT ${out}
    COMMAND ${TWOFOUR_HELP2MAN} ${arguments} --output=${PROJECT_BINARY_DIR}/man/${page}.1 "$<TARGET_FILE:trainer>${command}"
    COMMAND sed -i -f ${PROJECT_SOURCE_DIR}/packaging/man/keep_lines.sed ${PROJECT_BINARY_DIR}/man/${page}.1
    COMMAND ${TWOFOUR_GZIP} --force --best --no-name ${PROJECT_BINARY_DIR}/man/${page}.1
    DEPENDS trainer packaging/man/${extra}.h2m packaging/man/keep_lines.sed VERBATIM)
  set(pages ${pages} ${out} PARENT_SCOPE)
endfunction()
set(prefix ${CMAKE_INSTALL_PREFIX})
foreach(extra IN ITEMS trainer command)
  configure_file(packaging/man/${extra}.h2m ${PROJECT_BINARY_DIR}/man/${extra}.h2m @ONLY)
endforeach()
add_page(trainer "" "trains models with 2:4 semi-structured sparsity" trainer)
foreach(command IN LISTS commands)
  string(REGEX MATCH "\"([a-z-]+)\",[ \n]+\"(.*)\\.\"" found "${command}")
  add_page(trainer-${CMAKE_MATCH_1} " ${CMAKE_MATCH_1}" "${CMAKE_MATCH_2}" command)
endforeach()
add_custom_target(twofour_man_pages ALL DEPENDS ${pages})
install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
