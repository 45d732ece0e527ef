"""Finite groups of rotations and reflections that carry a lattice of lines, squares or cubes onto itself."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from pdenca.core import BadInputError

Matrix = tuple[tuple[int, ...], ...]
"""A signed permutation matrix: one entry +1 or -1 in every row and every column, all others 0."""


@dataclass(frozen=True)
class Element:
    """One rotation or reflection g, acting on positions about the centre of the grid: x -> M x.

    Arguments:
        name: what it does, e.g. ``"rotate 90"``.
        matrix: M, a signed permutation matrix; row i tells where coordinate i of the image comes from. Axis 0
            is the first space axis of a state, axis 1 the second, and so on.

    Raises:
        BadInputError: if the matrix is no signed permutation, so that cells would not land on cells.
    """

    name: str
    matrix: Matrix

    def __post_init__(self) -> None:
        num_dims = len(self.matrix)
        rows_fit = all(
            len(row) == num_dims and sorted(map(abs, row)) == [0] * (num_dims - 1) + [1]
            for row in self.matrix
        )
        if not num_dims or not rows_fit or len(set(self.source_axes)) != num_dims:
            raise BadInputError(
                f"element {self.name!r} got the matrix {self.matrix}, expected a square one with a single +1 "
                "or -1 in every row and column; usual cure: rotate by multiples of 90 degrees only"
            )

    @property
    def num_dims(self) -> int:
        """Number of space axes it acts on."""
        return len(self.matrix)

    @property
    def source_axes(self) -> tuple[int, ...]:
        """For every axis of the image, the axis it comes from."""
        return tuple(next(j for j, entry in enumerate(row) if entry) for row in self.matrix)

    @property
    def signs(self) -> tuple[int, ...]:
        """For every axis of the image, +1 if it keeps its direction and -1 if it is turned round."""
        return tuple(sum(row) for row in self.matrix)

    @property
    def determinant(self) -> int:
        """+1 for a rotation, -1 for a reflection."""
        axes = self.source_axes
        inversions = sum(axes[i] > axes[j] for j in range(len(axes)) for i in range(j))
        sign = -1 if inversions % 2 else 1
        for factor in self.signs:
            sign *= factor
        return sign


def product(left: Matrix, right: Matrix) -> Matrix:
    """Return the matrix of "first ``right``, then ``left``"."""
    columns = tuple(zip(*right, strict=True))
    return tuple(
        tuple(sum(a * b for a, b in zip(row, column, strict=True)) for column in columns) for row in left
    )


@dataclass(frozen=True)
class Group:
    """A finite group of lattice symmetries.

    Arguments:
        name: its usual name, e.g. ``"D4"``.
        elements: all elements, the identity first; names and matrices must be distinct, and the elements
            closed under composition.

    Raises:
        BadInputError: if the elements do not form a group.

    Example:
        >>> quarter = D4["rotate 90"]
        >>> D4.compose(quarter, quarter).name
        'rotate 180'
        >>> D4.inverse(quarter).name
        'rotate 270'
    """

    name: str
    elements: tuple[Element, ...]

    def __post_init__(self) -> None:
        if not self.elements:
            raise BadInputError(f"group {self.name!r} got no elements, expected at least the identity")
        num_dims = self.elements[0].num_dims
        if any(element.num_dims != num_dims for element in self.elements):
            raise BadInputError(f"group {self.name!r} mixes elements that act on different numbers of axes")
        if len({e.name for e in self.elements}) < self.order or len(self._by_matrix) < self.order:
            raise BadInputError(f"group {self.name!r} has an element or a name twice")
        if any(row[i] != 1 for i, row in enumerate(self.elements[0].matrix)):
            raise BadInputError(
                f"group {self.name!r} must list the identity first, got {self.elements[0].name!r}"
            )
        # a finite set that is closed also has the inverses: they need no check of their own
        for left in self.elements:
            for right in self.elements:
                if product(left.matrix, right.matrix) not in self._by_matrix:
                    raise BadInputError(
                        f"group {self.name!r} is not closed: {left.name!r} after {right.name!r} is none of "
                        "its elements; usual cure: add it"
                    )

    @cached_property
    def _by_matrix(self) -> dict[Matrix, Element]:
        return {element.matrix: element for element in self.elements}

    @property
    def order(self) -> int:
        """Number of elements."""
        return len(self.elements)

    @property
    def num_dims(self) -> int:
        """Number of space axes its elements act on."""
        return self.elements[0].num_dims

    @property
    def identity(self) -> Element:
        """The element that moves nothing."""
        return self.elements[0]

    def __iter__(self) -> Iterator[Element]:
        return iter(self.elements)

    def __getitem__(self, name: str) -> Element:
        for element in self.elements:
            if element.name == name:
                return element
        names = ", ".join(repr(element.name) for element in self.elements)
        raise BadInputError(f"group {self.name} has no element {name!r}; expected one of {names}")

    def compose(self, left: Element, right: Element) -> Element:
        """Return the element that does ``right`` first, then ``left``."""
        return self._find(product(left.matrix, right.matrix))

    def inverse(self, element: Element) -> Element:
        """Return the element that undoes ``element``."""
        return self._find(tuple(zip(*element.matrix, strict=True)))

    def _find(self, matrix: Matrix) -> Element:
        try:
            return self._by_matrix[matrix]
        except KeyError:
            raise BadInputError(
                f"group {self.name} has no element with the matrix {matrix}; usual cure: take the elements "
                "from the group itself"
            ) from None


_IDENTITY = Element("identity", ((1, 0), (0, 1)))
_ROTATE_90 = Element("rotate 90", ((0, -1), (1, 0)))
_ROTATE_180 = Element("rotate 180", ((-1, 0), (0, -1)))
_ROTATE_270 = Element("rotate 270", ((0, 1), (-1, 0)))
_FLIP_0 = Element("flip axis 0", ((-1, 0), (0, 1)))
_FLIP_1 = Element("flip axis 1", ((1, 0), (0, -1)))
_TRANSPOSE = Element("transpose", ((0, 1), (1, 0)))
_ANTI_TRANSPOSE = Element("anti-transpose", ((0, -1), (-1, 0)))

C1 = Group("C1", (_IDENTITY,))
"""No symmetry at all: the unconstrained case."""

D1_0 = Group("D1-0", (_IDENTITY, _FLIP_0))
"""One mirror, which turns axis 0 round; the symmetry of a process with a direction along axis 1."""

D1_1 = Group("D1-1", (_IDENTITY, _FLIP_1))
"""One mirror, which turns axis 1 round; the symmetry of a process with a direction along axis 0."""

C2 = Group("C2", (_IDENTITY, _ROTATE_180))
"""Half turns; fits rectangular grids too."""

D2 = Group("D2", (_IDENTITY, _ROTATE_180, _FLIP_0, _FLIP_1))
"""Half turns and the two flips; all the symmetries of a rectangular grid."""

C4 = Group("C4", (_IDENTITY, _ROTATE_90, _ROTATE_180, _ROTATE_270))
"""Quarter turns of the square; counted from axis 0 towards axis 1."""

D4 = Group("D4", (*C4.elements, _FLIP_0, _FLIP_1, _TRANSPOSE, _ANTI_TRANSPOSE))
"""All eight symmetries of the square."""


def trivial_group(num_dims: int) -> Group:
    """Return the group of the identity alone, which constrains nothing; C1 in two dimensions."""
    if num_dims == C1.num_dims:
        return C1
    rows = tuple(tuple(int(row == column) for column in range(num_dims)) for row in range(num_dims))
    return Group(f"C1 of {num_dims} axes", (Element("identity", rows),))


LINE = Group("line", (Element("identity", ((1,),)), Element("flip axis 0", ((-1,),))))
"""The two symmetries of an interval."""


def _signed_permutations(num_dims: int) -> tuple[Element, ...]:
    """All symmetries of a square or cube, the identity first, named by where the coordinates come from."""
    elements = []
    for axes in itertools.permutations(range(num_dims)):
        for signs in itertools.product((1, -1), repeat=num_dims):
            rows = [
                tuple(sign if column == axis else 0 for column in range(num_dims))
                for axis, sign in zip(axes, signs, strict=True)
            ]
            name = " ".join(
                ("+" if sign > 0 else "-") + "xyz"[axis] for axis, sign in zip(axes, signs, strict=True)
            )
            elements.append(Element(name, tuple(rows)))
    return tuple(elements)


CUBE = Group("cube", _signed_permutations(3))
"""All 48 symmetries of the cube (O_h), rotations and reflections, each named by its image of (x, y, z)."""

CUBE_ROTATIONS = Group("cube-rotations", tuple(element for element in CUBE if element.determinant == 1))
"""The 24 rotations of the cube (O)."""

GROUPS: dict[str, Group] = {
    group.name: group for group in (C1, C2, D1_0, D1_1, D2, C4, D4, LINE, CUBE_ROTATIONS, CUBE)
}
"""Group name -> group, the choices of settings and of parametrised tests; a group's ``num_dims`` tells where
it acts."""
