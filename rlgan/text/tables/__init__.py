"""Tables of text: which recipes they hold side by side, and what is read from their runs.

`TABLES` has those that `rlgan reproduce` makes; what a table is stands in `rlgan.table`. Imports no torch.
"""

from rlgan.table import Table
from rlgan.text.tables.settings import ScratchOptions, Table1Options

TABLES = {
    "table1": Table(
        summary="Table 1 of the paper: test perplexity of every method after 0, 1 and 10 epochs",
        options=Table1Options,
        plan="rlgan.text.tables.table1:plan",
        report="rlgan.text.tables.table1_report:report",
        examples=(
            "rlgan reproduce table1 --data ptb/ --methods mle policygan --seeds 3",
            "rlgan reproduce table1 --data ptb/ --discriminator-sizes 200 1024 --device cuda --jobs 8",
            "rlgan reproduce table1 --out runs/table1 --report-only    # of what is there so far",
        ),
    ),
    "scratch": Table(
        summary="text from scratch: MLE, PolicyGan, ScratchGAN's recipe and CoT's mediator, by quality and diversity",
        options=ScratchOptions,
        plan="rlgan.text.tables.scratch:plan",
        report="rlgan.text.tables.scratch_report:report",
        examples=(
            "rlgan reproduce scratch --data coco=captions/ oracle=oracle --seeds 3",
            "rlgan reproduce scratch --data poems=quatrains.txt --rows mle policygan -- --layout sentences",
        ),
    ),
}
