"""Which of a run's processes this is, by what its launcher told it."""

import os


def is_first_process() -> bool:
    """Whether this is the one of the processes of a run that speaks and writes: rank 0, whoever started them."""
    ranks = (
        "RANK",
        "LOCAL_RANK",
        "NODE_RANK",
        "GROUP_RANK",
        *(["SLURM_PROCID"] if "SLURM_NTASKS" in os.environ else []),
    )
    return all(os.environ.get(name, "0") == "0" for name in ranks)
