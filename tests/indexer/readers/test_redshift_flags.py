"""Which redshifts may be trusted: the same flag comes turned round, or not."""

import numpy as np
import pytest

from indexer.column_rules import RedshiftOk
from indexer.readers.columns import _is_good


@pytest.mark.parametrize(
    ("good", "value", "trusted"),
    [
        ("zero", np.int32(0), True),
        ("zero", np.int32(4), False),
        ("zero", np.bool_(False), True),
        ("zero", np.bool_(True), False),
        ("true_or_zero", np.bool_(True), True),
        ("true_or_zero", np.bool_(False), False),
        ("true_or_zero", np.int64(0), True),
        ("true_or_zero", np.int64(5), False),
        ("true_or_zero", np.float32("nan"), False),
    ],
)
def test_flag_is_read_by_its_type(good, value, trusted):
    assert _is_good(RedshiftOk(column="ZWARN", good=good), {"ZWARN": value}) is trusted
