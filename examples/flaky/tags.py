"""Tags of a text."""


def tags(text):
    """The words that begin with a hash sign, without it."""
    return [word for word in {word[1:] for word in text.split() if word.startswith("#")}]
