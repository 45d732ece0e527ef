"""The Gray-Scott equations: two chemicals, six kinds of pattern."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core.field import Field

from ..equation import Factored, Preset
from ..parameters import Parameter, expand, mean_over_space, varies_in_space
from ..reaction_diffusion import Diffusivity, ReactionDiffusion
from .gray_scott_regimes import regime_presets


@dataclass(frozen=True, eq=False)
class GrayScott(ReactionDiffusion):
    """Autocatalysis A + 2B -> 3B in a reactor that is fed with A and drained of everything.

        ∂A/∂t = D_A ∇²A - A B² + F (1 - A)
        ∂B/∂t = D_B ∇²B + A B² - (F + k) B

    A is the food, fed at rate F towards A = 1; B eats it, multiplies, and is removed at rate F + k. A = 1, B
    = 0 is always a stable steady state, so patterns need a finite disturbance; what grows from it depends on
    F and k alone (see ``REGIMES``). Nothing holds a pattern without mirror symmetry in place on a periodic
    domain: a maze that has settled drifts on, at a speed of the order of 1e-5. Concentrations and lengths are
    dimensionless, time is in seconds by convention.

    The default diffusivities belong to a domain of side 2 with 128 cells (spacing 1/64), where maze and spot
    patterns have a wavelength of about 8.5 cells. The spatial mean obeys the exact budget
    d<A + B>/dt = F (1 - <A>) - (F + k) <B>.

    Arguments:
        feed_rate: F (1/time); a number, (batch,) or (batch, *space).
        kill_rate: k (1/time); likewise.
        diffusivity_a: D_A (length²/time); a number, (batch,), (batch, *space), or one of these per axis.
        diffusivity_b: D_B (length²/time); likewise.

    References:
        J. E. Pearson, Complex patterns in a simple system, Science 261 (1993) 189, equations (2).
    """

    name: ClassVar[str] = "gray-scott"
    fields: ClassVar[tuple[Field, ...]] = (Field("A"), Field("B"))
    presets: ClassVar[Mapping[str, Preset]] = regime_presets()

    feed_rate: Parameter
    kill_rate: Parameter
    diffusivity_a: Diffusivity = 2e-5
    diffusivity_b: Diffusivity = 1e-5

    def parameters(self) -> dict[str, Parameter]:
        """Return feed_rate and kill_rate."""
        return {"feed_rate": self.feed_rate, "kill_rate": self.kill_rate}

    def diffusivities(self) -> tuple[Diffusivity, ...]:
        """Return D_A and D_B."""
        return (self.diffusivity_a, self.diffusivity_b)

    def reaction(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch channel *space"]:
        """Return (-A B² + F (1 - A), A B² - (F + k) B)."""
        a, b = state.unbind(1)
        feed, kill = expand(self.feed_rate, a), expand(self.kill_rate, a)
        conversion = a * b * b
        return torch.stack((feed * (1 - a) - conversion, conversion - (feed + kill) * b), dim=1)

    def linear_rate(self) -> tuple[Parameter, ...]:
        """Return (-F, -(F + k)); of parameters that vary in space, their mean."""
        feed, kill = mean_over_space(self.feed_rate), mean_over_space(self.kill_rate)
        return (-feed, -(feed + kill))

    def factored_nonlinear(self) -> Factored:
        """Return (F, 0) + (-1, +1) A B²: both fields share the one product, hence one forward transform."""
        if varies_in_space(self.feed_rate) or varies_in_space(self.kill_rate):
            return super().factored_nonlinear()
        return Factored(_conversion, coefficients=(-1.0, 1.0), source=(self.feed_rate, 0.0))

    def budget(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, " batch"]:
        """Return d<A + B>/dt = <F (1 - A) - (F + k) B>."""
        a, b = state.unbind(1)
        feed, kill = expand(self.feed_rate, a), expand(self.kill_rate, a)
        return (feed * (1 - a) - (feed + kill) * b).flatten(1).mean(1)

    def homogeneous_states(self) -> tuple[tuple[Parameter, ...], ...]:
        """Return the bare state (1, 0) and, where k < √F/2 - F, the two reacted ones.

        With s = √(1 - 4 (F + k)²/F) they are A = (1 ∓ s)/2, B = F (1 ± s)/(2 (F + k)). Only the bare one
        unless F and k are numbers.
        """
        feed, kill = self.feed_rate, self.kill_rate
        if isinstance(feed, Tensor) or isinstance(kill, Tensor) or not feed > 4 * (feed + kill) ** 2:
            return ((1.0, 0.0),)
        root = math.sqrt(1 - 4 * (feed + kill) ** 2 / feed)
        reacted = (((1 - s) / 2, feed * (1 + s) / (2 * (feed + kill))) for s in (root, -root))
        return ((1.0, 0.0), *reacted)


def _conversion(state: Tensor) -> Tensor:
    a, b = state[:, :1], state[:, 1:]
    return (b * b).mul_(a)
