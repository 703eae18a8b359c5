"""The command line: a thin module per verb, imported only when the verb is called."""
