"""Series of images: one rule that passes through the frames at their times and holds the last one."""

from .adversary import GOALS, Change, find_change
from .course import Course, box_error, decades, follow, follow_anew, held_at, still_errors
from .draw import DRAWINGS, draw_series
from .pictures import draw_strip
from .pruning import pruned
from .regrowth import DAMAGES, Regrowth, random_ages, regrow
from .series import Series, read_series_file
from .settings import EXPERIMENTS, ImageRuleSettings, ImageSettings, load_image_experiment
from .training import build_image_rule, load_image_run, train_images

__all__ = [
    "DAMAGES",
    "DRAWINGS",
    "EXPERIMENTS",
    "GOALS",
    "Change",
    "Course",
    "ImageRuleSettings",
    "ImageSettings",
    "Regrowth",
    "Series",
    "box_error",
    "build_image_rule",
    "decades",
    "draw_series",
    "draw_strip",
    "find_change",
    "follow",
    "follow_anew",
    "held_at",
    "load_image_experiment",
    "load_image_run",
    "pruned",
    "random_ages",
    "read_series_file",
    "regrow",
    "still_errors",
    "train_images",
]
