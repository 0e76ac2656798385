"""The mmts library: everything the command line does, without printing and without exit codes."""
