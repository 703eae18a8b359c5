"""The package of a project for EMR, built on this machine. It calls no AWS API; `headgate deploy` uploads it."""
