"""What public workflows of the Stable Diffusion family use is here."""

import pytest

from tests.coverage_of_workflows.coverage import SD_CLASSES, Workflow, built_in, classes, complete, report, workflows

UNSPECIFIED = {"DA3Inference", "DA3Render", "LoadDA3Model"}
"""Depth Anything 3, of another architecture, in one public workflow: nothing here says what its nodes do."""

SD = [each for each in workflows() if each.is_sd]


def test_every_class_that_stable_diffusion_workflows_use_is_here() -> None:
    wanted = {each.name for each in classes()[:SD_CLASSES]}
    assert wanted - built_in() == UNSPECIFIED


@pytest.mark.parametrize("workflow", SD, ids=lambda each: each.name)
def test_an_example_workflow_of_the_family_has_all_its_nodes(workflow: Workflow) -> None:
    assert set(workflow.classes) - built_in() == set()


def test_a_workflow_is_complete_only_with_all_its_classes() -> None:
    two = Workflow("two", True, {"A": 1, "B": 2})
    assert complete([two], {"A"}) == []
    assert complete([two], {"A", "B", "C"}) == [two]


def test_the_report_says_what_is_missing() -> None:
    assert "DA3Inference" in report()
