"""What the founding paper shows, what stands for it here, and where the two differ."""

from dataclasses import dataclass
from typing import Final, Literal

PAPER: Final = "Richardson, Antal, Blythe, Schumacher, PLOS Comput. Biol. 20 (2024) e1011589"


@dataclass(frozen=True)
class Look:
    """One column of a table.

    Arguments:
        words: what it is.
        split, window, metric: as the table of a sweep has them.
    """

    words: str
    split: str
    window: str
    metric: str = "pooled_vrmse"


@dataclass(frozen=True)
class Counterpart:
    """What stands for one of the paper's figures.

    Arguments:
        title: of the section.
        theirs: what the paper shows.
        differs: where ours differs, and why.
        sweep: whose table it is drawn from.
        looks: at that table.
        measure: what the numbers are.
        scale: of an axis of numbers.
        of_images: whether it is one of image series.
    """

    title: str
    theirs: str
    differs: str
    sweep: str
    looks: tuple[Look, ...]
    measure: str = "pooled VRMSE"
    scale: Literal["linear", "log"] = "linear"
    of_images: bool = False

    @property
    def command(self) -> str:
        """What makes the table, once its data are there."""
        folder = "runs" if self.of_images else "runs/founding"
        return f"pdenca sweep {self.sweep} --out {folder}/{self.sweep}"


INTRODUCTION: Final = (
    f"Made by `python benchmarks/founding_figures.py` from the tables of sweeps; each sweep's settings in "
    f"`pdenca/experiments/sweeps` begin with the commands that make its data. The paper: {PAPER}.",
    "",
    "The model is the paper's, 776 parameters, in its own setting: 64 x 64 cells, explicit Euler steps of 1 "
    "with its own stencil (`pdenca generate gray-scott-founding`), its feed and kill rate, four starts of "
    "blocks, 1024 time units, one automaton step per unit. Three things differ everywhere. The starts are "
    "drawn after the paper's description, not copied. Sweeps take 500 training steps of 8 pairs, not 4,000 "
    "of 64 (the settings that end in `-full` do), so that each ends in an hour or two on two cores. And what "
    "is kept is the rule that is best on unseen validation starts, every 96 time units for all of them, not "
    "the one with the least training loss.",
    "",
    "Errors are pooled VRMSE (1: as good as the spatial mean of every true frame) over frames every 8 time "
    "units, from the first frame alone; the paper's numbers are Euclidean norms in units of its own data, "
    "and were never compared with anything. Of seeds the median [smallest, largest]. Beside the rules stand "
    "*persistence*, the first frame for ever, and *our rule*, the default one of this project trained on the "
    "same data.",
)

TRAINING: Final = Look("training starts", "train", "1:128")
UNSEEN: Final = Look("unseen starts", "test", "1:128")
AT_1024: Final = Look("unseen, n = 1024", "test", "128")
TWICE: Final = Look("unseen, to n = 2048", "ood_horizon", "129:256")
AT_2048: Final = Look("unseen, n = 2048", "ood_horizon", "256")
USUAL: Final = (TRAINING, UNSEEN, AT_1024, TWICE)


def _square_error(words: str, window: str) -> Look:
    return Look(words, "series", window, "mean_squared_error")


IMAGES: Final = (
    _square_error("worst", "worst"),
    _square_error("frame 1", "frame 1"),
    _square_error("held 1000", "held 1000"),
)

COUNTERPARTS: Final = (
    Counterpart(
        "Fig 4A and B: time sampling",
        "training loss (least over the epochs) and loss of the best automaton on unseen starts against the "
        "time t between frames, and unseen starts at n = 2048.",
        "all are scored on the same frames, whatever they learned from; losses at different t are not the "
        "same quantity.",
        "founding-time-sampling",
        (TRAINING, UNSEEN, TWICE, AT_2048),
        scale="log",
    ),
    Counterpart(
        "Fig 6A: noise in the data",
        "loss on an unseen start against the share of uniform noise in inputs and targets.",
        "the noise is drawn once and spans the range of our data, which is theirs up to rounding.",
        "founding-noise",
        USUAL,
    ),
    Counterpart(
        "Other feed and kill rates",
        "one automaton for each of nine pairs, which their code lists.",
        "some pairs die out from these starts, where a variance-scaled error divides by next to nothing. "
        "*Our rule* is one network that is told the pair.",
        "founding-pairs",
        USUAL,
    ),
    Counterpart(
        "Loss functions",
        "Euclidean, spectral, Bhattacharyya and Hellinger losses by time sampling.",
        "at one t only (`founding-losses-full` has all); further distances; the penalty on channels out of "
        "range keeps its weight beside all of them, which a fixed number does not.",
        "founding-losses",
        USUAL,
        "pooled VRMSE",
    ),
    Counterpart(
        "Activations",
        "linear, relu, swish and tanh, together with layers and kernels, on four data sets and two losses.",
        "one axis at a time, on Gray-Scott alone: 256 runs do not end in an hour.",
        "founding-activations",
        USUAL,
    ),
    Counterpart(
        "Layers",
        "one and two hidden layers (there called 2 and 3).",
        "further layers have biases, and all start as He et al. draw them.",
        "founding-layers",
        USUAL,
    ),
    Counterpart(
        "Kernels",
        "sets of fixed kernels.",
        "all ten sets; as theirs otherwise.",
        "founding-kernels",
        USUAL,
    ),
    Counterpart(
        "Channels",
        "for equations not varied (8).",
        "a sweep of our own: 2 to 16 with four times as many hidden units.",
        "founding-channels",
        USUAL,
    ),
    Counterpart(
        "Optimisers",
        "Adagrad, Adam and Nadam, gradients as they are or divided by their norms.",
        "SOAP beside them.",
        "founding-optimisers",
        USUAL,
    ),
    Counterpart(
        "Learning rates",
        "1e-5 to 10, three optimisers, with and without normalised gradients, two training modes.",
        "1e-5 to 0.1 with normalised gradients (`founding-learning-rates-full` has the others); states are "
        "fitted, not increments, which for the last of the steps is the same.",
        "founding-learning-rates",
        USUAL,
        scale="log",
    ),
    Counterpart(
        "Videos V4 to V6: 128 x 128 cells, 4096 steps",
        "an automaton and the equation side by side from unseen starts; measured on the frames of their "
        "videos, the correlation falls from 0.99 to 0.78.",
        "numbers instead of videos, for three time samplings; trajectories part while textures stay alike.",
        "founding-large",
        (
            Look("64 x 64, to n = 1024", "test", "1:128"),
            Look("128 x 128, to n = 1024", "ood_domain", "1:128"),
            Look("128 x 128, to n = 4096", "ood_domain", "129:512"),
            Look("128 x 128, n = 4096", "ood_domain", "512"),
            Look("the same, log spectra", "ood_domain", "512", "spectrum_distance"),
        ),
        scale="log",
    ),
    Counterpart(
        "Images: channels and steps between images",
        "loss of emoji sequences against channels and steps.",
        "pictures drawn by code, errors over the box around them, held for long.",
        "images-steps",
        IMAGES,
        "mean squared error",
        of_images=True,
    ),
    Counterpart(
        "Images: how far a cell sees",
        "the sets of kernels above, none of which reaches beyond the next cell.",
        "also kernels with taps two and four cells apart, on a state that is smoothed before.",
        "images-kernels",
        IMAGES,
        "mean squared error",
        scale="log",
        of_images=True,
    ),
    Counterpart(
        "Images: noise and firing",
        "noise in training is said to be vital for holding.",
        "noise on the starts of training, by how often cells act.",
        "images-noise",
        IMAGES,
        "mean squared error",
        of_images=True,
    ),
    Counterpart(
        "Images: losses",
        "the losses above, and those of a trained network and of optimal transport.",
        "no trained network: texture statistics of a fixed bank of filters.",
        "images-distances",
        IMAGES,
        "mean squared error",
        of_images=True,
    ),
)

WITHOUT: Final = (
    "Figs 1 and 2 (the model, and how states are passed on) are drawings of the method; see "
    "`PropagatedPairs` and `SequenceMatching`.",
    "Fig 3 (the equation's own pattern): `pdenca generate gray-scott-founding`, then `pdenca info`.",
    "Stability, regrowth, extreme starts, pruning, symmetry, and the mean and the size of the error against "
    "time: `pdenca images reproduce`.",
)
