"""Two processes do what one would: the same batches, the same gradients, one run folder."""

from __future__ import annotations

import multiprocessing
import socket
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inpaintkit.core.errors import InpaintkitError
from inpaintkit.runs import checkpoint
from inpaintkit.runs.folder import Run
from inpaintkit.runtime import distributed

# -- one process ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "world"), [(8, 1), (8, 2), (8, 4), (8, 8)])
def test_shares_are_equal_and_everything(count: int, world: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = list(range(count))
    monkeypatch.setattr(distributed, "world", lambda: world)
    shares = []
    for rank in range(world):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        shares.append(rows[distributed.share(count)])
    assert sum(shares, []) == rows  # noqa: RUF017
    assert {len(share) for share in shares} == {count // world}


def test_unequal_shares_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "world", lambda: 2)
    with pytest.raises(InpaintkitError, match="a batch of 9 cannot be shared equally by 2 processes"):
        distributed.share(9)


def test_alone_nothing_happens() -> None:
    value = torch.tensor([1.0, 2.0])
    parameter = nn.Parameter(torch.ones(2))
    parameter.grad = torch.tensor([3.0, 4.0])
    distributed.all_reduce_mean(value)
    distributed.all_reduce_min(value)
    distributed.average_gradients([parameter])
    assert value.tolist() == [1.0, 2.0]
    assert parameter.grad.tolist() == [3.0, 4.0]
    assert (distributed.rank(), distributed.world()) == (0, 1)
    assert distributed.broadcast_from_rank0(lambda: "here") == "here"
    with distributed.rank0_first(), distributed.process_group(torch.device("cpu")):
        assert distributed.world() == 1


def test_rows_are_drawn_for_everyone(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    whole = torch.rand(6)
    monkeypatch.setattr(distributed, "world", lambda: 3)
    parts = []
    for rank in range(3):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        torch.manual_seed(0)
        parts.append(distributed.per_image(torch.rand, 2))
    assert torch.equal(torch.cat(parts), whole)


# -- two processes ----------------------------------------------------------------------------------------------------

CHILD = """
import os, sys
os.environ.update({environment!r})
os.dup2(os.open({said!r}, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
import importlib.util
spec = importlib.util.spec_from_file_location("distributed_tests", {file!r})
module = importlib.util.module_from_spec(spec)
sys.modules["distributed_tests"] = module
spec.loader.exec_module(module)
getattr(module, {function!r})(*{arguments!r})
"""
PRELOADED = [
    "torch._dynamo",
    "torch.distributed",
    "kornia.augmentation",
    "inpaintkit.training.dry_run",
    "inpaintkit.pipeline",
]


def together(function: Callable[..., None], *arguments: Any, world: int, folder: Path) -> list[tuple[int | None, str]]:
    """Runs the function in so many processes, as torchrun would; their exit codes and what they said."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    started = []
    for rank in range(world):
        environment = {
            "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world), "OMP_NUM_THREADS": "1",
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "INPAINTKIT_CACHE": str(folder / "cache"),
        }  # fmt: skip
        said = folder / f"{function.__name__}-{world}-{rank}.err"
        code = CHILD.format(
            environment=environment, said=str(said), file=__file__, function=function.__name__, arguments=arguments
        )
        process = context.Process(target=exec, args=(code, {"__name__": "child"}))
        process.start()
        started.append((process, said))
    ended = []
    for process, said in started:
        process.join(180)
        if process.exitcode is None:
            process.kill()
        ended.append((process.exitcode, said.read_text()))
    return ended


def all_well(ended: list[tuple[int | None, str]]) -> None:
    for code, said in ended:
        assert code == 0, said
        assert "Traceback" not in said


def collectives(folder: str) -> None:
    """In each process: every function of the module, and what it gave."""
    with distributed.process_group(torch.device("cpu")):
        rank = distributed.rank()
        assert distributed.world() == 2
        value = torch.tensor([1.0 + rank, -3.0 * rank])
        distributed.all_reduce_mean(value)
        assert value.tolist() == [1.5, -1.5]
        assert distributed.all_reduce_max(3 * rank, torch.device("cpu")) == 3
        low = torch.tensor([rank, 5 - rank])
        distributed.all_reduce_min(low)
        assert low.tolist() == [0, 4]
        net = nn.Conv2d(2, 3, 2).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        gradient = torch.arange(24.0).view(3, 2, 2, 2)
        net.weight.grad = (gradient * (1 + rank)).to(memory_format=torch.channels_last)
        distributed.average_gradients(net.parameters())  # the bias has no gradient
        assert torch.equal(net.weight.grad, gradient * 1.5)
        assert net.bias is not None
        assert net.bias.grad is None
        distributed.average_gradients([net.bias])
        torch.manual_seed(4)
        whole = torch.rand(6)
        torch.manual_seed(4)
        assert torch.equal(distributed.per_image(torch.rand, 3), whole[3 * rank : 3 * rank + 3])
        assert distributed.broadcast_from_rank0(lambda: f"rank {rank}") == "rank 0"

        def mistaken() -> str:
            raise InpaintkitError("the folder is taken")

        with pytest.raises(InpaintkitError, match="the folder is taken"):
            distributed.broadcast_from_rank0(mistaken)
        note = Path(folder) / "written-by-rank-0"
        with distributed.rank0_first():
            if rank == 0:
                note.touch()
            assert note.exists()


class Net(nn.Module):
    """Two convolutions without batch norm, whose statistics would be each process's own."""

    def __init__(self, inputs: int = 4, outputs: int = 3) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(inputs, 6, 3, padding=1), nn.Tanh(), nn.Conv2d(6, outputs, 3, padding=1))

    def forward(self, one: Tensor, mask: Tensor) -> Tensor:
        return self.layers(torch.cat([one, mask], 1))  # type: ignore[no-any-return]


class Judge(Net):
    def __init__(self) -> None:
        super().__init__(4, 1)


def trained(recipe: str, out: str) -> None:
    """``inpaintkit run`` with networks without batch norm, as every process of a run calls it."""
    import inpaintkit.core.plugins
    from inpaintkit import hookimpl
    from inpaintkit.pipeline import run
    from inpaintkit.recipe import load_recipe

    @hookimpl
    def register_generators(register: Any) -> None:
        register("plain", Net)

    @hookimpl
    def register_discriminators(register: Any) -> None:
        register("judge", Judge)

    module = types.ModuleType("plain")
    module.__dict__.update(
        inpaintkit_api=1, register_generators=register_generators, register_discriminators=register_discriminators
    )
    assert not inpaintkit.core.plugins.installed().add("plain", module).error
    run(load_recipe(recipe), Path(out), Path(out).parent, resume=Path(out).exists(), show=False)


def test_two_processes_do_what_one_does(write_recipe: Callable[..., Path], tmp_path: Path) -> None:
    """The same recipe at the same global batch: weights and log agree to rounding, smoothed labels and crops too."""
    critic = {
        "net": {"use": "judge"},
        "objective": {"use": "non-saturating", "smooth": {"real": [0.7, 1.0], "fake": [0.0, 0.3]}},
    }
    weighed = {"reconstruction": 1, "image": {"match": "reconstruction", "scale": 0.5, "hold": 3}}
    method = {
        "generator": {"use": "plain", "width": None},
        "losses": {"reconstruction": {"use": "l1", "region": "hole"}},
        "critics": {"image": critic},
        "stages": [{"name": "only", "steps": 6, "weights": weighed}],
        "ema": 0.5,
        "clip": 0.1,
        "log_gradients": True,
    }
    path = write_recipe({"method": method, "run": {"log_every": 1, "checkpoint_every": 3}})
    all_well(together(collectives, str(tmp_path), world=2, folder=tmp_path))
    for world, name in ((1, "one"), (2, "two")):
        all_well(together(trained, str(path), str(tmp_path / name), world=world, folder=tmp_path))
    one, two = Run(tmp_path / "one"), Run(tmp_path / "two")
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["cache", "one", "two"]
    for run in (one, two):
        assert [path.name for path in checkpoint.checkpoints(run.checkpoints)] == ["step-00000003", "step-00000006"]
        assert (run.folder / "report.html").is_file()
    weights = [checkpoint.read_tensors(run.checkpoints / "step-00000006" / checkpoint.METHOD) for run in (one, two)]
    assert weights[0].keys() == weights[1].keys()
    for name in weights[0]:
        if not name.startswith("weigher"):
            torch.testing.assert_close(weights[0][name], weights[1][name], rtol=1e-3, atol=2e-5)
    torch.testing.assert_close(*(each["weigher.only/image"] for each in weights), rtol=1e-4, atol=0)
    assert len(one.log()) == len(two.log()) == 7
    for line, other in zip(one.log(), two.log(), strict=True):
        assert line.keys() == other.keys()
        for key in line:
            if isinstance(line[key], float) and key not in ("seconds", "images_per_s"):
                assert other[key] == pytest.approx(line[key], rel=1e-3, abs=1e-5), key
    told = together(trained, str(path), str(tmp_path / "two"), world=2, folder=tmp_path)  # resumed at its end
    all_well(told)
    path.write_text(path.read_text().replace("batch: 4", "batch: 3"))
    told = together(trained, str(path), str(tmp_path / "three"), world=2, folder=tmp_path)
    for code, said in told:
        assert code
        assert "a batch of 3 cannot be shared equally by 2 processes" in said
