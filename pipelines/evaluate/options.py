"""Refusals of options that would do nothing."""

import dataclasses
from collections.abc import Mapping
from typing import get_args

from pipelines.artifacts.files import nearest
from pipelines.encoding import Encoding
from pipelines.errors import InputError
from pipelines.evaluate.captions import Gallery
from pipelines.evaluate.protocols import Protocol
from pipelines.runs.sources import Sources

WHOLE_SPLITS = ("ek100", "eccv")  # protocols that score a published test set, of which nothing may be left out
OPTIONS_OF: dict[str, Protocol] = {
    "--relevancy": "ek100",
    "--tail-classes": "ek100",
    "--column": "classes",
    "--templates": "classes",
    "--class-names": "classes",
}


def refuse_other_sources(sources: Sources, protocol: Protocol, encoding: Encoding) -> None:
    """Refuse options of encoding where nothing is encoded, or nothing may be left out."""
    if sources.run is None:
        for field in dataclasses.fields(encoding):
            if getattr(encoding, field.name) != field.default:
                raise InputError(
                    f"--{field.name.replace('_', '-')}: has an effect only where a run encodes; leave it out"
                )
    if encoding.max_bad and protocol in WHOLE_SPLITS:
        raise InputError(f"--max-bad: {protocol} scores a whole published test set; replace damaged media instead")


def refuse_other_protocols(
    protocol: str,
    split: str,
    folds: int,
    gallery: str,
    given: Mapping[str, object],
) -> None:
    """Refuse an unknown protocol, and options that it has no use for.

    Args:
        protocol: The protocol.
        split: The split.
        folds: How many folds.
        gallery: What is found.
        given: The options of ``OPTIONS_OF``, None where they were not given.

    Raises:
        InputError: An option is not for the protocol.
    """
    names = list(get_args(Protocol))
    if protocol not in names:
        raise InputError(f"--protocol {protocol}: expected one of {', '.join(names)}{nearest(protocol, names)}")
    if gallery not in get_args(Gallery):
        raise InputError(f"--gallery {gallery}: expected one of {', '.join(get_args(Gallery))}")
    for option, value in given.items():
        if value is not None and protocol != OPTIONS_OF[option]:
            raise InputError(f"{option}: is for --protocol {OPTIONS_OF[option]}; leave it out with {protocol}")
    for option, chosen in (("--folds", folds != 1), ("--gallery all", gallery != "split")):
        if chosen and protocol in ("ek100", "eccv", "classes"):
            raise InputError(f"{option}: is for --protocol captions and pairs; leave it out with {protocol}")
    if gallery != "split" and folds != 1:
        raise InputError("--folds divides the media of a split; leave it out with --gallery all")
    if protocol == "eccv" and split != "test":
        raise InputError(f"--split {split}: protocol eccv scores MSCOCO's test split; leave it out")
