"""The command line of mmts: parse, call one library function, show."""
