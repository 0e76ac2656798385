"""Figures of the views, for papers: a file a figure, each a function that draws on an empty matplotlib figure."""
