"""Fix templates: from a suspicious statement to changes that people make to such statements."""
