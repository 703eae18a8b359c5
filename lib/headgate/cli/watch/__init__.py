"""`headgate run --watch`: the loop of an application that stays up. Only `headgate.cli.run` imports it."""
