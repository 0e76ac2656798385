"""MM-TS in other people's trainers: `clip_loop` for CLIP-style loops, `sentence_transformers` for that library.

Import the module you need; this package imports neither, so that neither's library is needed.
"""
