"""The ranking that the leaderboard and the card share."""

from skdistsearch._report_rows import rank_by_key


def test_equal_keys_share_a_rank_and_keep_their_order():
    ranks = rank_by_key({3: (1, 0.5), 0: (0, 0.5), 2: (0, 0.1), 1: (0, 0.5)})
    assert list(ranks.items()) == [(2, 1), (0, 2), (1, 2), (3, 4)]


def test_nothing_to_rank():
    assert rank_by_key({}) == {}
