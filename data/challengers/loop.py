"""Writes `loop.onnx`: a graph of two features that goes round as often as the largest value of the
first one says, so that a row can make a block of it last for minutes.

    python data/challengers/loop.py
"""

import pathlib

import onnx
from onnx import helper as h, TensorProto as T
body = h.make_graph(
    [h.make_node("Identity", ["go"], ["go_on"]), h.make_node("Add", ["x_in", "one"], ["x_out"])],
    "body",
    [h.make_tensor_value_info("i", T.INT64, []), h.make_tensor_value_info("go", T.BOOL, []), h.make_tensor_value_info("x_in", T.FLOAT, None)],
    [h.make_tensor_value_info("go_on", T.BOOL, []), h.make_tensor_value_info("x_out", T.FLOAT, None)],
    [h.make_tensor("one", T.FLOAT, [], [1.0])])
g = h.make_graph([
    h.make_node("ReduceMax", ["x"], ["m"], keepdims=0),
    h.make_node("Cast", ["m"], ["rounds"], to=T.INT64),
    h.make_node("ReduceSum", ["x", "axis"], ["s"], keepdims=1),
    h.make_node("Loop", ["rounds", "", "s"], ["y"], body=body)],
    "endless", [h.make_tensor_value_info("x", T.FLOAT, ["N", 2])], [h.make_tensor_value_info("y", T.FLOAT, ["N", 1])],
    [h.make_tensor("axis", T.INT64, [1], [1])])
m = h.make_model(g, opset_imports=[h.make_opsetid("", 18)]); m.ir_version = 9
onnx.checker.check_model(m); onnx.save(m, pathlib.Path(__file__).with_name("loop.onnx"))
