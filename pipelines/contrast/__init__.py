"""Temperature- and margin-scheduled contrastive losses: torch only, importable without the rest of mmts."""
