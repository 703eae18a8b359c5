"""The command line: one thin module a verb, each imported only when it is called."""
