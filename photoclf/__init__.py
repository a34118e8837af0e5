"""Tell photographs from everything else in digitised paper archives."""
