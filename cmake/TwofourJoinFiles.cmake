# twofour_join_files(TARGET): compiles up to eight files of the target as one (CMake's unity build). So headers are read
# and the templates that the files share are compiled only once. Files that define the same name, such as a helper in an
# unnamed namespace, are never joined. TWOFOUR_JOIN_FILES=OFF compiles each file alone, as the clang preset does.

# Finds the names whose definitions begin in the first column, where clang-format puts definitions in a namespace. It
# may find too many names, for example in raw strings. Then the file can only be joined with fewer others.
function(twofour_names_defined_in text result)
  string(REGEX MATCHALL "\n(class|struct|enum class|enum|#define) [A-Za-z0-9_]+" types "${text}")
  string(REGEX MATCHALL "\nusing [A-Za-z0-9_]+ =" aliases "${text}")
  string(REGEX MATCHALL "\nMATCHER[A-Z0-9_]*\\([A-Za-z0-9_]+" matchers "${text}")
  string(REGEX MATCHALL "\n(\\[\\[noreturn\\]\\] )?[A-Za-z][A-Za-z0-9_:<>,*& ]* [A-Za-z_][A-Za-z0-9_]*" others "${text}")
  string(REGEX MATCHALL ", k[A-Z][A-Za-z0-9]* =" constants "${text}")  # Constants after the first one of a line.
  list(FILTER others EXCLUDE REGEX "^\n(class|struct|enum|using|namespace|template|MATCHER|[A-Z_]*TEST)")
  set(names ${types} ${aliases} ${matchers} ${others} ${constants})
  list(TRANSFORM names REPLACE " =$" "")
  list(TRANSFORM names REPLACE "^.*[^A-Za-z0-9_]" "")
  set(${result} ${names} PARENT_SCOPE)
endfunction()

# Finds the names that a file takes from other namespaces with `using`. Two files may take the same name, but one file
# must not define a name that another one takes.
function(twofour_names_used_in text result)
  string(REGEX MATCHALL "\nusing [A-Za-z0-9_:]+::[A-Za-z0-9_]+" names "${text}")
  list(TRANSFORM names REPLACE "^.*:" "")
  set(${result} ${names} PARENT_SCOPE)
endfunction()

function(twofour_join_files target)
  if(NOT TWOFOUR_JOIN_FILES)
    return()
  endif()
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources INCLUDE REGEX "\\.cc$")
  set(most 8)
  set(groups 0)
  foreach(source IN LISTS sources)
    file(READ ${source} text)
    if(text MATCHES "foreach_target")
      continue()  # Such a file includes itself.
    endif()
    twofour_names_defined_in("\n${text}" defined)
    twofour_names_used_in("\n${text}" used)
    set(group 0)
    while(group LESS groups)
      set(free_defined ${defined})
      set(free_used ${used})
      list(REMOVE_ITEM free_defined "" ${defined_${group}} ${used_${group}})
      list(REMOVE_ITEM free_used "" ${defined_${group}})
      if(files_${group} LESS most AND "${free_defined};${free_used}" STREQUAL "${defined};${used}")
        break()
      endif()
      math(EXPR group "${group} + 1")
    endwhile()
    if(group EQUAL groups)
      math(EXPR groups "${groups} + 1")
      set(files_${group} 0)
      set(defined_${group} "")
      set(used_${group} "")
    endif()
    math(EXPR files_${group} "${files_${group}} + 1")
    list(APPEND defined_${group} ${defined})
    list(APPEND used_${group} ${used})
    set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${group})
  endforeach()
  # In a joined file, local names may shadow names of another file.
  set_target_properties(${target} PROPERTIES
    UNITY_BUILD ON UNITY_BUILD_MODE GROUP
    UNITY_BUILD_CODE_BEFORE_INCLUDE "#pragma GCC diagnostic ignored \"-Wshadow\"")
  # Configures again when a file changes, because new names may exclude it from its group.
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${sources})
endfunction()
