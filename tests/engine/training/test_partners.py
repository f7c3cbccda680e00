"""Partners average their weights when both come to a round, and go on alone when one does not."""

import threading
from pathlib import Path

import torch
from torch import nn

from engine.training.partners import Partners


def line(value: float) -> nn.Linear:
    made = nn.Linear(2, 1)
    nn.init.constant_(made.weight, value)
    return made


def test_two_partners_leave_a_meeting_with_the_mean_of_their_weights(tmp_path: Path) -> None:
    networks = [line(1.0), line(3.0)]
    partners = [Partners(tmp_path, "tiny", rank, 2, every=60.0, patience=20.0) for rank in range(2)]
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda i=i: found.append(partners[i].meet_(networks[i], number=5))) for i in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [2, 2]
    for network in networks:
        assert torch.equal(network.weight, torch.full((1, 2), 2.0))


def test_a_partner_that_stays_away_is_not_waited_for_long(tmp_path: Path) -> None:
    network = line(1.0)
    assert Partners(tmp_path, "tiny", 0, 2, patience=0.3).meet_(network, number=5) == 1
    assert torch.equal(network.weight, torch.ones(1, 2))


def test_weights_of_an_earlier_round_are_not_averaged(tmp_path: Path) -> None:
    Partners(tmp_path, "tiny", 1, 2, patience=0.1).meet_(line(9.0), number=4)
    network = line(1.0)
    assert Partners(tmp_path, "tiny", 0, 2, patience=0.3).meet_(network, number=5) == 1
    assert torch.equal(network.weight, torch.ones(1, 2))
