from skyedge.layers.mesh.defaults import (
    HashWish,
    OutlierWish,
    hash_policy,
    mirror_percent,
    outlier_settings,
    panic_percent,
)
from skyedge.layers.mesh.retries import RetryWish, retry_conditions, retry_policy


def test_numbers_that_are_http_statuses_become_codes_and_others_stay_conditions():
    assert retry_conditions(" 5xx , 503, 1000,,") == (("5xx", "1000", "retriable-status-codes"), (503,))
    assert retry_conditions("retriable-status-codes,404") == (("retriable-status-codes",), (404,))


def test_the_receiving_proxy_repeats_only_what_was_not_begun():
    policy = retry_policy(None, inbound=True)
    assert policy is not None
    assert policy.conditions == ("reset-before-request",)
    assert not policy.avoid_previous_hosts


def test_a_request_that_belongs_to_one_host_stays_with_it_unless_told_otherwise():
    for wish, avoids in ((None, False), (RetryWish(3), False), (RetryWish(3, ignore_previous_hosts=True), True)):
        policy = retry_policy(wish, consistent_hash=True)
        assert policy is not None
        assert policy.avoid_previous_hosts is avoids


def test_no_attempts_is_no_policy():
    assert retry_policy(RetryWish(0)) is None
    assert retry_policy(RetryWish(0), inbound=True) is None


def test_a_limit_of_zero_switches_a_check_off():
    told = outlier_settings(OutlierWish(consecutive_5xx_errors=7, consecutive_gateway_errors=0))
    assert told == {
        "enforcing_success_rate": 0,
        "consecutive_5xx": 7,
        "enforcing_consecutive_5xx": 100,
        "consecutive_gateway_failure": 0,
        "enforcing_consecutive_gateway_failure": 0,
    }


def test_local_failures_count_apart_only_if_they_are_split():
    assert outlier_settings(OutlierWish(consecutive_local_origin_failures=3)) == {"enforcing_success_rate": 0}


def test_panic_is_off_with_outlier_detection_unless_a_least_health_is_given():
    assert panic_percent(OutlierWish()) == 0
    assert panic_percent(OutlierWish(min_health_percent=20)) == 20
    assert panic_percent(None) == 50


def test_hash_policies_have_sizes_of_their_own():
    assert hash_policy(HashWish(minimum_ring_size=64)) == ("RING_HASH", 64)
    assert hash_policy(HashWish(ring=True, minimum_ring_size=64)) == ("RING_HASH", None)
    assert hash_policy(HashWish(maglev=True, table_size=251)) == ("MAGLEV", 251)


def test_the_newer_share_of_mirrors_counts_before_the_older():
    assert mirror_percent() == 100
    assert mirror_percent(5.0, 50.0) == 5.0
    assert mirror_percent(0.0, 50.0) is None
    assert mirror_percent(None, 50.0) == 50.0
