"""What public workflows of the Stable Diffusion family use is here."""

import pytest

from tests.coverage_of_workflows.coverage import SD_CLASSES, Workflow, built_in, classes, complete, report, workflows

SD = [each for each in workflows() if each.is_sd]


def test_every_class_that_stable_diffusion_workflows_use_is_here() -> None:
    wanted = {each.name for each in classes()[:SD_CLASSES]}
    assert len(wanted) == SD_CLASSES
    assert wanted - built_in() == set()


@pytest.mark.parametrize("workflow", SD, ids=lambda each: each.name)
def test_an_example_workflow_of_the_family_has_all_its_nodes(workflow: Workflow) -> None:
    assert set(workflow.classes) - built_in() == set()


def test_a_workflow_is_complete_only_with_all_its_classes() -> None:
    two = Workflow("two", True, {"A": 1, "B": 2})
    assert complete([two], {"A"}) == []
    assert complete([two], {"A", "B", "C"}) == [two]


def test_the_report_says_what_is_missing() -> None:
    assert "classes of the Stable Diffusion family: 95 of 95" in report(built_in())
    lacking = report(built_in() - {"DA3Inference", "KSampler"})
    assert "classes of the Stable Diffusion family: 93 of 95" in lacking
    assert "missing: KSampler, DA3Inference" in lacking
