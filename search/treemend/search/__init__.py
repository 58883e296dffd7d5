"""What is worth trying next: pure functions over a tree of thoughts."""
