"""The properties of methods."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from ..core.errors import InpaintkitError, listed
from ..core.interfaces import Batch, Method
from ..filling import fill
from ..runs import checkpoint
from ..runtime import inpaint_padded
from ..training import failing_steps
from .component import Check, Component, NotApplicable, Violation, doing, require, seeded, shape
from .options import builds, options_are_typed
from .pictures import batch, perturb, picture_size, pictures, require_finite, require_independent, require_unchanged


def batch_for(component: Component, method: Method, count: int, *seed: int | str) -> Batch:
    """A batch of noise of a size that the method takes."""
    return batch(count, *picture_size(method, component.side), *seed)


def trained(component: Component) -> Method:
    """A new instance, if the method is trained."""
    method: Method = component.ready()
    if not method.steps:
        raise NotApplicable("it is not trained: steps = 0")
    return method


def inpainted(method: Method, masked: Tensor, mask: Tensor) -> Tensor:
    """The result of ``inpaint`` in eval mode; fails unless it is a batch of pictures."""
    who = f"inpaint(masked {shape(masked)}, mask {shape(mask)})"
    with doing(who), torch.no_grad():
        output = method.eval().inpaint(masked, mask)
    require(isinstance(output, Tensor), f"{who} returned a {type(output).__name__}, not a picture")
    require(output.shape == masked.shape, f"{who} returned {shape(output)}, expected {shape(masked)}")
    return output


def inpaints(component: Component) -> None:
    """``inpaint`` returns finite pictures in [-1, 1] for any batch size and does not modify its inputs."""
    method = component.ready()
    for count in (1, 3):
        given = batch_for(component, method, count)
        masked = given.masked
        copies = [("masked", masked, masked.clone()), ("mask", given.mask, given.mask.clone())]
        output = inpainted(method, masked, given.mask)
        require_unchanged(copies, "inpaint")
        require_finite(output, "the result of inpaint")
        most = float(output.abs().max())
        require(most <= 1 + 1e-4, f"inpaint returned values up to {most:.4g}: pictures are in [-1, 1]")


def odd_sizes(component: Component) -> None:
    """Pictures whose sides are no multiples of the stride are filled, with padding by the core."""
    method = component.ready()
    height, width = picture_size(method, component.side)
    for rows, columns in ((height - 3, width + 1), (height + 1, width - 1)):
        given = batch(1, rows, columns)
        with doing(f"filling a picture of {rows} x {columns}"):
            if method.size is None:
                completed = inpaint_padded(method, given.masked, given.mask)[0]
            else:
                completed = fill(method, (given.image[0] + 1) / 2, given.mask[0])
        require_finite(completed, f"a picture of {rows} x {columns}")


def known_pixels_exact(component: Component) -> None:
    """Known pixels are returned bit-exact by the core, from ``inpaint`` and from ``preview``."""
    method = component.ready()
    given = batch_for(component, method, 2)
    known = (given.mask == 0).expand_as(given.image)
    before = given.image.clone()
    with doing("inpaint through the core"):
        completed = inpaint_padded(method, given.masked, given.mask)
    hint = "work on copies of masked and mask"
    require(torch.equal(completed[known], before[known]), f"known pixels changed: {hint}")
    with doing("preview(batch)"):
        completed = method.preview(given).completed
    require(torch.equal(completed[known], before[known]), f"preview changed known pixels: {hint}")


def hidden_pixels_ignored(component: Component) -> None:
    """Hidden pixels have no influence on ``inpaint``, ``preview`` and ``sample``."""
    method = component.ready()
    one = batch_for(component, method, 2)
    other = Batch(torch.where(one.mask.bool(), pictures(2, *one.image.shape[2:], "other"), one.image), one.mask)
    hint = "Only losses and critics may read them; use batch.masked for networks"
    ways: dict[str, Callable[[Batch], Tensor]] = {
        "inpaint": lambda given: inpaint_padded(method, given.image, given.mask),
        "preview(batch)": lambda given: method.preview(given).output,
    }
    if type(method).sample is not Method.sample:
        ways["sample(batch)"] = lambda given: method.train().sample(given).output
    state = {name: value.clone() for name, value in method.state_dict().items()}
    for what, draw in ways.items():
        results = []
        for given in (one, other):
            method.load_state_dict(state)  # training mode may have changed it: the vectors of spectral norm
            with doing(what), seeded("hidden"), torch.no_grad():
                results.append(torch.where(one.mask.bool(), draw(given), 0))
        require(torch.equal(*results), f"the result of {what} changes with hidden pixels. {hint}")


def independent_of_batch(component: Component) -> None:
    """The result of a picture does not depend on the other pictures of the batch."""
    method = component.ready()
    one, other = (batch_for(component, method, 3, seed) for seed in (0, 1))
    mixed = torch.cat([one.masked[:1], other.masked[1:]])
    require_independent(lambda inputs: inpainted(method, *inputs), (one.masked, one.mask), (mixed, one.mask))


def unusual_masks(component: Component) -> None:
    """Empty masks are accepted; with full masks pictures are filled, or an InpaintkitError is raised."""
    method = component.ready()
    given = batch_for(component, method, 2)
    some = given.mask.clone()
    some[0] = 0
    for what, mask in (("the first of two masks is empty", some), ("all masks are empty", torch.zeros_like(some))):
        try:
            output = inpainted(method, given.image * (1 - mask), mask)
        except Violation as error:
            raise Violation(f"where {what}, {error}") from error
        require_finite(output, f"where {what}, the result of inpaint")
    what = "no pixel is known (the masks are 1 everywhere)"
    full = torch.ones_like(some)
    try:
        with torch.no_grad():
            output = method.eval().inpaint(torch.zeros_like(given.image), full)
    except InpaintkitError:
        return
    except Exception as error:
        hint = "Raise an InpaintkitError that names the pictures, or fill them"
        raise Violation(f"where {what}, inpaint raised {type(error).__name__}: {error}. {hint}") from error
    require_finite(output, f"where {what}, the result of inpaint")


def draws_from_rng(component: Component) -> None:
    """A random method draws from the given ``rng`` alone: the same seed gives the same picture."""
    method = component.ready()
    if method.randomness == "none":
        raise NotApplicable('it is not random: randomness = "none"')
    given = batch_for(component, method, 2)
    global_state = torch.get_rng_state()
    results = []
    for _ in range(2):
        with doing("inpaint(masked, mask, rng=rng)"):
            results.append(inpaint_padded(method, given.masked, given.mask, torch.Generator().manual_seed(1)))
    hint = "pass generator=rng to every random function"
    require(torch.equal(*results), f"inpaint returned different pictures for two generators of the same seed: {hint}")
    untouched = torch.equal(global_state, torch.get_rng_state())
    require(untouched, f"inpaint draws from the global generator of torch although rng is given: {hint}")


def optimized(method: Method) -> dict[str, Tensor]:
    """The parameters that optimizers hold, by name."""
    groups = [group for optimizer in method.optimizers.values() for group in optimizer.param_groups]
    held = {id(parameter) for group in groups for parameter in group["params"]}
    return {name: parameter for name, parameter in method.named_parameters() if id(parameter) in held}


def take_steps(component: Component, method: Method, *seed: int | str) -> Iterable[tuple[str, dict[str, Any]]]:
    """Takes one training step of each stage; yields the stage and its logs."""
    method.train()
    for stage, step in method.trial_steps().items():
        given = batch_for(component, method, 4, "train", step, *seed)
        with doing(f"training_step(batch, {step}) of stage {stage!r}"), seeded("step", step, *seed):
            logs = method.training_step(given, step)
        yield stage, logs


def trains(component: Component) -> None:
    """One step of each stage logs finite scalars and changes parameters; every parameter changes in some stage."""
    method = trained(component)
    require(bool(method.trial_steps()), f"it has {method.steps} steps and no trial_steps(): return one per stage")
    perturb(method)
    held = optimized(method)
    trainable = [name for name, parameter in method.named_parameters() if parameter.requires_grad]
    missing = [name for name in trainable if name not in held]
    require(not missing, f"no optimizer holds {listed(missing, 8)}: add them to `optimizers`, or freeze them")
    reached: set[str] = set()
    before = {name: parameter.detach().clone() for name, parameter in held.items()}
    for stage, logs in take_steps(component, method):
        require(isinstance(logs, dict), f"training_step returned a {type(logs).__name__}, not logs by name")
        for name, value in logs.items():
            scalar = isinstance(value, Tensor) and value.ndim == 0
            require(scalar, f"stage {stage!r} logs {name!r}, which is not a scalar tensor")
            require(bool(value.isfinite()), f"stage {stage!r} logs {name!r} = {float(value)}")
        now = {name for name, parameter in held.items() if not torch.equal(parameter, before[name])}
        require(bool(now), f"the step of stage {stage!r} changes no parameter: call step() of the optimizer")
        bad = [name for name in now if not held[name].isfinite().all()]
        require(not bad, f"after the step of stage {stage!r}, {listed(bad, 8)} is NaN or infinite")
        # a gradient may be exactly 0, such as that of the last bias of a critic with the hinge objective
        reached |= now | {name for name, parameter in held.items() if parameter.grad is not None}
        before = {name: parameter.detach().clone() for name, parameter in held.items()}
    idle = [name for name in held if name not in reached]
    require(not idle, f"no stage changes {listed(idle, 8)}: no loss depends on them")


def require_same_weights(one: Method, other: Method, message: str) -> None:
    """Both methods have the same state_dict."""
    state = other.state_dict()
    differ = [name for name, value in one.state_dict().items() if not torch.equal(value, state[name])]
    require(not differ, f"{message} ({listed(differ, 4)})")


def training_repeats(component: Component) -> None:
    """A training step is a function of weights, batch, step and seed."""
    trained(component)
    methods = []
    for _ in range(2):
        method = component.ready(1)
        for _ in take_steps(component, method):
            pass
        methods.append(method)
    message = "the same steps from the same weights and seed give different weights: use no random numbers but torch's"
    require_same_weights(methods[0], methods[1], message)


def resumes(component: Component) -> None:
    """Training resumed from a checkpoint gives bit-identical weights."""
    trained(component)
    first, second = component.ready(1), component.ready(2)
    for _ in take_steps(component, first):
        pass
    with doing("writing a checkpoint"):
        folder = checkpoint.save(component.folder / "checkpoints", 1, first)
    with doing("reading a checkpoint"):
        checkpoint.load_method(folder, second)
        checkpoint.load_optimizers(folder, second)
    require_same_weights(first, second, "the weights read differ from those written")
    for method in (first, second):
        for _ in take_steps(component, method, "again"):
            pass
    message = (
        "training resumed from a checkpoint gives different weights: keep everything that a step changes in the "
        "state_dict or in `optimizers`, and make schedules functions of the step"
    )
    require_same_weights(first, second, message)


def state_round_trips(component: Component) -> None:
    """Saved and loaded without its ``training_only`` options, the method fills holes in the same way."""
    first = component.ready(1)
    for _ in take_steps(component, first) if first.steps else ():
        pass
    with doing("writing a checkpoint"):
        folder = checkpoint.save(component.folder / "checkpoints", 1, first)
    without = tuple(getattr(component.factory, "training_only", ()))
    named = f" without {', '.join(without)}" if without else ""
    try:
        second = component.construct(2, without)
    except Violation as error:
        raise Violation(f"it cannot be loaded{named} (its training_only options): {error}") from error
    with doing(f"loading it{named}"):
        second.setup()
        checkpoint.load_method(folder, second, partly=True)
    given = batch_for(component, first, 2)
    results = []
    for method in (first, second):
        with seeded("compare"):
            results.append(inpainted(method, given.masked, given.mask))
    message = "the loaded method returns different pictures: keep everything that inpaint uses in the state_dict"
    require(torch.equal(*results), message)


def meta_device(component: Component) -> None:
    """A step of each stage runs on the meta device, as in `inpaintkit check`."""
    method = component.on_meta()
    if not method.steps:
        raise NotApplicable("it is not trained: steps = 0")
    given = batch_for(component, method, 4)
    problems = failing_steps(method, Batch(given.image.to("meta"), given.mask.to("meta")))
    require(not problems, "on the meta device:\n" + "\n".join(problems))


METHOD: dict[str, Check] = {
    "options typed": options_are_typed,
    "builds": builds,
    "inpaints": inpaints,
    "odd sizes": odd_sizes,
    "known pixels bit-exact": known_pixels_exact,
    "hidden pixels ignored": hidden_pixels_ignored,
    "independent of the batch": independent_of_batch,
    "unusual masks": unusual_masks,
    "draws from rng": draws_from_rng,
    "trains": trains,
    "training repeats": training_repeats,
    "resumes": resumes,
    "state round-trips": state_round_trips,
    "meta device": meta_device,
}
