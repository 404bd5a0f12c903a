# Builds examples/ against the installed package, as a user's project, and runs each program.
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)
file(REMOVE_RECURSE ${WORK})
run(${configure} -S ${SOURCE_DIR}/examples -B ${WORK} -DCMAKE_PREFIX_PATH=${PREFIX})
run(${CMAKE_COMMAND} --build ${WORK})
run(${WORK}/embed_mlp)
run(${WORK}/own_op)
run(${WORK}/own_layer ${WORK}/own_layer.safetensors)
run(${WORK}/swap_own_model)
run(${WORK}/prune_own_model)
run(${WORK}/shrink_model)
run(${WORK}/own_data_set ${WORK}/rings)
run(${WORK}/own_data_set ${WORK}/rings)  # Goes on from its last checkpoint.

set(trainer ${PREFIX}/bin/trainer)
run(${trainer} --config ${SOURCE_DIR}/configs/sparse_mlp.pbtxt --out ${WORK}/run --set training.steps=20
    --set data.glyphs.train_size=256 --set data.glyphs.eval_size=64 --set learning_rate.warmup_steps=2)
run(${trainer} export --run ${WORK}/run --format packed -o ${WORK}/digits.safetensors)
run(${WORK}/packed_inference ${WORK}/digits.safetensors)
run(${WORK}/packed_inference ${WORK}/run)
run(${trainer} export --run ${WORK}/run --format semi-structured --dtype BF16 -o ${WORK}/digits_bf16.safetensors)
run(${WORK}/packed_inference ${WORK}/digits_bf16.safetensors)
