"""What is checked of an archive, and by whom."""
