"""Checkpoints: whole or not there, exact, and clear about what does not fit."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings, strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

from inpaintkit.core.errors import CheckpointError
from inpaintkit.core.interfaces import Method
from inpaintkit.runs import checkpoint
from inpaintkit.runs.checkpoint import METHOD, OPTIMIZERS, STATE
from inpaintkit.runtime import read_sealed, sealed
from inpaintkit.runtime.files import write_atomically
from inpaintkit.training.stages import Adam


class Toy(Method):
    """A convolution, a batch norm and two optimizers that share nothing."""

    def __init__(self, width: int = 4, seed: int = 0, extra: bool = False) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.net = nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.Conv2d(width, 3, 3))
        self.judge = nn.Conv2d(3, 1, 3)
        if extra:
            self.more = nn.Linear(2, 2)
        self._optimizers: dict[str, torch.optim.Optimizer] = {}

    @property
    def steps(self) -> int:
        return 100

    @property
    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        if not self._optimizers:
            self._optimizers = {
                "generator": Adam(1e-2).build(self.net.named_parameters()),
                "critic/image": Adam(1e-3, weight_decay=0.1).build(self.judge.named_parameters()),
            }
        return self._optimizers

    def train_step(self, step: int) -> None:
        torch.manual_seed(1000 + step)
        picture = self.net(torch.randn(2, 3, 8, 8))
        for optimizer in self.optimizers.values():
            optimizer.zero_grad()
        (picture.square().mean() + self.judge(picture).mean()).backward()
        for optimizer in self.optimizers.values():
            optimizer.step()


def trained(steps: int = 3, last: bool = False, **options: Any) -> Toy:
    made = Toy(**options)
    if last:
        made.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for step in range(steps):
        made.train_step(step)
    return made


def tensors(method: Toy) -> dict[str, Tensor]:
    return checkpoint.contiguous(method.state_dict()) | {
        f"{name}|{number}|{key}": value.contiguous()
        for name, optimizer in method.optimizers.items()
        for number, values in optimizer.state_dict()["state"].items()
        for key, value in values.items()
    }


def saved_moments(path: Path) -> dict[str, Any]:
    saved = torch.load(path / OPTIMIZERS, weights_only=True)
    return {name: state["state"] for name, state in saved.items()}


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# -- round trip -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("last", [False, True], ids=["contiguous", "channels_last"])
def test_round_trip_goes_on_bit_equal(tmp_path: Path, last: bool) -> None:
    """Restored, then two more steps: the very same bits, moments included; also where memory is channels_last."""
    straight = trained(5, last)
    stopped = trained(3, last)
    path = checkpoint.save(tmp_path, 3, stopped, {"seed": 7})
    assert path.name == "step-00000003"
    assert checkpoint.read_state(path)["seed"] == 7
    restored = Toy(seed=99)
    if last:
        restored.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    checkpoint.load_method(path, restored)
    checkpoint.load_optimizers(path, restored)
    assert equal(tensors(restored), tensors(stopped))
    for name, optimizer in restored.optimizers.items():
        for one, other in zip(optimizer.state.values(), stopped.optimizers[name].state.values(), strict=True):
            # fused kernels walk memory in this order
            assert {key: one[key].stride() for key in one} == {key: other[key].stride() for key in other}
    for step in (3, 4):
        restored.train_step(step)
    assert equal(tensors(restored), tensors(straight))


def test_before_the_first_step_there_are_no_moments(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, 0, trained(0))
    assert saved_moments(path) == {"generator": {}, "critic/image": {}}
    restored = Toy(seed=1)
    checkpoint.load_method(path, restored)
    checkpoint.load_optimizers(path, restored)
    restored.train_step(0)
    assert equal(tensors(restored), tensors(trained(1)))


def test_only_the_optimizer_that_ran_has_moments(tmp_path: Path) -> None:
    made = trained(0)
    made.net(torch.randn(2, 3, 8, 8)).sum().backward()
    made.optimizers["generator"].step()
    path = checkpoint.save(tmp_path, 1, made)
    assert [name for name, moments in saved_moments(path).items() if moments] == ["generator"]


def test_saving_leaves_the_method_alone(tmp_path: Path) -> None:
    one, other = trained(2), trained(2)
    checkpoint.save(tmp_path, 2, one)
    for made in (one, other):
        made.train_step(2)
    assert equal(tensors(one), tensors(other))


# -- which one is taken -----------------------------------------------------------------------------------------------


def filled(folder: Path, *steps: int, keep: int = 9) -> Toy:
    made = trained(1)
    for step in steps:
        checkpoint.save(folder, step, made, keep=keep)
    return made


@pytest.mark.parametrize(("keep", "left"), [(1, [40]), (2, [30, 40]), (3, [20, 30, 40]), (5, [10, 20, 30, 40])])
def test_the_newest_stay(tmp_path: Path, keep: int, left: list[int]) -> None:
    filled(tmp_path, 10, 20, 30, 40, keep=keep)
    assert names(tmp_path) == [f"step-{step:08d}" for step in left]


def test_steps_are_numbers_not_text(tmp_path: Path) -> None:
    filled(tmp_path, 99_999_999, 100_000_000)
    assert checkpoint.latest(tmp_path)[1]["step"] == 100_000_000


def test_what_was_passed_over_is_removed(tmp_path: Path) -> None:
    """A resumed run that passed over a damaged checkpoint must not keep it in place of its own."""
    made = filled(tmp_path, 10, 20, 30)
    (tmp_path / "step-00000030" / METHOD).write_bytes(b"damaged")
    assert checkpoint.latest(tmp_path)[1]["step"] == 20
    checkpoint.save(tmp_path, 25, made, keep=1)
    assert names(tmp_path) == ["step-00000025"]


@pytest.mark.parametrize("file", [METHOD, OPTIMIZERS, STATE])
@pytest.mark.parametrize("how", ["cut", "flipped", "gone", "empty"])
def test_a_damaged_newest_falls_back(tmp_path: Path, file: str, how: str) -> None:
    filled(tmp_path, 10, 20)
    path = tmp_path / "step-00000020" / file
    content = path.read_bytes()
    if how == "gone":
        path.unlink()
    elif how == "flipped":
        middle = len(content) // 2 if file != STATE else content.index(b'"sums"') + 1
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    else:
        path.write_bytes(content[: len(content) // 2] if how == "cut" else b"")
    found, state, damaged = checkpoint.latest(tmp_path)
    assert (found.name, state["step"]) == ("step-00000010", 10)
    if (file, how) != (STATE, "gone"):  # without its state it is no checkpoint at all
        [complaint] = damaged
        assert "step-00000020" in complaint
        assert "damaged" in complaint


FOREIGN: list[tuple[str, Any]] = [
    ("step", "20"), ("step", 21), ("step", -20), ("step", True), ("step", None), ("step", 10**30),
    ("sums", {}), ("sums", []), ("sums", "text"),
    ("seconds", "long"), ("seconds", None), ("seed", []), ("images", 3),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), FOREIGN)
def test_states_of_another_kind_fall_back(tmp_path: Path, key: str, value: Any) -> None:
    """Whole by their checksum, and yet not what this program writes."""
    filled(tmp_path, 10, 20)
    file = tmp_path / "step-00000020" / STATE
    file.write_text(sealed({**read_sealed(file), key: value}))
    with pytest.warns(UserWarning, match=r"step-00000020 is damaged: .*; step-00000010 is taken instead"):
        assert checkpoint.newest(tmp_path)[1]["step"] == 10


@pytest.mark.parametrize("state", ["[]", "null", "{}", '"text"', '{"step": 20, "sums": {}}', "[" * 200_000, "\x80"])
def test_foreign_states_fall_back(tmp_path: Path, state: str) -> None:
    filled(tmp_path, 10, 20)
    (tmp_path / "step-00000020" / STATE).write_bytes(state.encode("latin-1"))
    assert checkpoint.latest(tmp_path)[1]["step"] == 10


@given(at=st.integers(0, 10**6), bit=st.integers(0, 7), file=st.sampled_from([METHOD, OPTIMIZERS, STATE]))
@settings(max_examples=60)
def test_every_flipped_bit_is_noticed(tmp_path_factory: pytest.TempPathFactory, at: int, bit: int, file: str) -> None:
    folder = tmp_path_factory.mktemp("flipped")
    path = checkpoint.save(folder, 10, Toy(), {"seconds": 1.5, "seed": 3, "images": "ab"})
    content = bytearray((path / file).read_bytes())
    content[at % len(content)] ^= 1 << bit
    (path / file).write_bytes(content)
    with pytest.raises(CheckpointError, match="step-00000010 is damaged"):
        checkpoint.read_state(path)


@pytest.mark.parametrize("named", ["folder", "file"])
def test_the_weights_of_a_checkpoint_are_checked_however_they_are_named(tmp_path: Path, named: str) -> None:
    path = checkpoint.save(tmp_path, 10, trained(1))
    source = path if named == "folder" else path / METHOD
    (path / OPTIMIZERS).unlink()  # not needed for weights
    checkpoint.load_method(source, Toy())
    content = bytearray((path / METHOD).read_bytes())
    content[-1] ^= 1
    (path / METHOD).write_bytes(content)
    for load in (checkpoint.load_method, checkpoint.init_method):
        with pytest.raises(CheckpointError, match=r"the checksum of method\.safetensors is not the one written"):
            load(source, Toy())


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes and links there")
@pytest.mark.parametrize("what", ["pipe", "folder", "device", "link to itself"])
def test_what_is_no_file_is_not_read(tmp_path: Path, what: str) -> None:
    """Each ends at once, where reading would wait or never end."""
    filled(tmp_path, 10, 20, 30, 40)
    bare = tmp_path / "weights.safetensors"
    for place in [*(tmp_path / f"step-000000{step}" / name for step, name in FILES), bare]:
        place.unlink(missing_ok=True)
        if what == "pipe":
            os.mkfifo(place)
        elif what == "folder":
            place.mkdir()
        else:
            place.symlink_to("/dev/zero" if what == "device" else place.name)
    assert checkpoint.latest(tmp_path)[1]["step"] == 10
    with pytest.raises(CheckpointError, match=r"weights\.safetensors"):
        checkpoint.load_method(bare, Toy())


FILES = [(20, METHOD), (30, OPTIMIZERS), (40, STATE)]


def test_all_damaged_tells_of_each(tmp_path: Path) -> None:
    filled(tmp_path, 10, 20)
    for path in tmp_path.iterdir():
        (path / METHOD).write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"no usable checkpoint.*step-00000020.*step-00000010"):
        checkpoint.latest(tmp_path)
    with pytest.raises(CheckpointError, match="no usable checkpoint"):
        checkpoint.latest(tmp_path / "nowhere")


def test_half_written_ones_are_never_taken(tmp_path: Path) -> None:
    filled(tmp_path, 10)
    whole = tmp_path / "step-00000010"
    shutil.copytree(whole, tmp_path / ".step-00000020.123.part")  # all but renamed
    (tmp_path / "step-00000030").mkdir()  # removal under way: the state went first or last
    shutil.copy(whole / METHOD, tmp_path / "step-00000030")
    (tmp_path / "step-notes").mkdir()
    shutil.copy(whole / STATE, tmp_path / "step-notes")
    assert [path.name for path in checkpoint.checkpoints(tmp_path)] == ["step-00000010"]
    (tmp_path / ".log.jsonl.123.part").write_text("half a line")
    checkpoint.remove_unfinished(tmp_path)
    assert names(tmp_path) == ["step-00000010", "step-notes"]


# -- the disk refuses -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["replace", "fsync", "mkdir"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_full_disk_keeps_the_earlier_ones(
    tmp_path: Path, call: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = filled(tmp_path, 10)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def refuse(*args: Any, **options: Any) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, refuse)
        with pytest.raises(CheckpointError, match=f"step-00000020 cannot be written: .*{os.strerror(code)}"):
            checkpoint.save(tmp_path, 20, made, keep=1)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert names(tmp_path) == ["step-00000010"]
    checkpoint.save(tmp_path, 20, made, keep=1)  # there is room again
    assert names(tmp_path) == ["step-00000020"]


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of file sizes there")
def test_files_that_may_not_grow(tmp_path: Path) -> None:
    """The system itself refuses, below safetensors, whose errors are not those of Python's files."""
    script = f"""
import resource, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import torch
torch.set_num_threads(1)
from pathlib import Path
from test_checkpoint import Toy
from inpaintkit.runs import checkpoint
from inpaintkit.core.errors import CheckpointError
folder = Path({str(tmp_path)!r})
toy = Toy(64)
checkpoint.save(folder, 10, toy)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try:
    checkpoint.save(folder, 20, toy)
except CheckpointError as error:
    print(error)
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert told.returncode == 0, told.stderr
    assert "step-00000020 cannot be written" in told.stdout
    assert names(tmp_path) == ["step-00000010"]
    checkpoint.load_method(checkpoint.latest(tmp_path)[0], Toy(64, seed=3))


def test_files_are_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.jsonl"
    write_atomically(path, "old")
    write_atomically(path, "new")
    assert path.read_text() == "new"

    def refuse(*args: Any) -> None:
        assert path.read_text() == "new"
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="full"):
        write_atomically(path, b"newer")
    assert names(tmp_path) == ["log.jsonl"]
    assert path.read_text() == "new"


# -- what does not fit ------------------------------------------------------------------------------------------------


def misfit(path: Path, method: Method, partly: bool = False) -> str:
    before = {name: value.clone() for name, value in method.state_dict().items()}
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load_method(path, method, partly=partly)
    assert all(torch.equal(before[name], value) for name, value in method.state_dict().items())  # nothing half loaded
    return str(caught.value)


def test_another_shape(tmp_path: Path) -> None:
    told = misfit(checkpoint.save(tmp_path, 1, trained(1, width=4)), Toy(width=6))
    assert f"{METHOD} does not fit this method" in told
    assert "net.0.weight: [4, 3, 3, 3] in the file, [6, 3, 3, 3] here" in told
    assert "7 of another shape" in told
    assert told.endswith("and 1 more")


def test_missing_and_surplus_keys(tmp_path: Path) -> None:
    small = checkpoint.save(tmp_path / "small", 1, trained(1))
    large = checkpoint.save(tmp_path / "large", 1, trained(1, extra=True))
    assert "2 missing in the file: more.weight, more.bias" in misfit(small, Toy(extra=True))
    assert "2 missing in the file: more.weight, more.bias" in misfit(small, Toy(extra=True), partly=True)
    assert "2 only in the file: more.bias, more.weight" in misfit(large, Toy())
    made = Toy(seed=5)
    checkpoint.load_method(large, made, partly=True)
    assert torch.equal(made.net[0].weight, trained(1, extra=True).net[0].weight)


def test_one_file_stands_for_itself(tmp_path: Path) -> None:
    save_file(checkpoint.contiguous(trained(2).state_dict()), tmp_path / "weights.safetensors")
    made = Toy(seed=5)
    checkpoint.load_method(tmp_path / "weights.safetensors", made)
    assert equal(checkpoint.contiguous(made.state_dict()), checkpoint.contiguous(trained(2).state_dict()))


def test_files_that_are_not_weights(tmp_path: Path) -> None:
    (tmp_path / "notes.safetensors").write_text("hello")
    assert "notes.safetensors is not a readable safetensors file" in misfit(tmp_path / "notes.safetensors", Toy())
    assert "gone.safetensors is missing" in misfit(tmp_path / "gone.safetensors", Toy())


def test_other_optimizers(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, 1, trained(1))
    other = Toy()
    other.optimizers["generator"] = Adam().build(other.judge.named_parameters())
    with pytest.raises(CheckpointError, match="optimizer 'generator' has other parameters"):
        checkpoint.load_optimizers(path, other)
    other.optimizers["third"] = other.optimizers.pop("generator")
    with pytest.raises(CheckpointError, match="optimizer 'third' has other parameters"):
        checkpoint.load_optimizers(path, other)
    (path / OPTIMIZERS).write_bytes(b"no archive")
    with pytest.raises(CheckpointError, match=r"optimizers\.pt is not readable"):
        checkpoint.load_optimizers(path, Toy())


def test_moments_take_the_memory_format_of_the_parameters(tmp_path: Path) -> None:
    """A run that goes on in another memory format."""
    path = checkpoint.save(tmp_path, 3, trained(3, last=True))
    made = Toy()
    checkpoint.load_method(path, made)
    checkpoint.load_optimizers(path, made)
    for parameter, values in made.optimizers["generator"].state.items():
        assert values["exp_avg"].stride() == parameter.stride()
    assert equal(tensors(made), tensors(trained(3, last=True)))


def test_optimizers_without_names_of_parameters(tmp_path: Path) -> None:
    made, restored = Toy(), Toy(seed=1)
    for method in (made, restored):
        method._optimizers = {"all": torch.optim.SGD(method.parameters(), lr=0.1, momentum=0.9)}
    made.train_step(0)
    path = checkpoint.save(tmp_path, 1, made)
    checkpoint.load_method(path, restored)
    checkpoint.load_optimizers(path, restored)
    assert equal(tensors(restored), tensors(made))


def test_state_is_json(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, 12, trained(1), {"seconds": 1.5})
    state = json.loads((path / STATE).read_text())
    assert state["step"] == 12
    assert state["seconds"] == 1.5
    assert set(state["sums"]) == {METHOD, OPTIMIZERS}
    assert names(path) == [METHOD, OPTIMIZERS, STATE]
