"""Python without running it: what names stand for, what code means, what runs when a file is loaded."""
