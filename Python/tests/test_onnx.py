"""A network as a stage of a run, and as tiles of a slice."""

from __future__ import annotations

import hashlib
import pathlib
import sys
import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import slipring
import slipring.onnx
from slipring.onnx import Network, main

h5py = pytest.importorskip("h5py")


def save(path: pathlib.Path, nodes, weights, channels=1, size=("rows", "columns"), made=TensorProto.FLOAT, output=None):
    """A model of these nodes, from x to y."""
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, channels, *size])],
        [helper.make_tensor_value_info("y", made, output or [1, 1, *size])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def box(path, size=("rows", "columns"), channels=1, weight=1 / 9):
    """The mean of 3 x 3 voxels, zeros beyond the edge."""
    weights = {"w": np.full((1, channels, 3, 3), weight, np.float32)}
    return save(path, [helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])], weights, channels, size)


def mean(volume, weight=1 / 9):
    padded = np.pad(volume.astype(float), [(0, 0), (1, 1), (1, 1)])
    rows, columns = volume.shape[1:]
    return weight * sum(padded[:, y:y + rows, x:x + columns] for y in range(3) for x in range(3))


def test_a_slice_goes_in_whole_and_with_its_neighbours(tmp_path):
    volume = np.random.default_rng(1).random((5, 20, 31), np.float32)
    whole = Network(box(tmp_path / "box.onnx"))
    assert whole.tile == [None, None] and whole.channels == 1
    np.testing.assert_allclose(whole.slice(volume, 2), mean(volume)[2], rtol=1e-5)
    three = Network(box(tmp_path / "three.onnx", channels=3, weight=1 / 27))
    for index, chosen in [(0, [0, 0, 1]), (2, [1, 2, 3]), (4, [3, 4, 4])]:
        np.testing.assert_allclose(three.slice(volume, index), mean(volume)[chosen].mean(0), rtol=1e-5)


@pytest.mark.parametrize("shape", [(48, 48), (70, 113), (49, 200), (20, 30), (48, 20), (1, 1)])
@pytest.mark.parametrize("size", [(48, 48), (33, 40), (5, 7), (2, 2), (40, "columns"), ("rows", 7)])
def test_tiles_make_what_the_whole_slice_makes(tmp_path, shape, size):
    volume = np.random.default_rng(2).random((1, *shape), np.float32)
    # What a network of one voxel makes does not depend on a rim, that of one of three does by one.
    point = save(
        tmp_path / "point.onnx", [helper.make_node("Mul", ["x", "w"], ["y"])], {"w": np.array([3], np.float32)},
        size=size)
    np.testing.assert_allclose(Network(point).slice(volume, 0), 3 * volume[0], rtol=1e-6)
    size = [length if isinstance(length, int) else whole for length, whole in zip(size, shape)]
    if min(size) > 2:
        made = Network(box(tmp_path / "box.onnx", size=size)).slice(volume, 0)
        inner = tuple(slice(1, min(length, tile) - 1) if length < tile else slice(1, -1)
                      for length, tile in zip(shape, size))
        np.testing.assert_allclose(made[inner], mean(volume)[0][inner], rtol=1e-5)


def test_labels_are_whole_numbers_or_the_largest_class(tmp_path):
    volume = np.random.default_rng(3).random((1, 9, 8), np.float32)
    above = save(
        tmp_path / "above.onnx", [helper.make_node("Greater", ["x", "t"], ["y"])], {"t": np.array([0.5], np.float32)},
        made=TensorProto.BOOL)
    labels = Network(above, labels=True).slice(volume, 0)
    assert labels.dtype == np.uint8 and (labels == (volume[0] > 0.5)).all()
    classes = save(
        tmp_path / "classes.onnx", [helper.make_node("Conv", ["x", "w", "b"], ["y"])],
        {"w": np.array([0, 1, 2], np.float32).reshape(3, 1, 1, 1), "b": np.array([0.4, 0, -0.8], np.float32)},
        output=[1, 3, "rows", "columns"])
    labels = Network(classes, labels=True).slice(volume, 0)
    assert (labels == np.digitize(volume[0], [0.4, 0.8])).all()


def test_what_is_no_model_for_slices_is_refused(tmp_path):
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(slipring.SlipringError, match="is no model"):
        Network(tmp_path / "text.onnx")
    with pytest.raises(slipring.SlipringError, match="2 channels"):
        Network(box(tmp_path / "two.onnx", channels=2))
    volume = np.ones((1, 8, 8), np.float32)
    for name, node, weights, text in [
        ("smaller", helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2]), {}, "not as many voxels"),
        ("log", helper.make_node("Log", ["x"], ["y"]), {}, "no numbers"),
    ]:
        network = Network(save(tmp_path / f"{name}.onnx", [node], weights, output=[1, 1, "h", "w"]))
        with pytest.raises(slipring.SlipringError, match=text):
            network.slice(0 * volume, 0)
    for name, kind, text in [
        ("text", TensorProto.STRING, "tensor of numbers"), ("double", TensorProto.DOUBLE, "no numbers")]:
        nodes = [helper.make_node("Cast", ["x"], ["d"], to=kind), helper.make_node("Identity", ["d"], ["y"])]
        weights = {}
        if kind == TensorProto.DOUBLE:
            # Finite, and more than f32 can hold.
            nodes[1], weights = helper.make_node("Add", ["d", "w"], ["y"]), {"w": np.array([1e300])}
        path = save(tmp_path / f"{name}.onnx", nodes, weights, made=kind)
        with pytest.raises(slipring.SlipringError, match=text):
            Network(path).slice(volume, 0)
    fails = save(
        tmp_path / "fails.onnx", [helper.make_node("Reshape", ["x", "s"], ["y"])], {"s": np.array([1, 1, 3, 3])},
        output=[1, 1, "h", "w"])
    with pytest.raises(slipring.SlipringError, match="cannot run the model on"):
        Network(fails).slice(volume, 0)
    for size in [(0, 0), (8, 100_000)]:
        with pytest.raises(slipring.SlipringError, match="1 to 8192"):
            Network(box(tmp_path / "size.onnx", size=size))
    nowhere = save(
        tmp_path / "nowhere.onnx",
        [helper.make_node("Log", ["x"], ["l"]), helper.make_node("Conv", ["l", "w"], ["y"])],
        {"w": np.array([0, 1, 2], np.float32).reshape(3, 1, 1, 1)}, output=[1, 3, "rows", "columns"])
    with pytest.raises(slipring.SlipringError, match="no numbers"):
        Network(nowhere, labels=True).slice(-volume, 0)
    many = save(
        tmp_path / "many.onnx", [helper.make_node("Mul", ["x", "w"], ["y"])], {"w": np.array([300], np.float32)})
    with pytest.raises(slipring.SlipringError, match="0 to 255"):
        Network(many, labels=True).slice(volume, 0)
    assert main() == 64


def test_a_network_that_takes_long_gives_signs_of_life(tmp_path, monkeypatch):
    monkeypatch.setattr(slipring.onnx, "_BEAT", 0.01)
    network, beats, deadline = Network(box(tmp_path / "box.onnx")), [], time.monotonic() + 10

    class Slow:
        def run(self, _, given):
            while len(beats) < 3 and time.monotonic() < deadline:
                time.sleep(0.001)
            return list(given.values())

    network._session = Slow()
    network.slice(np.ones((1, 8, 8), np.float32), 0, lambda: beats.append(time.monotonic()))
    assert len(beats) >= 3
    count = len(beats)
    time.sleep(0.05)
    assert len(beats) == count


def last_fails(path):
    """Three channels, whose output is no number where the slice is the same as the next one: the outermost."""
    nodes = [
        helper.make_node("Split", ["x"], ["a", "b", "c"], axis=1), helper.make_node("Sub", ["b", "c"], ["d"]),
        helper.make_node("Abs", ["d"], ["e"]), helper.make_node("ReduceMax", ["e"], ["m"], keepdims=1),
        helper.make_node("Log", ["m"], ["l"]), helper.make_node("Add", ["b", "l"], ["y"]),
    ]
    return save(path, nodes, {}, channels=3)


def test_the_run_does_not_wait_for_a_model_that_fails_at_its_last_slice_each_time(foam, tmp_path, program, monkeypatch):
    # Python looks for modules here as well, unless it is told not to.
    (tmp_path / "numpy.py").write_text("raise ImportError('the one of the folder')")
    monkeypatch.setenv("PYTHONPATH", str(pathlib.Path(slipring.__file__).resolve().parents[1]))
    monkeypatch.chdir(tmp_path)
    with slipring.start(
        foam, output_folder=tmp_path / "out", rotation_axis=32, window_step=8, executable=program,
        stage=f"name=net,onnx={last_fails(tmp_path / 'last.onnx')},python={sys.executable}",
    ) as scan:
        found = scan.wait(60)["programs"][0]
    assert found["state"] == "gaveUp" and found["restarts"] == 4, found
    assert "without having said figures" in found["reason"] and "no numbers" in scan.messages
    assert sys.version_info < (3, 11) or "the one of the folder" not in scan.messages


def test_a_model_works_beside_a_run_and_is_the_one_it_began_with(foam, tmp_path, program):
    model = box(tmp_path / "box.onnx")
    sum_of_model = hashlib.sha256(model.read_bytes()).hexdigest()
    with slipring.start(
        foam, output_folder=tmp_path / "out", rate=30, rotation_axis=32, window_step=4, executable=program,
        stage=f"name=smooth,onnx={model},python={sys.executable}",
    ) as scan:
        taken = scan.run.folder / "models" / "smooth.onnx"
        deadline = time.monotonic() + 30
        while not taken.exists():
            assert scan.process.poll() is None and time.monotonic() < deadline, scan.messages
            time.sleep(0.01)
        # Somebody puts another one in its place.
        box(tmp_path / "other.onnx", weight=1).replace(model)
        found = scan.wait(120)["programs"][0]
    assert found["state"] == "ended" and found["restarts"] == 0, scan.messages
    assert found["modelSHA256"] == sum_of_model and found["figures"]["slices"] == 8
    volume = slipring.open(tmp_path / "out").volume()
    with h5py.File(next((tmp_path / "out").glob("*_smooth.h5"))) as file:
        attributes = {**file.attrs, **file["exchange/data"].attrs}
        assert sum_of_model in [word.decode() if isinstance(word, bytes) else word for word in attributes.values()]
        np.testing.assert_allclose(file["exchange/data"][()], mean(volume), rtol=1e-4, atol=1e-7)


def test_the_run_goes_on_without_a_model_that_cannot_be_run(foam, tmp_path, program):
    (tmp_path / "text.onnx").write_text("no model")
    with slipring.start(
        foam, output_folder=tmp_path / "out", rotation_axis=32, window_step=8, executable=program,
        stage=f"name=net,onnx={tmp_path}/text.onnx,python={sys.executable}",
    ) as scan:
        found = scan.wait(120)["programs"][0]
    assert found["state"] == "gaveUp" and found["restarts"] == 0 and "is no model" in scan.messages
    assert "its model is none" in found["reason"]
    with pytest.raises(slipring.SlipringError, match="ONNX") as caught:
        with slipring.start(
            foam, output_folder=tmp_path / "none", rotation_axis=32, executable=program,
            stage=f"name=net,onnx={tmp_path}/none.onnx",
        ) as scan:
            scan.wait(60)
    assert caught.value.exit_code == 66
