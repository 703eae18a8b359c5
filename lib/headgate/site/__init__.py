"""A static site about a project's tables, for people who look rather than read: `headgate docs`. Needs jinja2."""
