"""Every group is a group, whichever dict line it came in by."""

import itertools

import pytest

from pdenca.core import BadInputError
from pdenca.symmetry import (
    C1,
    C2,
    C4,
    CUBE,
    CUBE_ROTATIONS,
    D1_0,
    D1_1,
    D2,
    D4,
    GROUPS,
    Element,
    Group,
)

EVERY_GROUP = pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS.keys())


@EVERY_GROUP
def test_closed_with_identity_and_inverses(group):
    for element in group:
        assert group.compose(group.identity, element) is element
        assert group.compose(element, group.inverse(element)) is group.identity
        assert group.compose(group.inverse(element), element) is group.identity
        # multiplying by one element permutes the group
        assert {group.compose(element, other) for other in group} == set(group.elements)


@EVERY_GROUP
def test_associative(group):
    some = group.elements[:: max(1, group.order // 8)]
    for a, b, c in itertools.product(some, repeat=3):
        assert group.compose(a, group.compose(b, c)) is group.compose(group.compose(a, b), c)


@EVERY_GROUP
def test_determinant_is_multiplicative(group):
    for a, b in itertools.product(group, repeat=2):
        assert group.compose(a, b).determinant == a.determinant * b.determinant


@EVERY_GROUP
def test_dictionary_key_is_the_name(group):
    assert GROUPS[group.name] is group


def test_orders_and_subgroups():
    orders = {"C1": 1, "C2": 2, "D1-0": 2, "D1-1": 2, "D2": 4, "C4": 4, "D4": 8}
    orders |= {"line": 2, "cube-rotations": 24, "cube": 48}
    assert {name: group.order for name, group in GROUPS.items()} == orders
    assert set(CUBE_ROTATIONS) < set(CUBE)
    for small in (C1, C2, D1_0, D1_1, D2, C4):
        assert set(small) <= set(D4)
    assert all(element.determinant == 1 for element in C4)
    assert sum(element.determinant == -1 for element in D4) == 4


def test_rotation_goes_from_axis_0_towards_axis_1():
    # the unit vector along axis 0, (1, 0), must become the one along axis 1, (0, 1)
    matrix = C4["rotate 90"].matrix
    assert [row[0] for row in matrix] == [0, 1]


def test_d4_is_not_commutative():
    turn, flip = D4["rotate 90"], D4["flip axis 0"]
    assert D4.compose(turn, flip) is not D4.compose(flip, turn)
    assert D4.compose(turn, flip).name == "anti-transpose"


def test_determinant_in_three_dimensions():
    cycle = Element("cycle", ((0, 0, 1), (1, 0, 0), (0, 1, 0)))
    swap = Element("swap", ((0, 1, 0), (1, 0, 0), (0, 0, 1)))
    inversion = Element("inversion", ((-1, 0, 0), (0, -1, 0), (0, 0, -1)))
    assert [element.determinant for element in (cycle, swap, inversion)] == [1, -1, -1]


@pytest.mark.parametrize(
    "matrix",
    [(), ((1, 1), (0, 1)), ((2, 0), (0, 1)), ((1, 0), (1, 0)), ((1, 0, 0), (0, 1, 0)), ((0, 0), (0, 1))],
)
def test_a_matrix_that_moves_cells_off_the_lattice_is_refused(matrix):
    with pytest.raises(BadInputError, match="single \\+1 or -1"):
        Element("skew", matrix)


def test_incomplete_groups_are_refused():
    with pytest.raises(BadInputError, match="not closed: 'rotate 90' after 'rotate 90'"):
        Group("broken", (C4.identity, C4["rotate 90"]))
    with pytest.raises(BadInputError, match="identity first"):
        Group("broken", (C4["rotate 180"], C4.identity))
    with pytest.raises(BadInputError, match="twice"):
        Group("broken", (C4.identity, C4["rotate 180"], C4["rotate 180"]))
    with pytest.raises(BadInputError, match="no elements"):
        Group("broken", ())
    with pytest.raises(BadInputError, match="different numbers of axes"):
        Group("broken", (C4.identity, Element("line", ((1,),))))


def test_unknown_names_and_strangers_are_refused():
    with pytest.raises(
        BadInputError, match="no element 'rotate 45'; expected one of 'identity', 'rotate 90'"
    ):
        C4["rotate 45"]
    with pytest.raises(BadInputError, match="take the elements from the group itself"):
        C4.compose(D4["transpose"], C4.identity)
