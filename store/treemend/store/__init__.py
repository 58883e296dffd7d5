"""What lasts: the nouns of the domain, their rows, and the errors every layer may raise."""
