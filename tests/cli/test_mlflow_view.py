"""The address that shows two runs side by side in the MLflow UI."""

from skyedge.cli.mlflow_view import comparison_path


def test_both_runs_and_the_experiment_that_they_share_are_in_the_address():
    assert comparison_path(["aa", "bb"], ["1", "1"]) == '/#/compare-runs?runs=["aa","bb"]&experiments=["1"]'


def test_runs_of_two_experiments_name_both():
    assert comparison_path(["aa", "bb"], ["1", "2"]).endswith('experiments=["1","2"]')
