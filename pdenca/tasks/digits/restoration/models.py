"""Restorers: what sees a damaged digit, works on it and answers with a whole one."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdenca.baselines.networks.u_net import UNet
from pdenca.core import BadInputError

from .lattice import LatticeBody, Wound
from .networks import AutoEncoder, NetworkBody, OnDigits
from .settings import LATTICES, GateSettings, RestorerSettings

Images = Float[Tensor, "batch 28 28"]


class Restorer(nn.Module):
    """Damaged digits -> whole ones.

    Arguments:
        settings: of the restorer.
        body: what does the work.
    """

    def __init__(self, settings: RestorerSettings, body: LatticeBody | NetworkBody) -> None:
        super().__init__()
        self.settings, self.body = settings, body

    @property
    def num_parameters(self) -> int:
        """Number of learned numbers."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)

    @property
    def num_steps(self) -> int:
        """Steps on the way; of an ordinary network 1."""
        return self.settings.num_steps if self.settings.kind in LATTICES else 1

    def forward(self, damaged: Images, known: Images) -> Images:
        """Return the restored digits."""
        return self.film(damaged, known, 1)[:, -1]

    def film(
        self,
        damaged: Images,
        known: Images,
        last: int | None = None,
        *,
        num_steps: int | None = None,
        wound: Wound | None = None,
        watch: Callable[[Tensor, Tensor], None] | None = None,
    ) -> Float[Tensor, "batch step 28 28"]:
        """Return what could be read off after each of the ``last`` steps; all of them by default.

        Arguments:
            damaged: grey values, 0 to 1.
            known: 1 where a pixel is known, else 0.
            last: how many.
            num_steps: of a lattice; as many as in training by default.
            wound: what the lattice loses on the way. Pixels under it are not put back if known ones are kept.
            watch: called with a lattice's states before and after each of those steps.

        Raises:
            BadInputError: for steps, a wound or a watch of a model that has no cells.
        """
        seen, body = self.seen(damaged, known), self.body
        if isinstance(body, NetworkBody):
            if num_steps is not None or wound is not None or watch is not None:
                raise BadInputError(
                    f"the kind {self.settings.kind!r} answers at once and has no cells; usual cure: one of "
                    f"{', '.join(LATTICES)}"
                )
            films = list(body.frames(seen))
        else:
            num_steps = self.num_steps if num_steps is None else num_steps
            if wound is None and self.training and self.settings.largest_wound:
                wound = body.random_wound(len(damaged))
            before = body.random_delay() if self.training else 0
            shown = num_steps if last is None else last
            films = list(body.frames(seen, num_steps, shown, wound, before, watch))
        restored = torch.stack(films, 1)
        if self.settings.keep_known:
            kept = known[:, None].expand_as(restored)
            if wound is not None:
                assert isinstance(body, LatticeBody)  # networks have been refused
                assert num_steps is not None
                numbers = torch.arange(num_steps - restored.shape[1], num_steps) + 1
                hurt = (numbers >= wound.after)[:, None, None]
                kept = torch.where(hurt, kept * body.on_image(wound.alive)[:, None], kept)
            restored = torch.where(kept > 0, damaged[:, None], restored)
        return restored

    def without_gate(self) -> "Restorer":
        """Return the same restorer with its gate removed, nothing else changed.

        Raises:
            BadInputError: if it has no gate, or nothing but a gate.
        """
        if not isinstance(self.body, LatticeBody) or self.body.gate is None or self.body.automaton is None:
            raise BadInputError(
                f"the kind {self.settings.kind!r} has no gate that could be removed; usual cure: a hybrid"
            )
        settings = self.settings.replace(kind="ca", gate=GateSettings())
        bare = build_restorer(settings)
        kept = {name: value for name, value in self.state_dict().items() if not name.startswith("body.gate.")}
        bare.load_state_dict(kept)
        return bare.train(self.training)

    def seen(self, damaged: Images, known: Images) -> Float[Tensor, "batch input 28 28"]:
        """Return what a model is shown: the damaged image, and the mask if it is told."""
        return torch.stack((damaged, known), 1) if self.settings.told_mask else damaged[:, None]


def build_restorer(settings: RestorerSettings, seed: int = 0) -> Restorer:
    """Build a restorer with random weights.

    Arguments:
        settings: of the restorer.
        seed: of the weights.
    """
    inputs = 2 if settings.told_mask else 1
    body: LatticeBody | NetworkBody
    with torch.random.fork_rng(devices=[]):  # torch's layers draw from the global generator
        torch.manual_seed(seed)
        if settings.kind == "auto-encoder":
            body = NetworkBody(AutoEncoder(inputs, settings.num_code))
        elif settings.kind == "u-net":
            body = NetworkBody(OnDigits(UNet(inputs, 1, 2, width=settings.width, num_levels=2)))
        else:
            body = LatticeBody(settings, torch.Generator().manual_seed(seed))
    return Restorer(settings, body)
