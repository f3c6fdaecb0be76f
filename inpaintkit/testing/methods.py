"""Properties of methods."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from ..core.errors import InpaintkitError
from ..core.interfaces import Batch, Method
from ..filling import fill
from ..runs import checkpoint
from ..runtime import inpaint_padded
from ..training import failing_steps
from .component import Check, Component, NotApplicable, Violation, doing, few, require, seeded, shape
from .options import builds, options_are_typed
from .pictures import batch, frame, pictures, require_finite, require_independent, require_unchanged, stir


def shown_to(component: Component, method: Method, count: int, *seed: int | str) -> Batch:
    return batch(count, *frame(method, component.side), *seed)


def trained(component: Component) -> Method:
    """The method, ready, when it is one that is trained."""
    method: Method = component.ready()
    if not method.steps:
        raise NotApplicable("it is not trained: steps = 0")
    return method


def drawn(method: Method, masked: Tensor, mask: Tensor) -> Tensor:
    who = f"inpaint(masked {shape(masked)}, mask {shape(mask)})"
    with doing(who), torch.no_grad():
        output = method.eval().inpaint(masked, mask)
    require(isinstance(output, Tensor), f"{who} returned a {type(output).__name__}, not a picture")
    require(output.shape == masked.shape, f"{who} returned {shape(output)} where {shape(masked)} is due")
    return output


def inpaints(component: Component) -> None:
    """Finite pictures in [-1, 1] for any batch size; what it is given stays as it is."""
    method = component.ready()
    for count in (1, 3):
        given = shown_to(component, method, count)
        masked = given.masked
        copies = [("masked", masked, masked.clone()), ("mask", given.mask, given.mask.clone())]
        output = drawn(method, masked, given.mask)
        require_unchanged(copies, "inpaint")
        require_finite(output, "what inpaint drew")
        most = float(output.abs().max())
        require(most <= 1 + 1e-4, f"inpaint drew values up to {most:.4g}: pictures are in [-1, 1]")


def odd_sizes(component: Component) -> None:
    """Sizes that its stride does not divide, through the core's padding."""
    method = component.ready()
    height, width = frame(method, component.side)
    for rows, columns in ((height - 3, width + 1), (height + 1, width - 1)):
        given = batch(1, rows, columns)
        with doing(f"filling a picture of {rows} x {columns}"):
            if method.size is None:
                completed = inpaint_padded(method, given.masked, given.mask)[0]
            else:
                completed = fill(method, (given.image[0] + 1) / 2, given.mask[0])
        require_finite(completed, f"a picture of {rows} x {columns}")


def known_pixels(component: Component) -> None:
    """Known pixels come back bit-exact through the core, from ``inpaint`` and from ``preview``."""
    method = component.ready()
    given = shown_to(component, method, 2)
    known = (given.mask == 0).expand_as(given.image)
    before = given.image.clone()
    with doing("inpaint through the core"):
        completed = inpaint_padded(method, given.masked, given.mask)
    hint = "does it write to masked or mask? Work on a copy"
    require(torch.equal(completed[known], before[known]), f"known pixels changed: {hint}")
    with doing("preview(batch)"):
        completed = method.preview(given).completed
    require(torch.equal(completed[known], before[known]), f"preview changed known pixels: {hint}")


def hidden_pixels(component: Component) -> None:
    """What lies under the mask changes nothing: in the picture that is filled, and in what is drawn in training."""
    method = component.ready()
    one = shown_to(component, method, 2)
    other = Batch(torch.where(one.mask.bool(), pictures(2, *one.image.shape[2:], "other"), one.image), one.mask)
    hint = "Only losses and critics may see the truth there; networks are given batch.masked"
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
            method.load_state_dict(state)  # in training mode drawing may move it: spectral norm's vectors
            with doing(what), seeded("hidden"), torch.no_grad():
                results.append(torch.where(one.mask.bool(), draw(given), 0))
        require(torch.equal(*results), f"{what} draws something else when hidden pixels change. {hint}")


def batch_mates(component: Component) -> None:
    """A filled picture does not depend on the others that are filled with it."""
    method = component.ready()
    one, other = (shown_to(component, method, 3, seed) for seed in (0, 1))
    mixed = torch.cat([one.masked[:1], other.masked[1:]])
    require_independent(lambda shown: drawn(method, *shown), (one.masked, one.mask), (mixed, one.mask))


def unusual_masks(component: Component) -> None:
    """A picture without a hole can be shown beside others; one without known pixels is filled, or refused plainly."""
    method = component.ready()
    given = shown_to(component, method, 2)
    some = given.mask.clone()
    some[0] = 0
    for what, mask in (("the first of two masks is empty", some), ("all masks are empty", torch.zeros_like(some))):
        try:
            output = drawn(method, given.image * (1 - mask), mask)
        except Violation as error:
            raise Violation(f"where {what}, {error}") from error
        require_finite(output, f"where {what}, what inpaint drew")
    what = "nothing is known of the pictures (the mask is 1 everywhere)"
    everything = torch.ones_like(some)
    try:
        with torch.no_grad():
            output = method.eval().inpaint(torch.zeros_like(given.image), everything)
    except InpaintkitError:
        return
    except Exception as error:
        hint = "raise InpaintkitError, saying which pictures, or fill them"
        raise Violation(f"where {what}, inpaint raised {type(error).__name__}: {error}. {hint}") from error
    require_finite(output, f"where {what}, what inpaint drew")


def draws_from_rng(component: Component) -> None:
    """A method that draws at random draws from the ``rng`` that it is given: the same numbers, the same picture."""
    method = component.ready()
    if method.randomness == "none":
        raise NotApplicable('it does not draw at random: randomness = "none"')
    given = shown_to(component, method, 2)
    global_state = torch.get_rng_state()
    results = []
    for _ in range(2):
        with doing("inpaint(masked, mask, rng=rng)"):
            results.append(inpaint_padded(method, given.masked, given.mask, torch.Generator().manual_seed(1)))
    hint = "pass generator=rng to everything that is drawn"
    require(torch.equal(*results), f"inpaint draws two pictures from two generators of one seed: {hint}")
    untouched = torch.equal(global_state, torch.get_rng_state())
    require(untouched, f"inpaint is given rng and draws from torch's global generator: {hint}")


def optimized(method: Method) -> dict[str, Tensor]:
    """The parameters that optimizers hold, by name."""
    groups = [group for optimizer in method.optimizers.values() for group in optimizer.param_groups]
    held = {id(parameter) for group in groups for parameter in group["params"]}
    return {name: parameter for name, parameter in method.named_parameters() if id(parameter) in held}


def take_steps(component: Component, method: Method, *seed: int | str) -> Iterable[tuple[str, dict[str, Any]]]:
    """One training step of each stage; its logs."""
    method.train()
    for stage, step in method.trial_steps().items():
        given = shown_to(component, method, 4, "train", step, *seed)
        with doing(f"training_step(batch, {step}) of stage {stage!r}"), seeded("step", step, *seed):
            logs = method.training_step(given, step)
        yield stage, logs


def trains(component: Component) -> None:
    """One step of each stage logs finite scalars and changes parameters; every parameter changes in some stage."""
    method = trained(component)
    require(bool(method.trial_steps()), f"it has {method.steps} steps and no trial_steps(): name one a stage")
    stir(method)
    held = optimized(method)
    trainable = [name for name, parameter in method.named_parameters() if parameter.requires_grad]
    missing = [name for name in trainable if name not in held]
    require(not missing, f"no optimizer holds {few(missing)}: add them to `optimizers`, or freeze them")
    reached: set[str] = set()
    before = {name: parameter.detach().clone() for name, parameter in held.items()}
    for stage, logs in take_steps(component, method):
        require(
            isinstance(logs, dict),
            f"training_step returned a {type(logs).__name__}, not logs by name",
        )
        for name, value in logs.items():
            scalar = isinstance(value, Tensor) and value.ndim == 0
            require(scalar, f"stage {stage!r} logs {name!r}, which is no scalar tensor")
            require(bool(value.isfinite()), f"stage {stage!r} logs {name!r} = {float(value)}")
        now = {name for name, parameter in held.items() if not torch.equal(parameter, before[name])}
        require(bool(now), f"the step of stage {stage!r} changes no parameter: is the optimizer stepped?")
        bad = [name for name in now if not held[name].isfinite().all()]
        require(not bad, f"after the step of stage {stage!r}, {few(bad)} is NaN or infinite")
        # a gradient may cancel: that of a hinge critic's last bias
        reached |= now | {name for name, parameter in held.items() if parameter.grad is not None}
        before = {name: parameter.detach().clone() for name, parameter in held.items()}
    idle = [name for name in held if name not in reached]
    require(not idle, f"no stage changes {few(idle)}: does a term reach them?")


def require_same_weights(one: Method, other: Method, message: str) -> None:
    state = other.state_dict()
    differ = [name for name, value in one.state_dict().items() if not torch.equal(value, state[name])]
    require(not differ, f"{message} ({few(differ, 4)})")


def repeats(component: Component) -> None:
    """A step is a function of weights, batch, step and seed."""
    trained(component)
    methods = []
    for _ in range(2):
        method = component.ready(1)
        for _ in take_steps(component, method):
            pass
        methods.append(method)
    message = "the same steps from the same weights and seed end in other weights: draw with torch's generators alone"
    require_same_weights(methods[0], methods[1], message)


def resumes(component: Component) -> None:
    """A checkpoint brings back weights and optimizers: training goes on bit-equal from it."""
    trained(component)
    first, second = component.ready(1), component.ready(2)
    for _ in take_steps(component, first):
        pass
    with doing("writing a checkpoint"):
        folder = checkpoint.save(component.folder / "checkpoints", 1, first)
    with doing("reading a checkpoint"):
        checkpoint.load_method(folder, second)
        checkpoint.load_optimizers(folder, second)
    require_same_weights(first, second, "weights that were read differ from those that were written")
    for method in (first, second):
        for _ in take_steps(component, method, "again"):
            pass
    message = (
        "after a checkpoint training goes on otherwise than without: keep everything that steps change in the "
        "state_dict or in `optimizers`, and make schedules functions of the step"
    )
    require_same_weights(first, second, message)


def round_trips(component: Component) -> None:
    """What was trained fills holes alike after it is saved and loaded without its ``training_only`` options."""
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
    given = shown_to(component, first, 2)
    results = []
    for method in (first, second):
        with seeded("compare"):
            results.append(drawn(method, given.masked, given.mask))
    message = "the loaded method draws something else: keep all that inpaint uses in the state_dict"
    require(torch.equal(*results), message)


def meta_device(component: Component) -> None:
    """A step of each stage on the meta device, as `inpaintkit check` takes it."""
    method = component.on_meta()
    if not method.steps:
        raise NotApplicable("it is not trained: steps = 0")
    given = shown_to(component, method, 4)
    problems = failing_steps(method, Batch(given.image.to("meta"), given.mask.to("meta")))
    require(not problems, "on the meta device:\n" + "\n".join(problems))


METHOD: dict[str, Check] = {
    "options typed": options_are_typed,
    "builds": builds,
    "inpaints": inpaints,
    "odd sizes": odd_sizes,
    "known pixels bit-exact": known_pixels,
    "hidden pixels unread": hidden_pixels,
    "independent of batch mates": batch_mates,
    "unusual masks": unusual_masks,
    "draws from rng": draws_from_rng,
    "trains": trains,
    "training repeats": repeats,
    "resumes": resumes,
    "state round-trips": round_trips,
    "meta device": meta_device,
}
