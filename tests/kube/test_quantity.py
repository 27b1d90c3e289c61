from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.kube.problem import Problem
from skyedge.kube.quantity import Resources, amount_of

DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9}
BINARY = {"Ki": 1, "Mi": 2, "Gi": 3}


@given(st.integers(0, 9999), st.integers(0, 999), st.sampled_from([*DECIMAL, *BINARY]), st.sampled_from(["cpu", "memory"]))
def test_a_quantity_is_exact_and_rounded_up(whole, thousandths, unit, resource):
    size = Fraction(1024) ** BINARY[unit] if unit in BINARY else Fraction(10) ** DECIMAL[unit]
    exact = Fraction(whole * 1000 + thousandths, 1000) * size * (1000 if resource == "cpu" else 1)
    assert amount_of(resource, f"{whole}.{thousandths:03}{unit}") == ceil(exact)


@given(st.integers(0, 10**6), st.integers(-6, 6), st.sampled_from("eE"))
def test_an_exponent_counts_like_a_unit(number, exponent, letter):
    assert amount_of("memory", f"{number}{letter}{exponent}") == ceil(number * Fraction(10) ** exponent)


@pytest.mark.parametrize(
    ("resource", "text", "amount"),
    [
        # From the Kubernetes documentation, "Resource units in Kubernetes".
        ("cpu", "0.1", 100),
        ("cpu", "100m", 100),
        ("cpu", 2, 2000),
        ("cpu", 0.5, 500),
        ("memory", "128974848", 128974848),
        ("memory", "129e6", 129_000_000),
        ("memory", "129M", 129_000_000),
        ("memory", "128974848000m", 128974848),
        ("memory", "123Mi", 128974848),
        ("hugepages-2Mi", "4Mi", 4 << 20),
        ("ephemeral-storage", "1E", 10**18),
        ("nvidia.com/gpu", "2", 2000),
        ("memory", ".5Ki", 512),
        ("memory", "5.", 5),
        ("memory", "+5", 5),
    ],
)
def test_quantities_of_the_documentation(resource, text, amount):
    assert amount_of(resource, text) == amount


@pytest.mark.parametrize(
    ("text", "right"),
    [("2.5Gb", "2.5Gi"), ("2.5GB", "2.5Gi"), ("4gi", "4Gi"), ("1mib", "1Mi"), ("10K", "10Ki"), ("7GiB", "7Gi")],
)
def test_a_misspelt_unit_is_answered_with_the_right_one(text, right):
    with pytest.raises(Problem) as problem:
        amount_of("memory", text)
    assert problem.value.nearest == right


@pytest.mark.parametrize(
    "text", ["", "-1", "-500m", "1 Gi", "1e", "e3", "one", ".", "1.2.3", "0x10", "99E", True, None, [1]]
)
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(Problem):
        amount_of("memory", text)


def test_the_resource_with_the_wrong_quantity_is_named():
    with pytest.raises(Problem) as problem:
        Resources.read({"cpu": "1", "memory": "x"})
    assert problem.value.path == ("memory",)
