"""Trained runs as later stages use them: the files they were trained with, and vectors through their models."""
