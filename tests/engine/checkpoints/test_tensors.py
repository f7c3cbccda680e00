import io
import json
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine.checkpoints.tensors import open_tensors, read_object
from engine.errors import CheckpointError

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2, dtype=torch.float16)}


class Malice:
    """Pickled as a call: a file holding one runs the command when it is opened carelessly."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def save(tmp_path, content, name="x.ckpt", **options):
    torch.save(content, tmp_path / name, **options)
    return tmp_path / name


def test_a_safetensors_file_shows_names_shapes_and_metadata_and_gives_tensors(tmp_path):
    save_file(TENSORS, tmp_path / "x.safetensors", metadata={"k": "v"})
    file = open_tensors(tmp_path / "x.safetensors")
    assert file.shapes == {"a.weight": (2, 3), "a.bias": (2,)}
    assert file.metadata == {"k": "v"}
    assert torch.equal(file.read("a.")["weight"], TENSORS["a.weight"])
    assert file.read()["a.bias"].dtype == torch.float16
    assert file.below("a.") == {"weight": (2, 3), "bias": (2,)}


def test_tensors_are_mapped_and_not_copied(tmp_path):
    save_file({"big": torch.zeros(64, 1 << 20)}, tmp_path / "x.safetensors")
    before = _own_memory()
    tensor = open_tensors(tmp_path / "x.safetensors").read()["big"]
    assert tensor.shape == (64, 1 << 20)
    assert _own_memory() - before < 64 << 20


def _own_memory():
    with open("/proc/self/statm") as file:
        _, resident, shared = map(int, file.read().split()[:3])
    return (resident - shared) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("wrap", [lambda t: t, lambda t: {"state_dict": t, "epoch": 3}, lambda t: {"params": t}])
@pytest.mark.parametrize("is_zip", [True, False])
def test_a_torch_file_is_unwrapped(tmp_path, wrap, is_zip):
    path = save(tmp_path, wrap(TENSORS), _use_new_zipfile_serialization=is_zip)
    file = open_tensors(path)
    assert file.shapes == {"a.weight": (2, 3), "a.bias": (2,)}
    assert torch.equal(file.read()["a.weight"], TENSORS["a.weight"])


def test_numbers_of_the_training_framework_do_not_make_a_file_unsafe(tmp_path):
    path = save(tmp_path, {"state_dict": TENSORS, "loss": np.float64(0.5), "steps": np.int64(7)})
    assert set(open_tensors(path).shapes) == set(TENSORS)


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_pickle_with_code_is_refused_and_its_code_does_not_run(tmp_path, is_zip):
    proof = tmp_path / "proof"
    content = {"state_dict": TENSORS, "extra": Malice(f"touch {proof}")}
    path = save(tmp_path, content, _use_new_zipfile_serialization=is_zip)
    with pytest.raises(CheckpointError, match=r"x\.ckpt: asks to run code .*system.* refused and not run"):
        open_tensors(path)
    assert not proof.exists()
    torch.load(path, weights_only=False)  # the file is as bad as it claims: read carelessly, it does run
    assert proof.exists()


def test_a_bare_pickle_with_code_is_refused(tmp_path):
    proof = tmp_path / "proof"
    (tmp_path / "x.pt").write_bytes(pickle.dumps(Malice(f"touch {proof}"), protocol=2))
    with pytest.raises(CheckpointError, match=r"x\.pt"):
        read_object(tmp_path / "x.pt")
    assert not proof.exists()


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_pickle_of_a_later_protocol_with_code_is_refused_without_torchs_advice(tmp_path, wrapped):
    proof, path = tmp_path / "proof", tmp_path / "x.pt"
    content = Malice(f"touch {proof}")
    if wrapped:
        torch.save({"state_dict": TENSORS, "extra": content}, path, pickle_protocol=4)
    else:
        path.write_bytes(pickle.dumps(content, protocol=4))
    with pytest.raises(CheckpointError, match=r"x\.pt: .*not") as caught:  # a warning of torch's would fail this too
        read_object(path)
    assert "weights_only" not in str(caught.value)
    assert not proof.exists()
    if wrapped:
        torch.load(path, weights_only=False)  # read carelessly, it does run
    else:
        pickle.loads(path.read_bytes())  # noqa: S301 our own file
    assert proof.exists()


@pytest.mark.parametrize("is_zip", [True, False])
def test_torchs_advice_to_open_a_damaged_file_unsafely_is_never_passed_on(tmp_path, is_zip):
    path = save(tmp_path, TENSORS, _use_new_zipfile_serialization=is_zip)
    whole = bytearray(path.read_bytes())
    at = whole.index(b"a.weight")
    seen = set()
    for offset in range(at - 40, at + 80):
        damaged = whole.copy()
        damaged[offset] = 0xFF
        path.write_bytes(damaged)
        try:
            open_tensors(path)
        except CheckpointError as error:
            seen.add(str(error))
    assert seen
    assert not [said for said in seen if "weights_only" in said or "torch.load" in said]


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_torch_file_named_safetensors_is_read_for_what_it_is(tmp_path, is_zip):
    path = save(tmp_path, TENSORS, "x.safetensors", _use_new_zipfile_serialization=is_zip)
    assert torch.equal(open_tensors(path).read()["a.weight"], TENSORS["a.weight"])


def test_a_safetensors_file_named_ckpt_is_read_for_what_it_is(tmp_path):
    save_file(TENSORS, tmp_path / "x.ckpt")
    assert torch.equal(open_tensors(tmp_path / "x.ckpt").read()["a.weight"], TENSORS["a.weight"])


def test_an_archive_that_unpacks_to_far_more_than_itself_is_not_opened(tmp_path):
    path = save(tmp_path, TENSORS)
    bomb = tmp_path / "bomb.ckpt"
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in whole.namelist():
            archive.writestr(name, whole.read(name) + (bytes(1 << 20) if name.endswith("data.pkl") else b""))
    assert bomb.stat().st_size < 1 << 16
    with pytest.raises(CheckpointError, match=r"bomb\.ckpt: .*data\.pkl is compressed to .* not opened"):
        open_tensors(bomb)


def test_an_archive_with_an_endless_list_of_tensors_is_not_opened(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.ckpt", "w") as archive:
        archive.writestr("x/data.pkl", bytes((64 << 20) + 1))
        archive.writestr("x/version", "3")
    with pytest.raises(CheckpointError, match=r"list of tensors has 67,108,865 bytes; expected 67,108,864 at most"):
        open_tensors(tmp_path / "x.ckpt")


@pytest.mark.parametrize("keep", [4, 9, 60, 0.5, -1])
def test_a_safetensors_file_that_was_cut_off_says_so(tmp_path, keep):
    path = tmp_path / "x.safetensors"
    save_file(TENSORS, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep) if isinstance(keep, float) else keep])
    with pytest.raises(CheckpointError, match=r"x\.safetensors: .*fetch the file again"):
        open_tensors(path)


@pytest.mark.parametrize("keep", [3, 40, 0.5, 0.9])
@pytest.mark.parametrize("is_zip", [True, False])
def test_a_torch_file_that_was_cut_off_says_so(tmp_path, keep, is_zip):
    path = save(tmp_path, TENSORS, _use_new_zipfile_serialization=is_zip)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep) if isinstance(keep, float) else keep])
    with pytest.raises(CheckpointError, match=r"x\.ckpt"):
        open_tensors(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>log in</html>", "web page"),
        (b"\n <html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git-lfs pointer"),
        (b"just some text", "neither safetensors nor"),
        (struct.pack("<Q", 20) + b"{not json ----------", "garbled"),
        (struct.pack("<Q", 12) + b'{"a": {"b":1', "garbled"),
        (struct.pack("<Q", 1 << 40) + b"{}", "neither"),
        (pickle.dumps([1, 2, 3], protocol=2), "x.safetensors"),
    ],
)
def test_a_file_that_is_no_weights_says_what_it_is(tmp_path, content, reason):
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match=reason):
        open_tensors(tmp_path / "x.safetensors")


def test_a_header_with_an_impossible_shape_is_refused(tmp_path):
    header = json.dumps({"a": {"dtype": "F32", "shape": [-1, 2], "data_offsets": [0, 8]}}).encode()
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    with pytest.raises(CheckpointError, match="impossible shape"):
        open_tensors(tmp_path / "x.safetensors")


def test_a_zip_whose_end_is_damaged_says_so(tmp_path):
    path = save(tmp_path, TENSORS)
    whole = path.read_bytes()
    at = whole.index(b"PK\x06\x07")  # the end's locator: it counts the disks an archive spans
    path.write_bytes(whole[: at + 16] + struct.pack("<L", 9) + whole[at + 20 :])
    with pytest.raises(CheckpointError, match=r"x\.ckpt: damaged .*disks"):
        open_tensors(path)


def test_a_zip_that_is_no_torch_file_is_refused(tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("readme.txt", "hello")
    (tmp_path / "x.ckpt").write_bytes(packed.getvalue())
    with pytest.raises(CheckpointError, match=r"x\.ckpt"):
        open_tensors(tmp_path / "x.ckpt")


def test_a_file_without_tensors_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="no tensors inside"):
        open_tensors(save(tmp_path, {"epoch": 3}))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"gone\.safetensors: cannot be read"):
        open_tensors(tmp_path / "gone.safetensors")
