# find_package(twofour COMPONENTS ...): a project that asks for a part needs nothing of the rest.
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)
set(source ${CMAKE_CURRENT_LIST_DIR}/components)
file(REMOVE_RECURSE ${WORK})

# Only the program needs these packages, and it is not a component.
list(APPEND configure -DCMAKE_DISABLE_FIND_PACKAGE_Protobuf=ON -DCMAKE_DISABLE_FIND_PACKAGE_CLI11=ON)
set(without_zlib -DCMAKE_DISABLE_FIND_PACKAGE_ZLIB=ON -DCMAKE_DISABLE_FIND_PACKAGE_PCRE2=ON)
set(without_train -DCMAKE_DISABLE_FIND_PACKAGE_MPI=ON ${without_zlib})
set(without_nn -DCMAKE_DISABLE_FIND_PACKAGE_RE2=ON ${without_train})
function(configure_with name)
  run(${configure} -S ${source} -B ${WORK}/${name} -DCMAKE_PREFIX_PATH=${PREFIX} ${ARGN})
endfunction()
configure_with(nn_optim -DCOMPONENTS=nn,optim -DEXPECTED=core,sparse,nn,optim ${without_train})
run(${CMAKE_COMMAND} --build ${WORK}/nn_optim)
run(${WORK}/nn_optim/consumer)
configure_with(core -DCOMPONENTS=core -DEXPECTED=core ${without_nn})
configure_with(sparse_then_optim -DCOMPONENTS=sparse -DTHEN=optim -DEXPECTED=core,sparse,optim ${without_nn})
configure_with(comm -DCOMPONENTS=comm -DEXPECTED=core,comm -DCMAKE_DISABLE_FIND_PACKAGE_RE2=ON ${without_zlib})
configure_with(train -DCOMPONENTS=train -DEXPECTED=core,sparse,nn,optim,comm,train)
configure_with(all -DCOMPONENTS= -DEXPECTED=core,sparse,nn,optim,comm,train)
configure_with(optional -DCOMPONENTS=nn "-DOPTIONAL=no_such" -DEXPECTED=core,sparse,nn ${without_train})

run_to_fail("no component 'nm'; this installation of twofour has: core, sparse, nn, optim, comm, train"
            ${configure} -S ${source} -B ${WORK}/unknown -DCMAKE_PREFIX_PATH=${PREFIX} -DCOMPONENTS=nm,optim)
if(NOT SHARED)
  run_to_fail("ZLIB" ${configure} -S ${source} -B ${WORK}/no_zlib -DCMAKE_PREFIX_PATH=${PREFIX} -DCOMPONENTS=train
              ${without_zlib})
  run_to_fail("RE2" ${configure} -S ${source} -B ${WORK}/no_re2 -DCMAKE_PREFIX_PATH=${PREFIX} -DCOMPONENTS=nn
              ${without_nn})
endif()
