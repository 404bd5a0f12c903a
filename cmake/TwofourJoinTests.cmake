# twofour_join_tests(TARGET SOURCES...): compiles up to eight test files as one (CMake's unity build), which compiles the
# templates that they share only once. Files that define the same name, such as a helper in an unnamed namespace, are
# never joined. TWOFOUR_JOIN_TESTS=OFF compiles each file alone, as the clang preset does.

# The names that a file defines from the first column on, where clang-format puts what is in a namespace. It may find
# too many, in raw strings for example: then there are fewer files that it can be joined with.
function(twofour_names_defined_in text result)
  string(REGEX MATCHALL "\n(class|struct|enum class|enum|#define) [A-Za-z0-9_]+" types "${text}")
  string(REGEX MATCHALL "\nusing [A-Za-z0-9_]+ =" aliases "${text}")
  string(REGEX MATCHALL "\nMATCHER[A-Z0-9_]*\\([A-Za-z0-9_]+" matchers "${text}")
  string(REGEX MATCHALL "\n[A-Za-z][A-Za-z0-9_:<>,*& ]* [A-Za-z_][A-Za-z0-9_]*" others "${text}")
  string(REGEX MATCHALL ", k[A-Z][A-Za-z0-9]* =" constants "${text}")  # Behind the first of a line.
  list(FILTER others EXCLUDE REGEX "^\n(class|struct|enum|using|namespace|template|MATCHER|[A-Z_]*TEST)")
  set(names ${types} ${aliases} ${matchers} ${others} ${constants})
  list(TRANSFORM names REPLACE " =$" "")
  list(TRANSFORM names REPLACE "^.*[^A-Za-z0-9_]" "")
  set(${result} ${names} PARENT_SCOPE)
endfunction()

# The names that it takes from other namespaces: two files may take the same, but one must not define what another takes.
function(twofour_names_used_in text result)
  string(REGEX MATCHALL "\nusing [A-Za-z0-9_:]+::[A-Za-z0-9_]+" names "${text}")
  list(TRANSFORM names REPLACE "^.*:" "")
  set(${result} ${names} PARENT_SCOPE)
endfunction()

function(twofour_join_tests target)
  set(most 8)
  set(groups 0)
  foreach(source IN LISTS ARGN)
    file(READ ${source} text)
    if(text MATCHES "foreach_target")
      continue()  # It includes itself.
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
  set_target_properties(${target} PROPERTIES
    UNITY_BUILD ON UNITY_BUILD_MODE GROUP
    UNITY_BUILD_CODE_BEFORE_INCLUDE "#pragma GCC diagnostic ignored \"-Wshadow\"")  # Of one file's names by another's.
  # Names that are added to a file may part it from its group.
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${ARGN})
endfunction()
