"""Models of ours in the form of transformers; their files lie in the folders that hold such models, and run alone.

So each file needs torch, transformers and its neighbours here, which it imports by relative names: transformers copies
those along.
"""

from functools import cache


@cache
def register_models() -> None:
    """Tell transformers of our models: their folders load without trusting the code that lies in them."""
    from transformers import AutoConfig, AutoModel

    from pipelines.modeling.modeling_space_time import (
        SpaceTimeClipConfig,
        SpaceTimeClipModel,
        SpaceTimeVisionConfig,
        SpaceTimeVisionModelWithProjection,
    )
    from pipelines.modeling.modeling_x_clip import XClipVideoConfig, XClipVideoModel

    for config, model in (
        (SpaceTimeClipConfig, SpaceTimeClipModel),
        (SpaceTimeVisionConfig, SpaceTimeVisionModelWithProjection),
        (XClipVideoConfig, XClipVideoModel),
    ):
        AutoConfig.register(config.model_type, config)
        AutoModel.register(config, model)
        config.register_for_auto_class()
        model.register_for_auto_class("AutoModel")
